//! The sweep: what events have not said. On its schedule it finds images whose event never came, rollouts that died, and drift;
//! for a change of a parameter, the services that read it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use skydeck_core::rollout::decide::Asked;
use skydeck_core::rollout::record::{Lease, Record};
use skydeck_core::rollout::run::{Decided, Rollout, Word};
use skydeck_core::rollout::story::abandoned;
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::scope::Scope;

use super::{applied, keys, record, scope_of, start, tell};
use crate::error::{Error, Result};
use crate::lock;
use crate::run::Context;

/// Input of the sweep.
#[derive(Debug, Deserialize)]
pub struct Sweep {
    /// The execution's input: the event of its schedule, or that of a parameter.
    pub event: Value,
    /// The execution's ARN.
    pub execution: String,
}

/// What the sweep did.
#[derive(Debug, Default, Serialize)]
pub struct Swept {
    /// ARN of the rollout that was started, by platform and service.
    pub started: BTreeMap<String, String>,
    /// Why nothing was, by platform and service.
    pub ignored: BTreeMap<String, String>,
    /// ARN of the plan that looks for drift, by platform.
    pub plans: BTreeMap<String, String>,
}

/// Looks at every service of every platform.
///
/// # Errors
/// Where AWS refuses.
pub async fn sweep(context: &Context, asked: Sweep) -> Result<Swept> {
    let mut swept = Swept::default();
    for platform in context.home.platforms().await? {
        let Some(applied) = applied(context, &platform).await? else { continue };
        let scope = scope_of(context, &applied, &asked.execution)?;
        // What an apply or a destroy is at is no drift.
        if parameter(&asked.event).is_none() && !lock::is_held(&context.clients, &context.home, &platform).await? {
            let plan = start::drift(context, &platform, &asked.execution).await?;
            swept.plans.insert(platform.clone(), plan);
        }
        for service in scope.platform.services.keys() {
            let (cause, reason) = match parameter(&asked.event) {
                Some(name) if reads(&scope, service, name) => (Cause::Secret, None),
                Some(name) => (Cause::Secret, Some(format!("does not read {name}"))),
                None => {
                    let asked_for = Asked { cause: Cause::Sweep, image: None, tag: None, since: None };
                    let decided =
                        super::decide::decide_service(context, &applied, &scope, service, &asked_for, &asked.execution);
                    (Cause::Sweep, idle(context, decided.await).await?)
                }
            };
            let key = format!("{platform}/{service}");
            match reason {
                Some(reason) => drop(swept.ignored.insert(key, reason)),
                None => {
                    let order = start::by_policy(&platform, service, cause);
                    let arn = start::order(context, order, &asked.execution).await?;
                    swept.started.insert(key, arn);
                }
            }
        }
    }
    Ok(swept)
}

/// Why a service is left alone; `None` where a rollout is to be started.
async fn idle(context: &Context, decided: Result<Decided>) -> Result<Option<String>> {
    match decided {
        Ok(decided) if matches!(decided.decision, Word::Ignored) => Ok(Some(decided.reason)),
        Ok(Decided { decision: Word::Release | Word::Return, rollout: Some(rollout), .. }) => {
            match rollout.record.given_up(&rollout.digest) {
                Some(lease) => Ok(Some(give_up(context, &rollout, lease).await)),
                None => Ok(None),
            }
        }
        Ok(_) => Ok(None),
        // The next sweep looks again.
        Err(Error::NotYet(whom)) => Ok(Some(format!("waits for {whom}"))),
        Err(error) => Err(error),
    }
}

/// Leaves alone what would end as it did before, and tells a person of it once. Returns why. Where nobody can be told, the next sweep
/// tries, and the other services are looked at all the same.
async fn give_up(context: &Context, rollout: &Rollout, lease: &Lease) -> String {
    let why = abandoned(&rollout.service, lease);
    if !lease.told
        && let Err(error) = tell_once(context, rollout, lease, &why).await
    {
        tracing::warn!("that the rollout of {} is given up could not be told: {error}", rollout.service);
    }
    why
}

async fn tell_once(context: &Context, rollout: &Rollout, lease: &Lease, why: &str) -> Result<()> {
    tell::given_up(context, rollout, lease, why).await?;
    record::change(&context.home, &keys(rollout).record(), |found: &Record| found.told(lease)).await.map(drop)
}

/// The parameter that an event is about.
fn parameter(event: &Value) -> Option<&str> {
    let is_change = event["detail-type"].as_str() == Some("Parameter Store Change");
    event["detail"]["name"].as_str().filter(|_| is_change)
}

/// Whether a service's tasks read a parameter.
fn reads(scope: &Scope, service: &str, parameter: &str) -> bool {
    let secrets = scope.platform.services.get(service).map(|service| service.secrets.values());
    let parameters = secrets.into_iter().flatten().filter_map(|key| scope.platform.secrets.get(key));
    parameters.into_iter().any(|secret| secret.parameter == parameter)
}
