//! The secrets layer.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::layer::<skydeck_aws::layer::secrets::Secrets>().await
}
