//! `Settle`: remembers how a rollout ended, gives the lease back, and tidies up.

use aws_sdk_ecr::types::ImageIdentifier;
use futures::future::try_join_all;
use skydeck_core::layer::service::{family, repository};
use skydeck_core::rollout::ledger::{Entry, Past, Rejection, Verdict};
use skydeck_core::rollout::record::{Record, Verified};
use skydeck_core::rollout::release::{expendable, keep_tag};
use skydeck_core::rollout::run::{Result as Ended, Rollout, Settlement};
use skydeck_core::rollout::story::story;
use skydeck_core::scope::Scope;
use skydeck_core::verdict::Fault;

use super::{keys, now, read, record, scope, tell};
use crate::error::{Explain, Result, tolerate};
use crate::run::Context;

/// Ends a rollout. Every step may be repeated.
///
/// # Errors
/// Where AWS refuses.
pub async fn settle(context: &Context, mut ended: Settlement) -> Result<Ended> {
    let rollout = ended.rollout.clone();
    let (home, key, me) = (&context.home, keys(&rollout).record(), &rollout.execution);
    if ended.verdict == Verdict::Succeeded {
        let scope = scope(context, &rollout).await?;
        if !succeed(context, &scope, &rollout, ended.released.as_deref()).await? {
            ended.verdict = Verdict::Superseded;
        }
    } else if ended.verdict != Verdict::RolledBack || ended.returned.is_some() {
        record::hold(home, &key, me, |found| found.freed(me)).await?;
    }
    // A service that could not be rolled back keeps the lease of an execution that has ended: the sweep finds it by that.
    let reason = story(&ended);
    let fault = ended.verification.as_ref().and_then(|seen| seen.fault);
    let checks = ended.verification.map(|seen| seen.checks).unwrap_or_default();
    let past = Past {
        execution: me.clone(),
        cause: rollout.cause,
        tag: rollout.tag.clone(),
        definition: ended.released,
        began: rollout.began,
        ended: now(),
        verdict: ended.verdict,
        reason: reason.clone(),
        checks: checks.clone(),
    };
    let unfit = ended.verdict == Verdict::Refused && fault == Some(Fault::Image);
    let rejection = Rejection { at: past.ended, execution: me.clone(), reason: reason.clone() };
    let seconds = u64::try_from((past.ended - past.began).max(0)).unwrap_or_default().div_ceil(1000);
    let next = |entry: &Entry| {
        let entry = if unfit { entry.rejecting(&rollout.digest, rejection.clone()) } else { entry.clone() };
        Some(entry.with(&rollout.digest, past.clone()))
    };
    let entry = record::change(home, &keys(&rollout).entry(&rollout.digest), next).await?;
    let ended = Ended {
        platform: rollout.platform.clone(),
        service: rollout.service.clone(),
        verdict: ended.verdict,
        cause: rollout.cause,
        digest: rollout.digest.clone(),
        tag: rollout.tag.clone(),
        seconds,
        reason,
        rejected: entry.is_some_and(|entry| entry.rejected.is_some()),
        fault,
        checks,
    };
    tell::ended(context, &rollout, &ended).await?;
    Ok(ended)
}

/// Keeps the image, remembers the revision, and removes what nobody needs any more. Returns whether the service was still this
/// rollout's.
async fn succeed(context: &Context, scope: &Scope, rollout: &Rollout, released: Option<&str>) -> Result<bool> {
    keep(context, scope, rollout).await?;
    let definition = released.unwrap_or_default().to_owned();
    let verified = Verified { definition, digest: rollout.digest.clone() };
    let (key, me) = (keys(rollout).record(), &rollout.execution);
    let next = |found: &Record| found.succeeded(me, verified.clone());
    let record = match record::hold(&context.home, &key, me, next).await? {
        Some(record) => record,
        // An attempt before this one has come so far, and its answer was lost.
        None => {
            let found = context.home.read_json::<Record>(&key).await?;
            if found.verified.first() != Some(&verified) || found.lease.is_some() {
                return Ok(false);
            }
            found
        }
    };
    forget(context, scope, rollout, &record).await?;
    deregister(context, scope, rollout, &record).await?;
    Ok(true)
}

/// Puts the tag on the image that keeps it from the repository's lifecycle rules.
async fn keep(context: &Context, scope: &Scope, rollout: &Rollout) -> Result<()> {
    let (Some(repository), Some(manifest)) = (
        repository(scope, &rollout.service),
        read::manifest(&context.clients, scope, &rollout.service, &rollout.digest).await?,
    ) else {
        return Ok(());
    };
    let request = context.clients.ecr.put_image().repository_name(&repository).image_digest(&rollout.digest);
    let request = request.image_manifest(manifest).image_tag(keep_tag(&rollout.digest));
    // It bears the tag already.
    let known = ["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"];
    tolerate(request.send().await.during("keep image of", &repository), &known).map(drop)
}

/// Takes the tag off the images that no rollback needs any more.
async fn forget(context: &Context, scope: &Scope, rollout: &Rollout, record: &Record) -> Result<()> {
    let Some(repository) = repository(scope, &rollout.service) else { return Ok(()) };
    let kept = record.kept();
    let old = record.verified.iter().map(|verified| verified.digest.as_str()).find(|digest| !kept.contains(digest));
    let Some(old) = old else { return Ok(()) };
    let tag = ImageIdentifier::builder().image_tag(keep_tag(old)).build();
    let request = context.clients.ecr.batch_delete_image().repository_name(&repository).image_ids(tag);
    request.send().await.during("let go of an image of", &repository).map(drop)
}

/// Deregisters revisions beyond the number in the platform file.
async fn deregister(context: &Context, scope: &Scope, rollout: &Rollout, record: &Record) -> Result<()> {
    let Some(service) = scope.platform.services.get(&rollout.service) else { return Ok(()) };
    let (ecs, family) = (&context.clients.ecs, family(scope, &rollout.service));
    let request = ecs.list_task_definitions().family_prefix(&family).sort(aws_sdk_ecs::types::SortOrder::Desc);
    let active: std::result::Result<Vec<String>, _> = request.into_paginator().items().send().collect().await;
    let active = active.during("list task definitions of", &family)?;
    let kept = record.kept();
    let needed = record.verified.iter().filter(|verified| kept.contains(&verified.digest.as_str()));
    let needed: Vec<&str> = needed.map(|verified| verified.definition.as_str()).collect();
    let calls = expendable(&active, service.keep_revisions, &needed).into_iter().map(|arn| async move {
        let request = ecs.deregister_task_definition().task_definition(&arn);
        request.send().await.during("deregister task definition", &arn).map(drop)
    });
    try_join_all(calls).await.map(drop)
}
