//! `Dispatch`: hands the platform, as the layers have made it, on to rollouts, and starts those that are needed: some at once, the
//! others in further calls, when these have ended.

use futures::future::try_join_all;
use skydeck_core::rollout::ledger::applied_key;
use skydeck_core::rollout::run::Applied;
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::run::{Dispatch, Dispatched, begin};

use super::Context;
use crate::error::{Error, Result};
use crate::rollout::{applied, now, start};

/// Writes what rollouts work by, and starts one for each service whose definition the platform file has changed, or whose
/// first image is there.
///
/// # Errors
/// Where AWS refuses.
pub async fn dispatch(context: &Context, asked: Dispatch) -> Result<Dispatched> {
    let Dispatch { run, facts, services, running } = asked;
    let (services, waiting) = begin(&services, running);
    let missing = || Error::Input(format!("the file of platform {} is not there any more", run.platform));
    let version = Some(run.spec_version.as_str()).filter(|version| !version.is_empty());
    let file = context.home.read(&run.spec_key(), version).await?.ok_or_else(missing)?;
    let before = applied(context, &run.platform).await?;
    let since = before.as_ref().map_or_else(now, |before| before.since);
    let applied = Applied { file: file.text, spec_version: run.spec_version.clone(), facts, since };
    if before.as_ref() != Some(&applied) {
        context.home.write_json(&applied_key(&run.platform), &applied).await?;
    }
    let rollouts = services.iter().map(|service| {
        let run = &run;
        async move {
            let cause = Cause::Configuration;
            let arn = start::order(context, &run.platform, service, cause, None, &run.execution).await?;
            Ok::<_, Error>((service.clone(), arn))
        }
    });
    let rollouts = try_join_all(rollouts).await?.into_iter().collect();
    Ok(Dispatched { rollouts, waiting: waiting.to_vec() })
}
