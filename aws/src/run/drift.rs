//! Drift: what somebody else has changed, told once.

use serde::{Deserialize, Serialize};
use skydeck_core::preview::{Preview, plan_key};
use skydeck_core::run::drift_key;

use super::Context;
use crate::error::Result;
use crate::event;
use crate::lock;

/// What was told last.
#[derive(Debug, Deserialize, Serialize)]
struct Told {
    /// The plan's id.
    plan: String,
    /// What its changes are known again by.
    essence: String,
}

/// Keeps a plan by which not all is as the platform file says, and sends a `Drift` event for it, unless the same was told already or
/// somebody is changing the platform. The event goes first: where the record of it cannot be written, it is sent once more, and
/// not never. Returns the id of the plan that is kept.
pub(super) async fn tell(context: &Context, plan: &Preview) -> Result<Option<String>> {
    let key = drift_key(&plan.platform);
    let told: Option<Told> = context.home.read_json(&key).await?;
    if plan.is_clean() {
        if told.is_some() {
            context.home.forget(&key).await?;
        }
        return Ok(None);
    }
    let now = Told { plan: plan.id.clone(), essence: plan.essence() };
    if let Some(told) = told.filter(|told| told.essence == now.essence) {
        return Ok(Some(told.plan));
    }
    // Of what an apply has begun meanwhile the plan may have seen half, which is no drift: the next sweep looks again.
    if lock::is_held(&context.clients, &context.home, &plan.platform).await? {
        return Ok(None);
    }
    context.home.write_json(&plan_key(&plan.platform, &plan.id), plan).await?;
    if let Err(error) = event::put(context, "Drift", &plan.outline()).await {
        // The plan is good all the same. It is not remembered as told, so that the next one tells it.
        tracing::warn!("the drift of {} could not be told: {error}", plan.platform);
    } else {
        context.home.write_json(&key, &now).await?;
    }
    Ok(Some(now.plan))
}
