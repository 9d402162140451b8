//! `Look`: what a service runs after a release, and how far that has come up. Writes nothing.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as ecs;
use futures::try_join;
use skydeck_core::rollout::manifest::Manifest;
use skydeck_core::rollout::record::Record;
use skydeck_core::rollout::run::Look;
use skydeck_core::rollout::verdict::{Released, Sight, gone, look as judge};
use skydeck_core::scope::Scope;
use skydeck_core::verdict::{Patience, Questions, Round, Status, Streak, Verification};

use super::{keys, read, room, scope};
use crate::error::{Error, Explain, Result};
use crate::number;
use crate::run::{Context, stop, targets, tasks};

/// One look at what was released.
///
/// # Errors
/// Where AWS refuses.
pub async fn look(context: &Context, asked: Look) -> Result<Verification> {
    let Look { rollout, definition, digest, round, verification, before } = asked;
    let key = keys(&rollout).record();
    let (scope, found) = try_join!(scope(context, &rollout), context.home.read_json::<Record>(&key))?;
    let see = see(context, &scope, &rollout.service, &definition, (&digest, rollout.began));
    let mut sight = match see.await {
        Ok(sight) => sight,
        // With a service its targets and its cluster may go.
        Err(_) if read::is_gone(&context.clients, &rollout).await? => return Ok(gone(&rollout.service, round)),
        Err(error) => return Err(error),
    };
    sight.holds = found.holds(&rollout.execution);
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
    let patience = service.map(|service| Patience::of(service, sight.desired)).unwrap_or_default();
    Ok(judge(&released, &sight, Round { number: round, patience }, &streak, questions))
}

/// Whether a definition has a container check: of a task that is not healthy yet, ECS says the same as of one without.
async fn is_checked(context: &Context, definition: &str) -> Result<bool> {
    let request = context.clients.ecs.describe_task_definition().task_definition(definition);
    let answer = request.send().await.during("describe task definition", definition)?;
    let containers = answer.task_definition().map(|found| found.container_definitions()).unwrap_or_default();
    Ok(containers.iter().any(|container| container.health_check().is_some()))
}

async fn see(
    context: &Context,
    scope: &Scope,
    name: &str,
    definition: &str,
    (digest, began): (&str, i64),
) -> Result<Sight> {
    let clients = &context.clients;
    let request = clients.ecs.describe_services().cluster(scope.prefix()).services(name);
    let describe = async { request.send().await.during("describe service", name) };
    let (answer, wanted, targets, stopped) = try_join!(
        describe,
        tasks(clients, scope, name, ecs::DesiredStatus::Running),
        targets(clients, scope, name),
        tasks(clients, scope, name, ecs::DesiredStatus::Stopped),
    )?;
    let away = || Error::NotYet(format!("service {name}, which ECS does not show"));
    let service = answer.services().iter().find(|found| found.status() == Some("ACTIVE")).ok_or_else(away)?;
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
    let mut sight = Sight {
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
        stops: stopped.iter().filter(is_ours).map(stop).filter(|stop| stop.at >= began).collect(),
        given_up: failed.map(|found| found.rollout_state_reason().unwrap_or("ECS gave the deployment up").to_owned()),
        event: event.map(ToOwned::to_owned),
        waiting: count(wanted.iter().filter(is_ours).filter(|task| task.last_status() == Some("PROVISIONING")).count()),
        failed_launch: None,
        full: false,
    };
    if sight.running < sight.desired && (sight.waiting > 0 || sight.event.is_some()) {
        let shortage = room::shortage(clients, scope, name).await?;
        (sight.full, sight.failed_launch) = (shortage.full, shortage.failed_launch);
    }
    let reported: BTreeSet<&str> =
        running.iter().flat_map(|task| task.containers()).filter_map(|container| container.image_digest()).collect();
    if reported.iter().any(|reported| *reported != digest) && sight.definition == definition {
        // ECS may report the image that it took out of the index.
        let manifest = read::manifest(clients, scope, name, digest).await?;
        let parts = manifest.as_deref().map(Manifest::parse);
        let parts = parts.as_ref().map(Manifest::parts).unwrap_or_default();
        let stranger = reported.iter().find(|reported| **reported != digest && !parts.contains(reported));
        sight.stranger = stranger.map(|digest| (*digest).to_owned());
    }
    Ok(sight)
}

/// Host ports of a task.
fn ports(task: &ecs::Task) -> Vec<u16> {
    let bindings = task.containers().iter().flat_map(|container| container.network_bindings());
    bindings.map(|binding| number::port(binding.host_port())).collect()
}
