//! The function inside the VPC: asks the internal load balancer, and says what it answered.
//!
//! It calls no AWS API, so it needs neither a NAT gateway nor an endpoint.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use skydeck_probe::{Questions, ask_all, choose_tls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    choose_tls()?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Questions>| async move {
        Ok::<_, Error>(ask_all(&event.payload).await)
    }))
    .await
}
