//! The state `Approve` of a run.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("approve", skydeck_aws::run::approve).await
}
