//! `Observe`: what runs of the platform's services, and which targets are healthy. Writes nothing.

use std::collections::BTreeMap;

use aws_sdk_ecs::types as ecs;
use futures::future::try_join_all;
use futures::try_join;
use skydeck_core::layer::service::AWAITING_TAG;
use skydeck_core::run::Look;
use skydeck_core::scope::Scope;
use skydeck_core::verdict::{Name, Outcome, Questions, Seen, Target, Verification, look};

use super::Context;
use crate::client::Clients;
use crate::error::{Error, Explain, Result};
use crate::number;

/// How many services, and how many tasks, one call describes.
const SERVICES_AT_ONCE: usize = 10;
const TASKS_AT_ONCE: usize = 100;

/// One look at the services.
///
/// # Errors
/// Where AWS refuses.
pub async fn observe(context: &Context, asked: Look) -> Result<Verification> {
    let scope = &context.scope(&asked.run, asked.facts).await?;
    let clients = &context.clients;
    let found = services(clients, scope).await?;
    let seen = found
        .iter()
        .map(|(name, service)| async { Ok::<_, Error>((name.clone(), see(clients, scope, name, service).await?)) });
    let seen: BTreeMap<String, Seen> = try_join_all(seen).await?.into_iter().collect();
    let names = scope.platform.services.keys();
    let checks: Vec<_> = names.flat_map(|name| look(name, seen.get(name))).collect();
    let running = checks.iter().filter(|check| check.check == Name::Tasks && check.outcome != Outcome::Skipped);
    let (outside, inside) = Questions::of(scope, running.map(|check| check.service.as_str()));
    Ok(Verification::of(asked.round, checks, outside, inside))
}

async fn services(clients: &Clients, scope: &Scope) -> Result<BTreeMap<String, ecs::Service>> {
    let cluster = &scope.prefix();
    let names: Vec<String> = scope.platform.services.keys().cloned().collect();
    let chunks = names.chunks(SERVICES_AT_ONCE).map(|names| async move {
        let request = clients.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
        request.send().await.during("describe services of cluster", cluster)
    });
    let found = try_join_all(chunks).await?.into_iter().flat_map(|answer| answer.services.unwrap_or_default());
    let alive = found.filter(|service| service.status() == Some("ACTIVE"));
    Ok(alive.map(|service| (service.service_name().unwrap_or_default().to_owned(), service)).collect())
}

async fn see(clients: &Clients, scope: &Scope, name: &str, service: &ecs::Service) -> Result<Seen> {
    let definition = service.task_definition().unwrap_or_default();
    let desired = number::from_aws(Some(service.desired_count()));
    if desired == 0 || service.running_count() == 0 {
        let request = clients.ecs.describe_task_definition().task_definition(definition);
        let answer = request.send().await.during("describe task definition", definition)?;
        let containers = answer.task_definition().map(|found| found.container_definitions()).unwrap_or_default();
        let awaits = |image: &str| image.rsplit_once(':').is_some_and(|(_, tag)| tag == AWAITING_TAG);
        if containers.iter().any(|container| container.image().is_some_and(awaits)) {
            return Ok(Seen { awaits_image: true, desired, ..Seen::default() });
        }
    }
    let (tasks, targets) = try_join!(
        tasks(clients, scope, name, definition, ecs::DesiredStatus::Running),
        targets(clients, scope, name),
    )?;
    let running = tasks.iter().filter(|task| task.last_status() == Some("RUNNING")).count();
    let running = u32::try_from(running).unwrap_or(u32::MAX);
    let primary = service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"));
    let failed = primary.filter(|found| found.rollout_state() == Some(&ecs::DeploymentRolloutState::Failed));
    let given_up = failed.map(|found| found.rollout_state_reason().unwrap_or("ECS gave the deployment up").to_owned());
    let stopped = if running < desired {
        let tasks = tasks_stopped(clients, scope, name, definition).await?;
        tasks.into_iter().max_by_key(|(at, _)| *at).map(|(_, why)| why)
    } else {
        None
    };
    let event = service.events().first().and_then(|event| event.message());
    let event = event.filter(|text| text.contains("unable to")).map(ToOwned::to_owned);
    Ok(Seen { awaits_image: false, desired, running, given_up, stopped, event, targets })
}

/// Tasks of a service's task definition.
async fn tasks(
    clients: &Clients,
    scope: &Scope,
    name: &str,
    definition: &str,
    status: ecs::DesiredStatus,
) -> Result<Vec<ecs::Task>> {
    let cluster = &scope.prefix();
    let mut arns = Vec::new();
    let request = clients.ecs.list_tasks().cluster(cluster).service_name(name).desired_status(status);
    let mut pages = request.into_paginator().items().send();
    while let Some(arn) = pages.next().await {
        arns.push(arn.during("list tasks of service", name)?);
    }
    let chunks = arns.chunks(TASKS_AT_ONCE).map(|arns| async move {
        let request = clients.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
        request.send().await.during("describe tasks of service", name)
    });
    let tasks = try_join_all(chunks).await?.into_iter().flat_map(|answer| answer.tasks.unwrap_or_default());
    Ok(tasks.filter(|task| task.task_definition_arn() == Some(definition)).collect())
}

/// When and why tasks of the definition stopped that were not meant to.
async fn tasks_stopped(clients: &Clients, scope: &Scope, name: &str, definition: &str) -> Result<Vec<(i64, String)>> {
    let tasks = tasks(clients, scope, name, definition, ecs::DesiredStatus::Stopped).await?;
    let meant = |reason: &str| reason.starts_with("Scaling activity");
    let told = |task: &ecs::Task| {
        let reason = task.stopped_reason().filter(|reason| !meant(reason))?;
        let exit = task.containers().iter().find_map(|container| container.exit_code());
        let why = task.containers().iter().find_map(|container| container.reason());
        let mut text = reason.trim_end_matches('.').to_owned();
        if let Some(code) = exit {
            text += &format!(", exit code {code}");
        }
        // ECS may say the same of the task and of its container.
        if let Some(why) = why.filter(|why| !reason.contains(why)) {
            text += &format!(": {}", why.trim_end_matches('.'));
        }
        Some((task.stopped_at().map_or(0, |at| at.as_nanos() as i64 / 1_000_000), text))
    };
    Ok(tasks.iter().filter_map(told).collect())
}

async fn targets(clients: &Clients, scope: &Scope, name: &str) -> Result<Vec<Target>> {
    let facts = scope.facts.balancer.as_ref();
    let Some(group) = facts.and_then(|facts| facts.target_group_arns.get(name)) else { return Ok(Vec::new()) };
    let request = clients.elb.describe_target_health().target_group_arn(group);
    let answer = request.send().await.during("describe target health of service", name)?;
    let target = |found: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
        let target = found.target();
        let id = target.and_then(|target| target.id()).unwrap_or_default();
        let port = target.and_then(|target| target.port()).unwrap_or_default();
        let health = found.target_health();
        Target {
            id: format!("{id}:{port}"),
            state: health.and_then(|health| health.state()).map(|state| state.as_str().to_owned()).unwrap_or_default(),
            why: health.and_then(|health| health.description()).map(ToOwned::to_owned),
        }
    };
    Ok(answer.target_health_descriptions().iter().map(target).collect())
}
