//! Events that skydeck sends: of rollouts (docs/rollouts.md) and of drift (docs/drift.md).

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::Value;

use crate::error::{Error, Explain, Result};
use crate::run::Context;

/// `source` of every event that skydeck sends.
const SOURCE: &str = "skydeck";

/// Sends one event to the account's default bus.
pub(crate) async fn put(context: &Context, kind: &str, detail: &Value) -> Result<()> {
    let entry = PutEventsRequestEntry::builder().source(SOURCE).detail_type(kind).detail(detail.to_string()).build();
    let answer = context.clients.events().put_events().entries(entry).send().await.during("send event", kind)?;
    // EventBridge tells in its answer of what it did not take.
    let refused = answer.entries().iter().find_map(|entry| Some((entry.error_code()?, entry.error_message())));
    match refused {
        None => Ok(()),
        Some((code, message)) => Err(Error::Aws {
            verb: "send event".into(),
            resource: kind.into(),
            code: code.into(),
            message: message.unwrap_or("no message was given").into(),
        }),
    }
}
