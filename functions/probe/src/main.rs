//! The function inside the VPC: asks the internal load balancer, and says what it answered.
//!
//! It calls no AWS API, so it needs neither a NAT gateway nor an endpoint.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

/// One question.
#[derive(Debug, Deserialize)]
struct Question {
    /// The URL to ask, with the load balancer's own DNS name.
    url: String,
    /// Milliseconds to wait for the answer.
    #[serde(default = "default_timeout")]
    timeout_milliseconds: u64,
}

fn default_timeout() -> u64 {
    5000
}

/// What came back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// An HTTP answer, whatever its status.
    Answered { status: u16, server: Option<String>, body: String },
    /// None: no connection, or none in time.
    Silent { reason: String },
}

/// As much of a body as a person needs to recognise it.
const BODY_LIMIT: usize = 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = &reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Question>| async move {
        Ok::<_, Error>(ask(client, event.payload).await)
    }))
    .await
}

async fn ask(client: &reqwest::Client, question: Question) -> Answer {
    let timeout = Duration::from_millis(question.timeout_milliseconds);
    match client.get(question.url).timeout(timeout).send().await {
        Err(error) => silent(&error),
        Ok(response) => {
            let status = response.status().as_u16();
            let server = response.headers().get("server").and_then(|value| value.to_str().ok()).map(Into::into);
            match response.text().await {
                Err(error) => silent(&error),
                Ok(body) => Answer::Answered { status, server, body: body.chars().take(BODY_LIMIT).collect() },
            }
        }
    }
}

fn silent(error: &reqwest::Error) -> Answer {
    let reason = match error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_connect() => "no connection",
        _ => "the answer broke off",
    };
    Answer::Silent { reason: reason.into() }
}
