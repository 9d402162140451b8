//! The edge between Lambda and skydeck: environment in, error names out. What a function does is `skydeck-aws`'s.

use std::env;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skydeck_aws::layer::Work;
use skydeck_aws::run::{self, Context};
use skydeck_aws::{Error, Result};
use skydeck_core::format;
use tracing_subscriber::EnvFilter;

/// Names skydeck's own bucket.
pub const BUCKET: &str = "SKYDECK_BUCKET";

/// Serves a layer's state.
///
/// # Errors
/// Where the function cannot start, or the Lambda runtime ends.
pub async fn layer<W: Work>() -> std::result::Result<(), lambda_runtime::Error> {
    serve(W::LAYER.name(), run::layer::<W>).await
}

/// Serves one state of a run: `handle` turns its input into its output.
///
/// # Errors
/// Where the function cannot start, or the Lambda runtime ends.
pub async fn serve<I, O>(
    name: &'static str,
    handle: impl AsyncFn(&Context, I) -> Result<O>,
) -> std::result::Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .without_time() // CloudWatch Logs has its own
        .init();
    let bucket = env::var(BUCKET).map_err(|_| format!("the environment variable {BUCKET} is not set"))?;
    let context = &Context::new(name, &bucket).await;
    let handle = &handle;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let answer = async {
            let output = handle(context, input(event.payload)?).await?;
            let output = serde_json::to_value(output).map_err(|error| Error::Broken(format!("the output: {error}")))?;
            Ok(format::mark_carried(output))
        };
        // Boxed: in the runtime's own futures the compiler would give up on how deep a state's are.
        Box::pin(answer).await.map_err(|error| edge(&error))
    }))
    .await
}

/// What a state hands over, which may have been written by an older skydeck and not by a newer one.
fn input<I: DeserializeOwned>(payload: Value) -> Result<I> {
    let payload = format::open_input(payload).map_err(|newer| Error::Input(format!("the function's input {newer}")))?;
    serde_json::from_value(payload)
        .map_err(|error| Error::Input(format!("the function's input cannot be read: {error}")))
}

/// The error as the state machine knows it.
fn edge(error: &Error) -> Diagnostic {
    let (error_type, error_message) = (error.error_type().to_owned(), error.to_string());
    if error.passes() {
        tracing::info!(error_type, "{error_message}");
    } else {
        tracing::error!(error_type, "{error_message}");
    }
    Diagnostic { error_type, error_message }
}
