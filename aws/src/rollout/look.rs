//! `Look`: what a service runs after a release, and how far that has come up. Writes nothing.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as ecs;
use futures::try_join;
use skydeck_core::rollout::manifest::Manifest;
use skydeck_core::rollout::record::Record;
use skydeck_core::rollout::run::Look;
use skydeck_core::rollout::stop::{Kind, Stop, known_line};
use skydeck_core::rollout::verdict::{Observation, Released, gone, look as judge};
use skydeck_core::scope::Scope;
use skydeck_core::verdict::{Patience, Questions, Round, Status, Streak, Verification};

use super::{keys, read, room, scope};
use crate::error::{Error, Explain, Result};
use crate::layer::service::{describe, described};
use crate::number;
use crate::run::{Context, stop, targets, tasks};

/// How many lines of a log are read: a program that could not be started has left one.
const LAST_LINES: i32 = 10;

/// One look at what was released.
///
/// # Errors
/// Where AWS refuses.
pub async fn look(context: &Context, asked: Look) -> Result<Verification> {
    let Look { rollout, definition, digest, round, verification, before } = asked;
    let key = keys(&rollout).record();
    let (scope, found) = try_join!(scope(context, &rollout), context.home.read_json::<Record>(&key))?;
    let see = see(context, &scope, &rollout.service, &definition, (&digest, rollout.began));
    let mut observed = match see.await {
        Ok(observed) => observed,
        // With a service its targets and its cluster may go.
        Err(_) if read::is_gone(&context.clients, &rollout).await? => return Ok(gone(&rollout.service, round)),
        Err(error) => return Err(error),
    };
    observed.holds = found.holds(&rollout.execution);
    let released = Released { service: &rollout.service, definition: &definition };
    let questions = Questions::of(&scope, [rollout.service.as_str()]);
    let streak = match verification {
        Some(verification) => verification.streak,
        // Answers that were bad before the release are no fault of what was released.
        None => Streak {
            lenient: before.is_some_and(|before| before.asks && before.status != Status::Serving),
            checked: Some(is_checked(context, &definition).await?),
            ..Streak::default()
        },
    };
    let service = scope.platform.services.get(&rollout.service);
    let patience = service.map(|service| Patience::of(service, observed.desired)).unwrap_or_default();
    Ok(judge(&released, &observed, Round { number: round, patience }, &streak, questions))
}

/// Whether a definition has a container check: of a task that is not healthy yet, ECS says the same as of one without.
async fn is_checked(context: &Context, definition: &str) -> Result<bool> {
    let container = describe(context.clients.ecs(), definition).await?.definition.settings.container;
    Ok(container.is_some_and(|container| container.health.is_some()))
}

async fn see(
    context: &Context,
    scope: &Scope,
    name: &str,
    definition: &str,
    (digest, began): (&str, i64),
) -> Result<Observation> {
    let clients = &context.clients;
    let (cluster, names) = (scope.prefix(), [name.to_owned()]);
    let (services, wanted, targets, stopped) = try_join!(
        described(clients.ecs(), &cluster, &names),
        tasks(clients, scope, name, ecs::DesiredStatus::Running),
        targets(clients, scope, name),
        tasks(clients, scope, name, ecs::DesiredStatus::Stopped),
    )?;
    let away = || Error::NotYet(format!("service {name}, which ECS does not show"));
    let service = services.iter().find(|found| found.status() == Some("ACTIVE")).ok_or_else(away)?;
    let is_ours = |task: &&ecs::Task| task.task_definition_arn() == Some(definition);
    let runs = |task: &&ecs::Task| task.last_status() == Some("RUNNING");
    let running: Vec<&ecs::Task> = wanted.iter().filter(is_ours).filter(runs).collect();
    let deployment = service.deployments().iter().find(|found| found.task_definition() == Some(definition));
    let failed = deployment.filter(|found| found.rollout_state() == Some(&ecs::DeploymentRolloutState::Failed));
    let since = |event: &&ecs::ServiceEvent| {
        event.created_at().and_then(|at| at.to_millis().ok()).is_some_and(|at| at >= began)
    };
    let event = service.events().first().filter(since).and_then(|event| event.message());
    let event = event.filter(|text| text.contains("unable to"));
    let says = |health: ecs::HealthStatus| running.iter().filter(|task| task.health_status() == Some(&health)).count();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut observed = Observation {
        holds: false,
        definition: service.task_definition().unwrap_or_default().to_owned(),
        desired: number::from_aws(Some(service.desired_count())),
        running: count(running.len()),
        others: count(wanted.iter().filter(|task| !is_ours(task)).count()),
        stranger: None,
        youngest: running.iter().filter_map(|task| task.started_at()?.to_millis().ok()).max(),
        passing: count(says(ecs::HealthStatus::Healthy)),
        failing: count(says(ecs::HealthStatus::Unhealthy)),
        ports: running.iter().flat_map(|task| ports(task)).collect(),
        targets,
        stops: stops(context, scope, name, &stopped.iter().filter(is_ours).collect::<Vec<_>>(), began).await,
        given_up: failed.map(|found| found.rollout_state_reason().unwrap_or("ECS gave the deployment up").to_owned()),
        event: event.map(ToOwned::to_owned),
        waiting: count(wanted.iter().filter(is_ours).filter(|task| task.last_status() == Some("PROVISIONING")).count()),
        failed_launch: None,
        full: false,
    };
    if observed.running < observed.desired && (observed.waiting > 0 || observed.event.is_some()) {
        let shortage = room::shortage(clients, scope, name).await?;
        (observed.full, observed.failed_launch) = (shortage.full, shortage.failed_launch);
    }
    let reported: BTreeSet<&str> =
        running.iter().flat_map(|task| task.containers()).filter_map(|container| container.image_digest()).collect();
    if reported.iter().any(|reported| *reported != digest) && observed.definition == definition {
        // ECS may report the image that it took out of the index.
        let manifest = read::manifest(clients, scope, name, digest).await?;
        let parts = manifest.as_deref().map(Manifest::parse);
        let parts = parts.as_ref().map(Manifest::parts).unwrap_or_default();
        let stranger = reported.iter().find(|reported| **reported != digest && !parts.contains(reported));
        observed.stranger = stranger.map(|digest| (*digest).to_owned());
    }
    Ok(observed)
}

/// Tasks that have stopped since. Of the last one that ended by itself the log is asked too: of a program for another processor ECS says
/// no more than that it ended.
async fn stops(context: &Context, scope: &Scope, service: &str, tasks: &[&ecs::Task], began: i64) -> Vec<Stop> {
    let mut stops: Vec<(Stop, &ecs::Task)> = tasks.iter().map(|task| (stop(task, ""), *task)).collect();
    stops.retain(|(stop, _)| stop.at >= began);
    let exited = stops.iter_mut().filter(|(stop, _)| stop.kind == Kind::Exit).max_by_key(|(stop, _)| stop.at);
    if let Some((last, task)) = exited
        && let Some(line) = known_of_log(context, scope, service, task).await
    {
        *last = stop(task, line);
    }
    stops.into_iter().map(|(stop, _)| stop).collect()
}

/// What is known of a task's log; `None` too where it cannot be read, which says nothing of the task.
async fn known_of_log(context: &Context, scope: &Scope, service: &str, task: &ecs::Task) -> Option<&'static str> {
    let group = &scope.facts.cluster.as_ref()?.log_group;
    let id = task.task_arn()?.rsplit('/').next()?;
    // As the log driver names it: its prefix and the container, which are both called like the service.
    let stream = format!("{service}/{service}/{id}");
    let request =
        context.clients.logs().get_log_events().log_group_name(group).log_stream_name(&stream).limit(LAST_LINES);
    let answer = request.send().await.during("read log", &stream);
    let answer = answer.inspect_err(|error| tracing::warn!("why a task ended stays unknown: {error}")).ok()?;
    known_line(answer.events().iter().filter_map(|event| event.message()))
}

/// Host ports of a task.
fn ports(task: &ecs::Task) -> Vec<u16> {
    let bindings = task.containers().iter().flat_map(|container| container.network_bindings());
    bindings.map(|binding| number::port(binding.host_port())).collect()
}
