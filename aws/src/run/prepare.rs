//! `Prepare`: which platform, is its file right, may this run begin.

use skydeck_core::placement;
use skydeck_core::preview::Preview;
use skydeck_core::run::{Mode, Prepared, Run, Start, spec_key};
use skydeck_core::spec;

use super::Context;
use super::preflight::preflight;
use crate::error::{Error, Result};
use crate::{lock, rollout};

/// Loads and checks the platform file, asks whether anything of others is in the way, and takes the lock for what writes.
///
/// # Errors
/// [`Error::Input`] where the platform or its file is not there or wrong, [`Error::Refused`] where its tasks can never find
/// room or something of others is in the way, [`Error::Locked`] where another run is at work.
pub async fn prepare(context: &Context, start: Start) -> Result<Prepared> {
    let platform = match &start.platform {
        Some(platform) => platform.clone(),
        None => only_platform(context).await?,
    };
    let named = start.file.is_some() || start.version.is_some();
    check_input(&start, named)?;
    let planned = match &start.plan {
        Some(id) => Some(unmoved_plan(context, &platform, id).await?),
        None => None,
    };
    let own = spec_key(&platform);
    let (key, version, refresh_ami) = match planned {
        Some(plan) => (plan.file.key, Some(plan.file.version), plan.refresh_ami),
        None if start.drift => (own.clone(), Some(applied_version(context, &platform).await?), false),
        None => (start.file.unwrap_or_else(|| own.clone()), start.version, start.refresh_ami),
    };
    let missing = || {
        Error::Input(format!(
            "there is no platform `{platform}`: s3://{}/{key} is not there. Upload it with `skydeck apply FILE`",
            context.home.bucket
        ))
    };
    let object = context.home.read(&key, version.as_deref()).await?.ok_or_else(missing)?;
    let file = spec::parse(&key, &object.text).map_err(|problems| Error::Input(problems.to_string()))?;
    if file.region != context.clients.region {
        return Err(Error::Input(format!(
            "platform.region is {}, and this installation of skydeck works in {}. Install skydeck there, or change the region",
            file.region, context.clients.region
        )));
    }
    // What cannot run can still be removed.
    if start.mode != Mode::Destroy {
        placement::check(&file)?;
    }
    let named_by = format!("{}-{}", file.name, file.environment);
    if named_by != platform {
        return Err(Error::Input(format!(
            "s3://{}/{key} is the file of {named_by}, not of {platform}",
            context.home.bucket
        )));
    }
    let before = if key == own { None } else { context.home.read(&own, None).await?.map(|own| own.version) };
    let mut run = Run {
        id: start.execution,
        execution: start.execution_arn,
        // First it is found out whether the plan still holds.
        mode: if start.plan.is_some() { Mode::Plan } else { start.mode },
        platform,
        spec_version: object.version,
        file: (key != own).then_some(key),
        before,
        approves: start.plan,
        drift: start.drift && start.mode == Mode::Plan,
        refresh_ami,
    };
    preflight(context, &run).await?;
    // A plan writes nothing that another run could disturb.
    if run.purpose() != Mode::Plan {
        lock::acquire(&context.clients, &context.home, &run).await?;
    }
    // Only who holds the lock changes the platform's file: a run that is refused leaves it as it was.
    if named && run.mode == Mode::Apply {
        run = adopted(context, run, object.text).await?;
    }
    Ok(Prepared { run })
}

/// What of an execution's input goes together.
fn check_input(start: &Start, named: bool) -> Result<()> {
    let wrong = |text: &str| Err(Error::Input(text.into()));
    match &start.plan {
        Some(_) if start.refresh_ami => {
            wrong("a plan says itself whether the image is refreshed: `refresh_ami` goes without `plan`")
        }
        Some(_) if start.mode != Mode::Apply => wrong("`plan` goes with mode apply only"),
        plan if named && (plan.is_some() || start.mode == Mode::Destroy) => {
            wrong("`file` and `version` go with mode plan, or apply without `plan`")
        }
        _ => Ok(()),
    }
}

/// Makes a text the platform's own file, unless it is. Returns the run as one that works by it.
pub(super) async fn adopted(context: &Context, run: Run, text: String) -> Result<Run> {
    let own = spec_key(&run.platform);
    let found = context.home.read(&own, None).await?;
    let spec_version = match found.filter(|found| found.text == text) {
        Some(found) => found.version,
        None => context.home.write_text(&own, text).await?,
    };
    Ok(Run { file: None, before: None, spec_version, ..run })
}

/// The version of the platform file that was applied last: one that is uploaded since and yet to be applied is no drift.
async fn applied_version(context: &Context, platform: &str) -> Result<String> {
    let applied = rollout::applied(context, platform).await?;
    let applied = applied.ok_or_else(|| Error::Input(format!("{platform} was not applied yet")))?;
    Ok(applied.spec_version)
}

/// A plan, where the platform's own file is the one that it was made by, or has not been uploaded again since.
async fn unmoved_plan(context: &Context, platform: &str, id: &str) -> Result<Preview> {
    let plan = context.plan(platform, id).await?;
    let file = &plan.file;
    let own = context.home.read(&spec_key(platform), None).await?;
    if own.as_ref().map(|own| &own.version) != file.before.as_ref() {
        let planned = context.home.read(&file.key, Some(&file.version)).await?;
        if own.map(|own| own.text) != planned.map(|planned| planned.text) {
            return Err(Error::Moved { plan: id.into(), moved: vec!["the platform file".into()] });
        }
    }
    Ok(plan)
}

pub(crate) async fn only_platform(context: &Context) -> Result<String> {
    let mut platforms = rollout::platforms(&context.home).await?;
    match (platforms.pop(), platforms.is_empty()) {
        (Some(platform), true) => Ok(platform),
        (None, _) => Err(Error::Input("no platform file was uploaded yet: `skydeck apply FILE` does it".into())),
        (Some(last), false) => Err(Error::Input(format!(
            "there are several platforms, so `platform` must say which one: {}, {last}",
            platforms.join(", ")
        ))),
    }
}
