//! What every rollout leaves behind has a bound: revisions of the task definition, and entries of the ledger. See docs/growth.md.

use std::cmp::Reverse;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{SortOrder, TaskDefinitionStatus};
use futures::future::try_join_all;
use skydeck_core::layer::service::{family, repository};
use skydeck_core::rollout::ledger::bygone;
use skydeck_core::rollout::record::Record;
use skydeck_core::rollout::release::{deletable, expendable};
use skydeck_core::rollout::run::{Rollout, Settlement};
use skydeck_core::scope::Scope;

use super::{images, keys};
use crate::error::{Explain, Result};
use crate::layer::service::delete_definitions;
use crate::run::Context;

/// How many revisions one call deletes
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html>).
const REVISIONS: usize = 10;
/// How many deregistered revisions, and how many entries, one rollout deletes: what is more is the next one's.
const PAGE: i32 = 100;
const ENTRIES: usize = 100;

/// Deregisters revisions beyond the number in the platform file, and deletes what was deregistered.
pub(super) async fn revisions(context: &Context, scope: &Scope, ended: &Settlement, record: &Record) -> Result<()> {
    let Some(service) = scope.platform.services.get(&ended.rollout.service) else { return Ok(()) };
    let (ecs, family) = (context.clients.ecs(), family(scope, &ended.rollout.service));
    let active = list(ecs, &family, TaskDefinitionStatus::Active).await?;
    // What the service has now, verified or not.
    let returned = ended.returned.as_ref().and_then(|returned| returned.definition.as_deref());
    let mut needed: Vec<&str> = ended.released.as_deref().into_iter().chain(returned).collect();
    let kept = record.kept();
    let verified = record.verified.iter().filter(|verified| kept.contains(&verified.digest.as_str()));
    needed.extend(verified.map(|verified| verified.definition.as_str()));
    let calls = expendable(&active, service.keep_revisions, &needed).into_iter().map(|arn| async move {
        let request = ecs.deregister_task_definition().task_definition(&arn);
        request.send().await.during("deregister task definition", &arn).map(drop)
    });
    try_join_all(calls).await?;
    let inactive = list(ecs, &family, TaskDefinitionStatus::Inactive).await?;
    for arns in deletable(&inactive, record, &needed).chunks(REVISIONS) {
        delete_definitions(ecs, &family, arns).await?;
    }
    Ok(())
}

/// Revisions of a family, newest first: of those that were deregistered one page.
async fn list(ecs: &Client, family: &str, status: TaskDefinitionStatus) -> Result<Vec<String>> {
    let is_active = status == TaskDefinitionStatus::Active;
    let request = ecs.list_task_definitions().family_prefix(family).status(status).sort(SortOrder::Desc);
    if is_active {
        let pages = request.into_paginator().items().send().collect::<std::result::Result<Vec<_>, _>>();
        return pages.await.during("list task definitions of", family);
    }
    let answer = request.max_results(PAGE).send().await.during("list task definitions of", family)?;
    Ok(answer.task_definition_arns.unwrap_or_default())
}

/// Deletes old entries of images that are not in ECR any more.
pub(super) async fn ledger(context: &Context, scope: &Scope, rollout: &Rollout) -> Result<()> {
    let (home, keys) = (&context.home, keys(rollout));
    let mut entries = home.list(&keys.ledger()).await?;
    entries.sort_by_key(|(_, written)| Reverse(*written));
    let entries: Vec<String> = entries.into_iter().map(|(key, _)| key).collect();
    // Few enough: ECR need not be asked.
    if bygone(&entries, |_| false).is_empty() {
        return Ok(());
    }
    let repository = repository(scope, &rollout.service).unwrap_or_default();
    let there: Vec<String> =
        images::digests(&context.clients, &repository).await?.iter().map(|digest| keys.entry(digest)).collect();
    let gone = bygone(&entries, |key| there.iter().any(|there| there == key));
    try_join_all(gone.iter().take(ENTRIES).map(|key| home.forget(key))).await.map(drop)
}
