//! `Release`: takes the service's lease, registers the next revision, and gives it to the service.

use std::time::Duration;

use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder;
use futures::try_join;
use skydeck_core::layer::service::{Placement, family, wanted_settings};
use skydeck_core::rollout::decide::Choice;
use skydeck_core::rollout::record::{Phase, Record};
use skydeck_core::rollout::release::definition;
use skydeck_core::rollout::run::{Released, Rollout};
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::scope::Scope;
use skydeck_core::scope::TAG_EXECUTION;

use super::{keys, now, read, record, room, scope, tell};
use crate::error::{Error, Explain, Result};
use crate::home::Swap;
use crate::layer::service::{capacity, describe, load_balancers, register};
use crate::number;
use crate::run::Context;

/// Milliseconds for which what was decided by counts as what is: no service is deleted and made again that fast.
const FRESH: i64 = 30_000;

/// Releases what was decided. Before it writes, it takes the lease of the service's record as it was when that was decided.
///
/// # Errors
/// [`Error::Stale`] where the record has changed since, or the service is another one, so that it has to be decided again.
pub async fn release(context: &Context, rollout: Rollout) -> Result<Released> {
    if starts_many(&rollout) {
        wait_for_instances(context, &rollout).await?;
    }
    let is_another = async {
        // What was read of the service a moment ago need not be read again.
        let is_fresh = now() - rollout.began < FRESH;
        if is_fresh { Ok(false) } else { read::is_another(&context.clients, &rollout).await }
    };
    let (scope, again, is_another) = try_join!(scope(context, &rollout), take(context, &rollout), is_another)?;
    if is_another {
        return Err(Error::Stale(format!("a new service {}", rollout.service)));
    }
    if !scope.platform.services.contains_key(&rollout.service) {
        return Ok(Released { superseded: true, ..Released::default() });
    }
    if rollout.cause == Cause::Rollback {
        reject_left(context, &rollout).await?;
    }
    let known = if again { registered(context, &scope, &rollout).await? } else { None };
    let arn = match known {
        Some(arn) => arn,
        None => {
            let choice = Choice { digest: rollout.digest.clone(), tag: rollout.tag.clone() };
            let wanted = definition(&scope, &rollout.service, &choice, rollout.pushed_at, &rollout.execution)?;
            register(context.clients.ecs(), &family(&scope, &rollout.service), &wanted).await?
        }
    };
    let request = request(context, &scope, &rollout)?.task_definition(&arn);
    if !read::update(&context.clients, &rollout, request, "release to service").await? {
        return Ok(Released {
            definition: Some(arn),
            digest: Some(rollout.digest),
            superseded: true,
            ..Released::default()
        });
    }
    let verifying = |found: &Record| found.moved(&rollout.execution, Phase::Verifying, Some(&arn));
    let held = record::hold(&context.home, &keys(&rollout).record(), &rollout.execution, verifying).await?;
    if let Err(error) = tell::started(context, &rollout, &arn).await {
        // Nobody was told, and the image may serve all the same.
        tracing::warn!("after the release: {error}");
    }
    let (definition, digest) = (Some(arn), Some(rollout.digest.clone()));
    Ok(Released { definition, digest, superseded: held.is_none(), ..Released::default() })
}

/// How long a service's first tasks wait for an instance that has just been started. One that has not joined by then may never.
const JOINS_WITHIN: Duration = Duration::from_secs(4 * 60);

/// Whether several tasks start at once where none runs. ECS spreads them over the instances that are there at that moment, and
/// moves none of them later.
fn starts_many(rollout: &Rollout) -> bool {
    rollout.running.is_none() && rollout.desired.is_some_and(|desired| desired > 1)
}

/// Waits until the instances that the group has already can take tasks.
async fn wait_for_instances(context: &Context, rollout: &Rollout) -> Result<()> {
    let waited = Duration::from_millis(u64::try_from(now() - rollout.began).unwrap_or_default());
    if waited >= JOINS_WITHIN {
        return Ok(());
    }
    match room::joining(&context.clients, &scope(context, rollout).await?).await? {
        Some(instance) => Err(Error::NotYet(format!("instance {instance} to join the cluster"))),
        None => Ok(()),
    }
}

/// Takes the lease; returns whether this execution had it already, from an attempt whose answer was lost. What is replaced is the
/// record as it was when this was decided, and no other.
async fn take(context: &Context, rollout: &Rollout) -> Result<bool> {
    let key = keys(rollout).record();
    let (running, passed_over) = (rollout.running.clone(), rollout.passed_over.clone());
    let taken = rollout.record.taken(&rollout.execution, &rollout.digest, rollout.cause, running, passed_over);
    let taken = taken.placed(rollout.placed.as_ref());
    if record::swap(&context.home, &key, rollout.etag.as_deref(), &taken).await? == Swap::Done {
        return Ok(false);
    }
    // An attempt of this execution may have come as far as verifying, where anybody may take over: it says again that it writes.
    let again = |found: &Record| found.moved(&rollout.execution, Phase::Releasing, None);
    match record::hold(&context.home, &key, &rollout.execution, again).await? {
        Some(_) => Ok(true),
        None => Err(Error::Stale(format!("another rollout of service {}", rollout.service))),
    }
}

/// A person's rollback rejects the image that it leaves.
async fn reject_left(context: &Context, rollout: &Rollout) -> Result<()> {
    let Some(left) = rollout.running.as_ref().filter(|left| left.digest != rollout.digest) else { return Ok(()) };
    record::reject(&context.home, rollout, &left.digest, "a person rolled back from it").await
}

/// The revision that an attempt of this execution registered whose answer was lost.
async fn registered(context: &Context, scope: &Scope, rollout: &Rollout) -> Result<Option<String>> {
    let family = &family(scope, &rollout.service);
    let request = context.clients.ecs().list_task_definitions().family_prefix(family).max_results(1);
    let request = request.sort(aws_sdk_ecs::types::SortOrder::Desc);
    let answer = request.send().await.during("list task definitions of", family)?;
    let Some(newest) = answer.task_definition_arns().first() else { return Ok(None) };
    let found = describe(context.clients.ecs(), newest).await?;
    Ok((found.definition.tags.get(TAG_EXECUTION) == Some(&rollout.execution)).then_some(found.arn))
}

fn request(context: &Context, scope: &Scope, rollout: &Rollout) -> Result<UpdateServiceFluentBuilder> {
    let request = context.clients.ecs().update_service();
    let request = request.set_desired_count(rollout.desired.map(number::to_aws));
    match rollout.placed {
        Some(_) => place(request, &wanted_settings(scope, &rollout.service)?.1),
        None => Ok(request),
    }
}

/// Sets load balancers and capacity with the task definition: ECS refuses a container port that the definition does not have.
pub(super) fn place(request: UpdateServiceFluentBuilder, placement: &Placement) -> Result<UpdateServiceFluentBuilder> {
    Ok(request
        .set_capacity_provider_strategy(Some(capacity(placement)?))
        .set_load_balancers(Some(load_balancers(placement)))
        // Another capacity provider holds for new tasks only, and ECS wants that said.
        .force_new_deployment(true))
}
