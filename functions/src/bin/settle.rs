//! The state `Settle` of a rollout.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("settle", skydeck_aws::rollout::settle).await
}
