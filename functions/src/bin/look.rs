//! The state `Look` of a rollout.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("look", skydeck_aws::rollout::look).await
}
