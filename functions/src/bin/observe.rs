//! The state `Observe` of a run.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("observe", skydeck_aws::run::observe).await
}
