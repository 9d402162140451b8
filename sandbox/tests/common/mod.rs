//! A sandbox for tests, and real SDK clients that call it.

#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) mod raw;
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) mod stack;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use raw::Raw;
use serde_json::Value;
use skydeck_sandbox::{Options, Sandbox};

/// Where the Python environments are shared with other tests and the command.
pub(crate) fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/sandbox")
}

/// A sandbox of the test's own, 1000 times as fast as AWS.
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) async fn sandbox() -> Sandbox {
    let options = Options { speed: 1000.0, ..Options::new(dir()) };
    Sandbox::start(&options).await.unwrap()
}

/// A configuration for real SDK clients that never retry.
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) async fn config(endpoint: &str, app: &str, credentials: Credentials) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("ap-south-1"))
        .endpoint_url(endpoint)
        .app_name(AppName::new(app.to_owned()).unwrap())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .credentials_provider(credentials)
        .load()
        .await
}

/// The person's configuration.
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) async fn person(sandbox: &Sandbox) -> SdkConfig {
    let keys = sandbox.credentials();
    let credentials = Credentials::new(keys.access_key_id, keys.secret_access_key, None, None, "test");
    config(sandbox.endpoint(), "skydeck-test", credentials).await
}

/// Asks again until the answer is yes.
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let begun = Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not happen in 20 s");
        tokio::task::yield_now().await;
    }
}

/// A call of a JSON service for which there is no SDK client here; status and answer.
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) async fn call(sandbox: &Sandbox, target: &str, body: Value) -> (u16, Value) {
    let service = match target.split('.').next().unwrap() {
        "AWSEvents" => "events",
        "AWSStepFunctions" => "states",
        _ => "sqs",
    };
    send(sandbox, service, "/", Some(target), body).await
}

/// A `POST` as the account's root; status and answer.
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) async fn send(
    sandbox: &Sandbox,
    service: &str,
    path: &str,
    target: Option<&str>,
    body: Value,
) -> (u16, Value) {
    let mut request = Raw::new("POST", path, &body.to_string()).with("content-type", "application/x-amz-json-1.1");
    if let Some(target) = target {
        request = request.with("x-amz-target", target);
    }
    let (status, answer) = request.signed(&sandbox.credentials(), service).send(raw::port(sandbox)).await;
    (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
}

/// The same, where it has to succeed.
#[allow(dead_code, reason = "not every test file needs all of this one")]
pub(crate) async fn done(sandbox: &Sandbox, target: &str, body: Value) -> Value {
    let (status, answer) = call(sandbox, target, body).await;
    assert_eq!(status, 200, "{target}: {answer}");
    answer
}
