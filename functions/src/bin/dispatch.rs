//! The state `Dispatch` of a run.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("dispatch", skydeck_aws::run::dispatch).await
}
