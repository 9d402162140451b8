//! What people and pipelines read and write of rollouts, outside the functions: with their own credentials.

use std::cmp::Reverse;

use aws_sdk_sfn::types::ExecutionStatus;
use futures::stream::{self, StreamExt, TryStreamExt};
use futures::try_join;
use serde::Serialize;
use skydeck_core::layer::service::repository;
use skydeck_core::rollout::content::Content;
use skydeck_core::rollout::decide::{Asked, Choice, Reason, Running, Situation, choose};
use skydeck_core::rollout::ledger::{Entry, Keys, Rejection};
use skydeck_core::rollout::record::{Liveness, Phase, Record, Suspended};
use skydeck_core::rollout::story::abandoned;
use skydeck_core::rollout::tags::Tags;
use skydeck_core::rollout::trigger::{Cause, Trigger};
use skydeck_core::rollout::wait::{self, Obstacle};
use skydeck_core::scope::Scope;

use super::decide::chosen;
pub use super::read::missing;
use super::survey::{self, Known};
use super::{applied, images, now, read, record, scope_of};
use crate::error::{Error, Explain, Result};
use crate::execution::{SAFE_TO_DECIDE_SECONDS, liveness};
use crate::run::Context;

/// How many objects are read at once.
const AT_ONCE: usize = 16;
/// How many running executions are looked at: more would be no list for a person.
const SHOWN: i32 = 100;
/// How many of the newest tagged images are looked at for the index that lists one without a tag.
const INDEXES: usize = 100;

/// What an order would mean by the account as it is now.
#[derive(Debug)]
pub struct Outlook {
    /// The image, or why there is none.
    pub choice: Result<Choice, Reason>,
    /// Set where nothing but a person deploys that image.
    pub rejected: Option<Rejection>,
    /// The newest image and why it is not the one, where it was rejected and the person names none.
    pub passed_over: Option<(Choice, Rejection)>,
    /// Digest of what the service runs, or of what is being tried.
    pub leaves: Option<String>,
    /// Set while a person holds events and sweep off.
    pub suspended: Option<Suspended>,
}

/// An execution of `rollout` that goes on, or that died with a service's lease in its hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Going {
    /// ARN of the execution.
    pub execution: String,
    /// The service.
    pub service: String,
    /// Why it runs.
    pub cause: Cause,
    /// The image: its digest, or as the order names it.
    pub image: Option<String>,
    /// Where it is; none while it decides, or waits for another.
    pub phase: Option<Phase>,
    /// When it was started, in milliseconds since 1970; none where it runs no more and the sweep will take its place.
    pub started: Option<i64>,
    /// Set where nobody takes its place: why, and what a person can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
}

/// The platform's scope. `machine` is the ARN of anything in its account.
async fn scope(context: &Context, machine: &str, platform: &str) -> Result<(Scope, i64)> {
    let applied = applied(context, platform).await?;
    let applied = applied
        .ok_or_else(|| Error::Input(format!("platform {platform} was not applied yet: `skydeck apply` does it")))?;
    Ok((scope_of(context, platform, &applied, machine)?, applied.since))
}

/// The platform's services.
///
/// # Errors
/// [`Error::Input`] where it was not applied yet, or has no service of that name.
pub async fn services(context: &Context, machine: &str, platform: &str, service: Option<&str>) -> Result<Vec<String>> {
    let (scope, _) = scope(context, machine, platform).await?;
    let known = scope.platform.services.keys().cloned();
    match service {
        None => Ok(known.collect()),
        Some(service) if scope.platform.services.contains_key(service) => Ok(vec![service.to_owned()]),
        Some(service) => Err(read::no_service(platform, service, known)),
    }
}

/// What an order would mean. `machine` is the ARN of the state machine `rollout`.
///
/// # Errors
/// [`Error::Input`] where there is no such platform or service.
pub async fn outlook(context: &Context, machine: &str, keys: Keys<'_>, asked: &Asked<'_>) -> Result<Outlook> {
    let (scope, since) = scope(context, machine, keys.platform).await?;
    let Some(service) = scope.platform.services.get(keys.service) else {
        return Err(read::no_service(keys.platform, keys.service, scope.platform.services.keys().cloned()));
    };
    let clients = &context.clients;
    let repository = repository(&scope, keys.service).unwrap_or_default();
    let tags_key = keys.tags();
    let (images, known, tags) = try_join!(
        images::list(clients, &repository),
        known(context, keys),
        context.home.read_json::<Tags>(&tags_key),
    )?;
    let record = known.record.value;
    let running = match &known.serving {
        Some(serving) => read::running(clients, &scope, keys.service, serving).await?.0,
        None => Running::default(),
    };
    let mut images = images.unwrap_or_default();
    tags.date(&service.image, &mut images);
    images::sift(clients, &repository, &service.image, &mut images, &mut Content::default()).await?;
    let situation = Situation {
        execution: "",
        policy: &service.image,
        images: &images,
        record: &record,
        running: &running,
        holder: Liveness::Gone,
        records_since: since,
    };
    let (choice, about) =
        Box::pin(chosen(context, &scope, keys, asked, &situation, (None, Content::default()))).await?;
    let digest = choice.as_ref().ok().map(|choice| &choice.digest);
    let passed_over = match choose(asked, &situation) {
        Ok(newest) if Some(&newest.digest) != digest => {
            entry(context, keys, &newest.digest).await?.rejected.map(|rejected| (newest, rejected))
        }
        _ => None,
    };
    let rejected = about.entry.rejected.filter(|_| choice.is_ok());
    let leaves = record.lease.as_ref().map(|lease| lease.digest.clone()).or_else(|| running.digest.clone());
    Ok(Outlook { choice, rejected, passed_over, leaves, suspended: record.suspended.clone() })
}

/// Why what lies in the service's repository under this digest becomes no rollout; `None` where it may, or nothing lies there.
///
/// # Errors
/// [`Error::Input`] where there is no such platform or service.
pub async fn obstacle(context: &Context, machine: &str, keys: Keys<'_>, digest: &str) -> Result<Option<Obstacle>> {
    let (scope, _) = scope(context, machine, keys.platform).await?;
    let (clients, repository) = (&context.clients, repository(&scope, keys.service).unwrap_or_default());
    let Some(service) = scope.platform.services.get(keys.service) else { return Ok(None) };
    let Some(image) = images::find(clients, &repository, digest).await? else { return Ok(None) };
    let mut listed = Vec::new();
    if image.tags.is_empty() {
        listed = images::list(clients, &repository).await?.unwrap_or_default();
        listed.sort_by_key(|image| Reverse(image.at));
        listed.truncate(INDEXES);
    }
    let mut content = Content::default();
    let digests: Vec<String> = listed.iter().map(|image| image.digest.clone()).chain([digest.to_owned()]).collect();
    images::read(clients, &repository, &mut content, &digests).await?;
    let index = listed.iter().find(|index| content.lists(&index.digest, digest));
    Ok(wait::obstacle(&image, index, &content, &service.image))
}

/// A service's record, as far as it is about the service that is there now.
///
/// # Errors
/// Where S3 or ECS refuses.
pub async fn record(context: &Context, keys: Keys<'_>) -> Result<Record> {
    Ok(known(context, keys).await?.record.value)
}

/// The records of several services.
///
/// # Errors
/// Where S3 or ECS refuses.
pub async fn records(context: &Context, platform: &str, services: &[String]) -> Result<Vec<(String, Record)>> {
    let known = survey::known(context, platform, services).await?;
    Ok(known.into_iter().map(|known| (known.name, known.record.value)).collect())
}

async fn known(context: &Context, keys: Keys<'_>) -> Result<Known> {
    let known = survey::known(context, keys.platform, &[keys.service.to_owned()]).await?;
    known.into_iter().next().ok_or_else(|| Error::Broken(format!("service {} was not looked at", keys.service)))
}

/// What is known of an image.
///
/// # Errors
/// Where S3 refuses.
pub async fn entry(context: &Context, keys: Keys<'_>, digest: &str) -> Result<Entry> {
    context.home.read_json(&keys.entry(digest)).await
}

/// The ledger's entries that hold a service's last `limit` rollouts, and maybe others.
///
/// # Errors
/// Where S3 refuses.
pub async fn ledger(context: &Context, keys: Keys<'_>, limit: usize) -> Result<Vec<Entry>> {
    let mut found = context.home.list(&keys.ledger()).await?;
    found.sort_by_key(|(_, written)| Reverse(*written));
    // An entry is written for a rollout, and by a person's rollback, which has an entry of its own.
    found.truncate(limit.saturating_mul(2));
    let read = found.into_iter().map(|(key, _)| async move { context.home.read_json::<Entry>(&key).await });
    stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await
}

/// The services of applied platforms that read a parameter, as platform and service. `machine` is the ARN of anything in their
/// account.
///
/// # Errors
/// Where S3 refuses.
pub async fn readers(context: &Context, machine: &str, parameter: &str) -> Result<Vec<(String, String)>> {
    let mut readers = Vec::new();
    for platform in context.home.platforms().await? {
        let Some(applied) = applied(context, &platform).await?.filter(|applied| !applied.gone) else { continue };
        let scope = scope_of(context, &platform, &applied, machine)?;
        let reads = |service: &&String| read::parameters(&scope, service).contains(parameter);
        let services = scope.platform.services.keys().filter(reads);
        readers.extend(services.map(|service| (platform.clone(), service.clone())));
    }
    Ok(readers)
}

/// Holds events and sweep off a service.
///
/// # Errors
/// Where S3 refuses.
pub async fn suspend(context: &Context, keys: Keys<'_>, reason: &str) -> Result<()> {
    let (at, reason) = (now(), reason.to_owned());
    let next = |found: &Record| {
        let suspended = Suspended { at, reason: reason.clone() };
        Some(Record { suspended: Some(suspended), ..found.clone() })
    };
    record::change(&context.home, &keys.record(), next).await.map(drop)
}

/// Lets events and sweep start rollouts of a service again. Returns whether it was suspended.
///
/// # Errors
/// Where S3 refuses.
pub async fn resume(context: &Context, keys: Keys<'_>) -> Result<bool> {
    let next = |found: &Record| found.suspended.is_some().then(|| Record { suspended: None, ..found.clone() });
    Ok(record::change(&context.home, &keys.record(), next).await?.is_some())
}

/// The rollouts of a platform that go on, by the running executions and by the leases in the services' `records`.
///
/// # Errors
/// Where AWS refuses.
pub async fn going(
    context: &Context,
    machine: &str,
    platform: &str,
    records: &[(String, Record)],
) -> Result<Vec<Going>> {
    let (scope, _) = scope(context, machine, platform).await?;
    let sfn = context.clients.sfn();
    let request = sfn.list_executions().state_machine_arn(machine).max_results(SHOWN);
    let found = request.status_filter(ExecutionStatus::Running).send().await.during("list rollouts of", platform)?;
    let mut going = Vec::new();
    for item in found.executions() {
        let started = item.start_date().to_millis().ok();
        if let Some((service, record)) = records.iter().find(|(_, record)| record.holds(item.execution_arn())) {
            going.extend(leased(platform, service, record, started));
            continue;
        }
        let request = sfn.describe_execution().execution_arn(item.execution_arn());
        let input = request.send().await.during("read rollout", item.name())?.input.unwrap_or_default();
        let Some((service, cause, image)) = meant(&scope, &input) else { continue };
        going.push(Going {
            execution: item.execution_arn().into(),
            service,
            cause,
            image,
            phase: None,
            started,
            given_up: None,
        });
    }
    let known: Vec<String> = going.iter().map(|going| going.execution.clone()).collect();
    let rest = records.iter().filter_map(|(service, record)| leased(platform, service, record, None));
    for died in rest.filter(|rest| !known.contains(&rest.execution)) {
        match liveness(&context.clients, &died.execution, SAFE_TO_DECIDE_SECONDS, 0).await? {
            Liveness::Running => going.push(Going { started: Some(now()), given_up: None, ..died }),
            // It may have given its lease back since that was read.
            Liveness::EndedLately if died.given_up.is_none() => {
                let key = Keys { platform, service: &died.service }.record();
                if context.home.read_json::<Record>(&key).await?.holds(&died.execution) {
                    going.push(died);
                }
            }
            Liveness::EndedLately | Liveness::Gone => going.push(died),
        }
    }
    Ok(going)
}

fn leased(platform: &str, service: &str, record: &Record, started: Option<i64>) -> Option<Going> {
    let lease = record.lease.as_ref()?;
    Some(Going {
        execution: lease.execution.clone(),
        service: service.to_owned(),
        cause: lease.cause,
        image: Some(lease.digest.clone()),
        phase: Some(lease.phase),
        started,
        given_up: (lease.told && started.is_none()).then(|| abandoned(platform, service, lease)),
    })
}

/// The service of this platform that an execution's input is about, why, and the image that it names.
fn meant(scope: &Scope, input: &str) -> Option<(String, Cause, Option<String>)> {
    match Trigger::parse(&serde_json::from_str(input).ok()?).ok()? {
        Trigger::Order(order) => {
            let ours = order.platform.is_none_or(|platform| platform == scope.prefix());
            (ours && scope.platform.services.contains_key(&order.service)).then_some((
                order.service,
                order.cause,
                order.image,
            ))
        }
        Trigger::Event(event) => {
            // What is nobody's business has ended by the time that it is shown.
            let push = event.push().ok()?;
            let mut services = scope.platform.services.keys();
            let is_its = |service: &&String| repository(scope, service).as_ref() == Some(&push.repository);
            services.find(is_its).map(|service| (service.clone(), Cause::Push, Some(push.digest.clone())))
        }
    }
}
