//! The service layer.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    skydeck_functions::layer::<skydeck_aws::layer::service::Service>().await
}
