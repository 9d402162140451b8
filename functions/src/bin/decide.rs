//! The state `Decide` of a rollout.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("decide", skydeck_aws::rollout::decide).await
}
