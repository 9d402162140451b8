//! `Dispatch`: hands the platform, as the layers have made it, on to rollouts, and starts those that are needed: some at once, the
//! others in further calls, when these have ended.

use futures::future::try_join_all;
use skydeck_core::rollout::ledger::applied_key;
use skydeck_core::rollout::record::Liveness;
use skydeck_core::rollout::run::Applied;
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::run::{Dispatch, Dispatched, Run, begin};

use super::Context;
use crate::error::{Error, Result};
use crate::execution::{SAFE_TO_DECIDE_SECONDS, liveness};
use crate::rollout::{applied, now, scope_of, start, survey};

/// Writes what rollouts work by, and starts one for each service whose definition the platform file has changed, whose first image
/// is there, or which a rollout has left half done that died.
///
/// # Errors
/// Where AWS refuses.
pub async fn dispatch(context: &Context, asked: Dispatch) -> Result<Dispatched> {
    let Dispatch { run, facts, services, running } = asked;
    let missing = || Error::Input(format!("the file of platform {} is not there any more", run.platform));
    let version = Some(run.spec_version.as_str()).filter(|version| !version.is_empty());
    let file = context.home.read(&run.spec_key(), version).await?.ok_or_else(missing)?;
    let before = applied(context, &run.platform).await?;
    let since = before.as_ref().map_or_else(now, |before| before.since);
    let applied = Applied { file: file.text, spec_version: run.spec_version.clone(), facts, since, gone: false };
    if before.as_ref() != Some(&applied) {
        context.home.write_json(&applied_key(&run.platform), &applied).await?;
    }
    let left = left(context, &run, &applied).await?;
    let rest = left.iter().filter(|service| !services.contains(service));
    let all: Vec<String> = rest.chain(&services).cloned().collect();
    let (first, waiting) = begin(&all, running);
    let rollouts = first.iter().map(|service| {
        let (run, is_changed) = (&run, services.contains(service));
        async move {
            let cause = if is_changed { Cause::Configuration } else { Cause::Sweep };
            let order = start::by_policy(&run.platform, service, cause, None);
            Ok::<_, Error>((service.clone(), start::order(context, order, &run.execution).await?))
        }
    });
    let rollouts = try_join_all(rollouts).await?.into_iter().collect();
    Ok(Dispatched { rollouts, waiting: waiting.to_vec() })
}

/// The services with a lease whose execution has ended without giving it back.
async fn left(context: &Context, run: &Run, applied: &Applied) -> Result<Vec<String>> {
    let scope = scope_of(context, &run.platform, applied, &run.execution)?;
    let names: Vec<String> = scope.platform.services.keys().cloned().collect();
    let looks = survey::known(context, &scope.prefix(), &names).await?.into_iter().map(|known| async move {
        let Some(lease) = &known.record.value.lease else { return Ok(None) };
        let written = known.record.written;
        let holder = liveness(&context.clients, &lease.execution, SAFE_TO_DECIDE_SECONDS, written).await?;
        Ok::<_, Error>((holder != Liveness::Running).then_some(known.name))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}
