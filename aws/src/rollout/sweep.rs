//! The sweep: what events have not said. On its schedule it finds images whose event never came, rollouts that died, and drift;
//! for a change of a parameter, the services that read it.

use std::collections::BTreeMap;

use futures::try_join;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skydeck_core::rollout::decide::Asked;
use skydeck_core::rollout::ledger::Keys;
use skydeck_core::rollout::record::{Lease, Record};
use skydeck_core::rollout::run::{Decided, Rollout, Word};
use skydeck_core::rollout::story::abandoned;
use skydeck_core::rollout::trigger::{Cause, changed_parameter};
use skydeck_core::scope::Scope;

use super::decide::{Here, decide_known};
use super::survey::{self, Known};
use super::{applied, conclude, keys, read, record, scope_of, start, tell};
use crate::error::{Error, Result};
use crate::execute::all;
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
    let (mut swept, parameter) = (Swept::default(), changed_parameter(&asked.event));
    for platform in context.home.platforms().await? {
        let Some(applied) = applied(context, &platform).await?.filter(|applied| !applied.gone) else { continue };
        let scope = scope_of(context, &platform, &applied, &asked.execution)?;
        // What an apply or a destroy changes right now is no drift.
        if parameter.is_none() && !lock::is_held(&context.clients, &context.home, &platform).await? {
            let plan = start::drift(context, &platform, &asked.execution).await?;
            swept.plans.insert(platform.clone(), plan);
        }
        let (cause, reasons) = match &parameter {
            Some(name) => (Cause::Secret, readers(&scope, name)),
            None => {
                let here = Here { scope: &scope, since: applied.since, execution: &asked.execution };
                (Cause::Sweep, look_at_all(context, &here).await?)
            }
        };
        for (service, reason) in reasons {
            let key = format!("{platform}/{service}");
            match reason {
                Some(reason) => drop(swept.ignored.insert(key, reason)),
                None => {
                    let order = start::by_policy(&platform, &service, cause, parameter.as_deref());
                    let arn = start::order(context, order, &asked.execution).await?;
                    swept.started.insert(key, arn);
                }
            }
        }
    }
    Ok(swept)
}

/// Decides about every service of a platform. Returns why each is left alone; `None` where a rollout is to be started.
async fn look_at_all(context: &Context, here: &Here<'_>) -> Result<Vec<(String, Option<String>)>> {
    let (platform, names) = (here.scope.prefix(), here.scope.platform.services.keys().cloned().collect::<Vec<_>>());
    let (known, lacking) =
        try_join!(survey::known(context, &platform, &names), survey::lacking(context, here.scope, &names))?;
    let asked = &Asked { cause: Cause::Sweep, image: None, tag: None, since: None };
    let (lacking, platform) = (&lacking, &platform);
    let decide = |known: Known| async move {
        let name = known.name.clone();
        Box::pin(late(context, Keys { platform, service: &name }, &known)).await;
        Ok::<_, Error>((name, idle(context, Box::pin(decide_known(context, here, known, lacking, asked)).await).await?))
    };
    all(known.into_iter().map(decide)).await
}

/// Tells what a stopped execution could not tell any more. Where that does not work, the next sweep tries again.
async fn late(context: &Context, keys: Keys<'_>, known: &Known) {
    if let Err(error) = conclude::late(context, keys, &known.record).await {
        tracing::warn!("a verdict about {} could not be told: {error}", keys.service);
    }
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

/// Why each service is left alone when a parameter was changed; `None` where its tasks read it.
fn readers(scope: &Scope, parameter: &str) -> Vec<(String, Option<String>)> {
    let services = scope.platform.services.keys().map(|service| {
        let reads = read::parameters(scope, service).contains(parameter);
        (service.clone(), (!reads).then(|| format!("does not read {parameter}")))
    });
    services.collect()
}

/// Leaves alone what would end as it did before, and tells a person of it once. Returns why. Where nobody can be told, the next sweep
/// tries, and the other services are looked at all the same.
async fn give_up(context: &Context, rollout: &Rollout, lease: &Lease) -> String {
    let why = abandoned(&rollout.platform, &rollout.service, lease);
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
