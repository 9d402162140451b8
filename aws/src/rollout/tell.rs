//! Tells EventBridge of rollouts; the shape of the events is documented in docs/rollouts.md.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};
use skydeck_core::rollout::ledger::Verdict;
use skydeck_core::rollout::run::{Result as Ended, Rollout};

use crate::error::{Error, Explain, Result};
use crate::run::Context;

/// `source` of every event that skydeck sends.
pub(crate) const SOURCE: &str = "skydeck";

pub(super) async fn started(context: &Context, rollout: &Rollout, definition: &str) -> Result<()> {
    let mut detail = common(rollout);
    detail["task-definition"] = definition.into();
    put(context, "Rollout Started", &detail).await
}

pub(super) async fn ended(context: &Context, rollout: &Rollout, ended: &Ended) -> Result<()> {
    let kind = match ended.verdict {
        Verdict::Succeeded => "Rollout Succeeded",
        Verdict::RolledBack => "Rollout Rolled Back",
        Verdict::Superseded => "Rollout Superseded",
        Verdict::Refused => "Rollout Refused",
    };
    let mut detail = common(rollout);
    detail["seconds"] = ended.seconds.into();
    detail["reason"] = ended.reason.as_str().into();
    detail["rejected"] = ended.rejected.into();
    put(context, kind, &detail).await
}

fn common(rollout: &Rollout) -> Value {
    json!({
        "platform": rollout.platform,
        "service": rollout.service,
        "digest": rollout.digest,
        "tag": rollout.tag,
        "cause": rollout.cause,
        "execution": rollout.execution,
    })
}

/// Sends one event to the account's default bus.
pub(crate) async fn put(context: &Context, kind: &str, detail: &Value) -> Result<()> {
    let entry = PutEventsRequestEntry::builder().source(SOURCE).detail_type(kind).detail(detail.to_string()).build();
    let answer = context.clients.events.put_events().entries(entry).send().await.during("send event", kind)?;
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
