//! The state `Release` of a rollout.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("release", skydeck_aws::rollout::release).await
}
