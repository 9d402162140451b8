//! The state `RollBack` of a rollout.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("rollback", skydeck_aws::rollout::rollback).await
}
