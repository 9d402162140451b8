//! The function inside the VPC: asks the internal load balancers, and says what they answered.
//!
//! It calls no AWS API, so it needs neither a NAT gateway nor an endpoint.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use skydeck_probe::{Questions, ask_all, client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = &client()?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Questions>| async move {
        Ok::<_, Error>(ask_all(client, &event.payload).await)
    }))
    .await
}
