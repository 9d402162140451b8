//! The function inside the VPC: asks the internal load balancer, and says what it answered.
//!
//! It calls no AWS API, so it needs neither a NAT gateway nor an endpoint.

use lambda_runtime::{Error, LambdaEvent, service_fn};

mod ask;
#[cfg(test)]
mod tests;

use ask::Question;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The same as the AWS clients of the other functions have, so that there is one implementation of TLS.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a provider of TLS is set already")?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Question>| async move {
        Ok::<_, Error>(ask::ask(reqwest::Client::builder(), event.payload).await)
    }))
    .await
}
