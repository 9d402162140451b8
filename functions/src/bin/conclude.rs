//! The state `Conclude` of a run.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::serve("conclude", skydeck_aws::run::conclude).await
}
