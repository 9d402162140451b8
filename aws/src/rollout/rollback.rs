//! `RollBack`: gives the service back what served before.

use skydeck_core::layer::identity::is_of_platforms;
use skydeck_core::layer::service::{Definition, Placement, repository, short, wanted_settings};
use skydeck_core::rollout::decide::Choice;
use skydeck_core::rollout::record::{Phase, Record, Verified};
use skydeck_core::rollout::release::{definition, way_back, ways_back};
use skydeck_core::rollout::run::{Failing, Released, Rollout};
use skydeck_core::scope::{Scope, TAG_INSTALLATION};
use skydeck_core::verdict::{Fault, Verification};

use super::release::place;
use super::{applied, images, keys, read, record, scope_of};
use crate::error::{Error, Result};
use crate::home::Swap;
use crate::layer::service::{Revision, describe, register};
use crate::run::Context;

/// Rejects the image where it is at fault, and returns to what was verified last; where there is nothing, the service is scaled
/// to zero, since what does not serve should not go on failing.
///
/// # Errors
/// Where AWS refuses.
pub async fn rollback(context: &Context, failing: Failing) -> Result<Released> {
    let was_denied = failing.was_denied();
    let Failing { rollout, released, verification, .. } = failing;
    let (home, key, me) = (&context.home, keys(&rollout).record(), &rollout.execution);
    let left = Released { superseded: true, ..Released::default() };
    let serving = read::own(&context.clients, &rollout).await?;
    // Another one of the same name is none of this rollout's business.
    if serving.as_ref().is_some_and(|serving| read::is_other(&rollout, serving)) {
        return Ok(left);
    }
    let Some(held) = take(context, &rollout, released.as_deref()).await? else { return Ok(left) };
    // With the lease in hand and before the service is written to: whoever takes over from here on knows that the image is bad.
    reject(context, &rollout, &held, verification.as_ref()).await?;
    let target = target(context, &rollout, &held).await?;
    // What was denied once would be denied again, and there is nothing to undo.
    let untouched = was_denied && serving.is_some_and(|serving| stands(&serving, target.as_ref()));
    if !untouched && !give(context, &rollout, target.as_ref()).await? {
        return Ok(left);
    }
    let returning = |found: &Record| found.moved(me, Phase::Returning, None);
    let held = record::hold(home, &key, me, returning).await?;
    let (definition, digest) = target.map(|Target { revision, .. }| (revision.definition, revision.digest)).unzip();
    Ok(Released { definition, digest, superseded: held.is_none(), untouched })
}

/// Whether the service is what the rollback would make of it.
fn stands(serving: &read::Serving, target: Option<&Target>) -> bool {
    match target {
        Some(Target { revision, placed }) => {
            serving.definition == revision.definition
                && placed.as_ref().is_none_or(|placed| serving.placement == *placed)
        }
        None => serving.desired == 0,
    }
}

/// Gives the service what it goes back to. `false` where it is gone.
async fn give(context: &Context, rollout: &Rollout, target: Option<&Target>) -> Result<bool> {
    let request = context.clients.ecs().update_service();
    let request = match target {
        Some(Target { revision, placed: Some(placed) }) => {
            place(request.task_definition(&revision.definition), placed)?
        }
        Some(Target { revision, placed: None }) => request.task_definition(&revision.definition),
        None => request.desired_count(0),
    };
    read::update(&context.clients, rollout, request, "roll back service").await
}

/// Takes the lease's next phase; `None` where somebody else has it by now. A rollout that died is finished by whoever finds it, in
/// its place.
async fn take(context: &Context, rollout: &Rollout, released: Option<&str>) -> Result<Option<Record>> {
    let (home, key, me) = (&context.home, keys(rollout).record(), &rollout.execution);
    let before = home.read_json::<Record>(&key).await?;
    if !rollout.returns || before.holds(me) {
        return record::hold(home, &key, me, |found| found.moved(me, Phase::RollingBack, released)).await;
    }
    let Some(adopted) = before.adopted(me) else { return Ok(None) };
    let done = record::swap(home, &key, rollout.etag.as_deref(), &adopted).await?;
    Ok((done == Swap::Done).then_some(adopted))
}

/// What a rollback goes to.
struct Target {
    revision: Verified,
    /// How the service is placed with it, where that has to be set anew.
    placed: Option<Placement>,
}

/// The best of what was verified whose image is still there, as a revision that a deployment can be made of.
async fn target(context: &Context, rollout: &Rollout, held: &Record) -> Result<Option<Target>> {
    let lease = held.lease.as_ref();
    let released = lease.and_then(|lease| lease.released.as_deref());
    let placed = lease.and_then(|lease| lease.placed.clone());
    let scope = match applied(context, &rollout.platform).await? {
        Some(applied) => Some(scope_of(context, &rollout.platform, &applied, &rollout.execution)?),
        None => None,
    };
    let gone = gone(context, rollout, scope.as_ref(), ways_back(held, released)).await;
    let Some(revision) = way_back(held, released, &gone) else { return Ok(None) };
    match find(context, &revision.definition).await? {
        Some(found) if found.active && may_pass(&context.clients.region, &found.definition) => {
            Ok(Some(Target { revision, placed }))
        }
        found => renew(context, rollout, scope.as_ref(), revision, found, placed).await.map(Some),
    }
}

/// Images of these revisions that the repository has no more. Where that cannot be seen they count as there: a rollback does not
/// depend on it.
async fn gone<'a>(
    context: &Context,
    rollout: &Rollout,
    scope: Option<&Scope>,
    revisions: impl Iterator<Item = &'a Verified>,
) -> Vec<String> {
    let Some(repository) = scope.and_then(|scope| repository(scope, &rollout.service)) else { return Vec::new() };
    let mut digests: Vec<String> = revisions.map(|revision| revision.digest.clone()).collect();
    digests.sort_unstable();
    digests.dedup();
    let gone = images::gone(&context.clients, &repository, &digests).await;
    gone.unwrap_or_else(|error| {
        tracing::warn!("whether the images of {} are still there: {error}", rollout.service);
        Vec::new()
    })
}

/// Whether skydeck may give the revision's roles to ECS. A person's may name others.
fn may_pass(region: &str, definition: &Definition) -> bool {
    let settings = &definition.settings;
    [&settings.execution_role, &settings.task_role].iter().all(|role| role.is_empty() || is_of_platforms(region, role))
}

/// A revision as far as ECS still has it.
async fn find(context: &Context, arn: &str) -> Result<Option<Revision>> {
    match describe(context.clients.ecs(), arn).await {
        Ok(found) => Ok(Some(found)),
        // It was deleted altogether.
        Err(error) if error.says("ClientException", "Unable to describe") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Registers anew a revision that was deregistered, or whose roles skydeck may not pass: by its own text under the platform's
/// roles, or, where ECS has that no more, by the platform file. The record names the new one before the service is given it.
async fn renew(
    context: &Context,
    rollout: &Rollout,
    scope: Option<&Scope>,
    old: Verified,
    found: Option<Revision>,
    placed: Option<Placement>,
) -> Result<Target> {
    let known = found.map(|found| found.definition).filter(|definition| definition.settings.container.is_some());
    let (mut wanted, placed) = match (known, scope) {
        (Some(known), _) => (known, placed),
        (None, Some(scope)) => {
            let choice = Choice { digest: old.digest.clone(), tag: None };
            let wanted = definition(scope, &rollout.service, &choice, None, &rollout.execution)?;
            // Where the load balancer sends to is the file's port as well.
            let placed = placed.map(|_| wanted_settings(scope, &rollout.service)).transpose()?;
            (wanted, placed.map(|(_, placement)| placement))
        }
        (None, None) => {
            let why = format!("{} was deleted, and no platform file says what it was", short(&old.definition));
            return Err(Error::Input(why));
        }
    };
    let region = &context.clients.region;
    if let Some(scope) = scope.filter(|_| !may_pass(region, &wanted)) {
        let ours = wanted_settings(scope, &rollout.service)?.0;
        (wanted.settings.execution_role, wanted.settings.task_role) = (ours.execution_role, ours.task_role);
    }
    // A person's revision may lack it, and nothing is made without it.
    wanted.tags.insert(TAG_INSTALLATION.into(), region.clone());
    let family = short(&old.definition).split(':').next().unwrap_or_default();
    let arn = register(context.clients.ecs(), family, &wanted).await?;
    let renewed = |found: &Record| Some(found.renewed(&old.definition, &arn));
    record::hold(&context.home, &keys(rollout).record(), &rollout.execution, renewed).await?;
    Ok(Target { revision: Verified { definition: arn, digest: old.digest }, placed })
}

/// Remembers an image as rejected, where that is what the verdict means: it is at fault, and it is not the image that is
/// returned to.
async fn reject(
    context: &Context,
    rollout: &Rollout,
    found: &Record,
    verification: Option<&Verification>,
) -> Result<()> {
    let Some(seen) = verification.filter(|seen| seen.fault == Some(Fault::Image)) else { return Ok(()) };
    let before = found.lease.as_ref().and_then(|lease| lease.before.as_ref());
    if !found.holds(&rollout.execution) || before.is_some_and(|before| before.digest == rollout.digest) {
        return Ok(());
    }
    record::reject(&context.home, rollout, &rollout.digest, &seen.summary).await
}
