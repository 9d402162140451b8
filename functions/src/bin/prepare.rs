//! The state `Prepare` of a run.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("prepare", skydeck_aws::run::prepare).await
}
