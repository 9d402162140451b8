//! Tells EventBridge of rollouts; the shape of the events is documented in docs/rollouts.md.

use serde_json::{Value, json};
use skydeck_core::rollout::ledger::{Keys, Past, Verdict};
use skydeck_core::rollout::record::Lease;
use skydeck_core::rollout::run::Rollout;

use crate::error::Result;
use crate::event::put;
use crate::run::Context;

pub(super) async fn started(context: &Context, rollout: &Rollout, definition: &str) -> Result<()> {
    let mut detail = common(rollout);
    detail["task-definition"] = definition.into();
    put(context, "Rollout Started", &detail).await
}

pub(super) async fn ended(context: &Context, keys: Keys<'_>, digest: &str, past: &Past, rejected: bool) -> Result<()> {
    let kind = match past.verdict {
        Verdict::Succeeded => "Rollout Succeeded",
        Verdict::RolledBack => "Rollout Rolled Back",
        Verdict::Superseded => "Rollout Superseded",
        Verdict::Unverified => "Rollout Unverified",
        Verdict::Refused => "Rollout Refused",
    };
    let detail = json!({
        "platform": keys.platform,
        "service": keys.service,
        "digest": digest,
        "tag": past.tag,
        "cause": past.cause,
        "execution": past.execution,
        "seconds": past.seconds(),
        "reason": past.reason,
        "rejected": rejected,
    });
    put(context, kind, &detail).await
}

/// Nobody goes on with a rollout that ended without saying how.
pub(super) async fn given_up(context: &Context, rollout: &Rollout, lease: &Lease, reason: &str) -> Result<()> {
    let mut detail = common(rollout);
    detail["cause"] = json!(lease.cause);
    detail["execution"] = lease.execution.as_str().into();
    detail["reason"] = reason.into();
    put(context, "Rollout Given Up", &detail).await
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
