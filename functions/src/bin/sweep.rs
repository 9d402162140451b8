//! The one state of the sweep.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("sweep", skydeck_aws::rollout::sweep).await
}
