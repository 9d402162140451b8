//! Drift: what somebody else has changed, told once.

use serde::{Deserialize, Serialize};
use skydeck_core::preview::Preview;
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

/// Sends a `Drift` event where not all is as the platform file says, unless the same was told already or somebody is changing the
/// platform. The event goes first: where the record of it cannot be written, it is sent once more, and not never.
pub(super) async fn tell(context: &Context, plan: &Preview) -> Result<()> {
    let key = drift_key(&plan.platform);
    let told: Option<Told> = context.home.read_json(&key).await?;
    if plan.is_clean() {
        return if told.is_some() { context.home.forget(&key).await } else { Ok(()) };
    }
    let now = Told { plan: plan.id.clone(), essence: plan.essence() };
    if told.is_some_and(|told| told.essence == now.essence) {
        return Ok(());
    }
    // Of what an apply has begun meanwhile the plan may have seen half, which is no drift: the next sweep looks again.
    if lock::is_held(&context.clients, &context.home, &plan.platform).await? {
        return Ok(());
    }
    if let Err(error) = event::put(context, "Drift", &plan.outline()).await {
        // The plan is good all the same. It is not remembered as told, so that the next one tells it.
        tracing::warn!("the drift of {} could not be told: {error}", plan.platform);
        return Ok(());
    }
    context.home.write_json(&key, &now).await
}
