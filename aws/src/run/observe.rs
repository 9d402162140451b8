//! `Observe`: what runs of the platform's services, and which targets are healthy. Writes nothing.

use std::collections::BTreeMap;

use aws_sdk_ecs::types as ecs;
use aws_sdk_sfn::types::ExecutionStatus;
use futures::future::try_join_all;
use futures::try_join;
use skydeck_core::layer::service::AWAITING_TAG;
use skydeck_core::rollout::stop::{Kind, Stop, Told};
use skydeck_core::rollout::trigger::{Cause, Order};
use skydeck_core::run::Look;
use skydeck_core::scope::Scope;
use skydeck_core::verdict::{Check, Name, Outcome, Patience, Questions, Round, Seen, Target, Verification, look};

use super::Context;
use super::group::{failed_launch, group};
use crate::client::Clients;
use crate::error::{Error, Explain, Result};
use crate::layer::service::described;
use crate::number;

/// How many tasks one call describes.
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
    let mut checks = rollouts(clients, &asked.rollouts).await?;
    let rolling: Vec<String> = checks.iter().map(|check| check.service.clone()).collect();
    checks.extend(names.flat_map(|name| look(name, seen.get(name))).map(|mut check| {
        // Whether it fails is that rollout's verdict.
        if rolling.contains(&check.service) && check.outcome == Outcome::Failed {
            check.outcome = Outcome::NotYet;
        }
        check
    }));
    let running = checks.iter().filter(|check| check.check == Name::Tasks && check.outcome != Outcome::Skipped);
    let (outside, inside) = Questions::of(scope, running.map(|check| check.service.as_str()));
    let patience = scope.platform.services.values().map(|service| Patience::of(service, service.desired));
    let patience = patience.reduce(Patience::max).unwrap_or_default();
    // A rollout that the run has started may fail, and go back.
    let patience = if asked.rollouts.is_empty() { patience } else { patience.both_ways() };
    Ok(Verification::of(Round { number: asked.round, patience }, checks, outside, inside))
}

/// Of the rollouts that the run has started, those that have not ended well.
async fn rollouts(clients: &Clients, started: &BTreeMap<String, String>) -> Result<Vec<Check>> {
    let checks = started.iter().map(|(service, arn)| async move {
        let request = clients.sfn().describe_execution().execution_arn(arn);
        // Its answers are eventually consistent: one that was just started may not be known yet.
        let execution = request.send().await.find(&["ExecutionDoesNotExist"], "describe execution", arn)?;
        let rolling = || Check {
            service: service.clone(),
            check: Name::Rollout,
            outcome: Outcome::NotYet,
            evidence: "rolling out".into(),
        };
        let Some(execution) = execution else { return Ok(Some(rolling())) };
        let (outcome, evidence) = match execution.status() {
            ExecutionStatus::Succeeded => return Ok(None),
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => return Ok(Some(rolling())),
            // It took the place of one that had died, and the platform file changed nothing of it: what serves by now counts.
            _ if execution.input().is_some_and(takes_over) => return Ok(None),
            status => (Outcome::Failed, execution.cause().unwrap_or(status.as_str()).to_owned()),
        };
        Ok::<_, Error>(Some(Check { service: service.clone(), check: Name::Rollout, outcome, evidence }))
    });
    Ok(try_join_all(checks).await?.into_iter().flatten().collect())
}

/// Whether a rollout was started, by this input, in the place of one that had died.
fn takes_over(input: &str) -> bool {
    let order = serde_json::from_str::<Order>(input);
    order.is_ok_and(|order| order.cause == Cause::Sweep)
}

async fn services(clients: &Clients, scope: &Scope) -> Result<BTreeMap<String, ecs::Service>> {
    let cluster = &scope.prefix();
    let names: Vec<String> = scope.platform.services.keys().cloned().collect();
    let found = described(clients.ecs(), cluster, &names).await?;
    let alive = found.into_iter().filter(|service| service.status() == Some("ACTIVE"));
    Ok(alive.map(|service| (service.service_name().unwrap_or_default().to_owned(), service)).collect())
}

async fn see(clients: &Clients, scope: &Scope, name: &str, service: &ecs::Service) -> Result<Seen> {
    let definition = service.task_definition().unwrap_or_default();
    let desired = number::from_aws(Some(service.desired_count()));
    if desired == 0 || service.running_count() == 0 {
        let request = clients.ecs().describe_task_definition().task_definition(definition);
        let answer = request.send().await.during("describe task definition", definition)?;
        let containers = answer.task_definition().map(|found| found.container_definitions()).unwrap_or_default();
        let awaits = |image: &str| image.rsplit_once(':').is_some_and(|(_, tag)| tag == AWAITING_TAG);
        if containers.iter().any(|container| container.image().is_some_and(awaits)) {
            return Ok(Seen { awaits_image: true, desired, ..Seen::default() });
        }
    }
    let (tasks, targets) =
        try_join!(tasks(clients, scope, name, ecs::DesiredStatus::Running), targets(clients, scope, name),)?;
    let ours = tasks.iter().filter(|task| task.task_definition_arn() == Some(definition));
    let running: Vec<_> = ours.filter(|task| task.last_status() == Some("RUNNING")).collect();
    let passing = running.iter().filter(|task| task.health_status() == Some(&ecs::HealthStatus::Healthy)).count();
    let [running, passing] = [running.len(), passing].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let is_checked = scope.platform.services.get(name).is_some_and(|service| service.container_check.is_some());
    let primary = service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"));
    let failed = primary.filter(|found| found.rollout_state() == Some(&ecs::DeploymentRolloutState::Failed));
    let given_up = failed.map(|found| found.rollout_state_reason().unwrap_or("ECS gave the deployment up").to_owned());
    let stopped = if running < desired {
        let tasks = tasks_stopped(clients, scope, name, definition).await?;
        tasks.into_iter().max_by_key(|stop| stop.at).map(|stop| stop.why)
    } else {
        None
    };
    let event = service.events().first().and_then(|event| event.message());
    let said = event.filter(|text| text.contains("unable to")).map(ToOwned::to_owned);
    let event = if running < desired { no_instance(clients, scope).await?.or(said) } else { said };
    Ok(Seen {
        awaits_image: false,
        desired,
        running,
        given_up,
        stopped,
        event,
        passing: is_checked.then_some(passing),
        targets,
    })
}

/// Why Auto Scaling starts no instance, where that is what a task waits for.
async fn no_instance(clients: &Clients, scope: &Scope) -> Result<Option<String>> {
    let Some(group) = group(clients, scope).await? else { return Ok(None) };
    let why = failed_launch(clients, &group).await?;
    Ok(why.map(|why| format!("Auto Scaling cannot start an instance: {why}")))
}

/// Tasks of a service that are meant to run, or have stopped within the last hour.
pub(crate) async fn tasks(
    clients: &Clients,
    scope: &Scope,
    name: &str,
    status: ecs::DesiredStatus,
) -> Result<Vec<ecs::Task>> {
    let cluster = &scope.prefix();
    let mut arns = Vec::new();
    let request = clients.ecs().list_tasks().cluster(cluster).service_name(name).desired_status(status);
    let mut pages = request.into_paginator().items().send();
    while let Some(arn) = pages.next().await {
        arns.push(arn.during("list tasks of service", name)?);
    }
    let chunks = arns.chunks(TASKS_AT_ONCE).map(|arns| async move {
        let request = clients.ecs().describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
        request.send().await.during("describe tasks of service", name)
    });
    Ok(try_join_all(chunks).await?.into_iter().flat_map(|answer| answer.tasks.unwrap_or_default()).collect())
}

/// When and why tasks of the definition stopped that were not meant to.
async fn tasks_stopped(clients: &Clients, scope: &Scope, name: &str, definition: &str) -> Result<Vec<Stop>> {
    let tasks = tasks(clients, scope, name, ecs::DesiredStatus::Stopped).await?;
    let ours = tasks.iter().filter(|task| task.task_definition_arn() == Some(definition));
    Ok(ours.map(|task| stop(task, "")).filter(|stop| stop.kind != Kind::Meant).collect())
}

/// When and why a task stopped. `log` is what is known of its log.
pub(crate) fn stop(task: &ecs::Task, log: &str) -> Stop {
    let told = |container: &&ecs::Container| container.exit_code().is_some() || container.reason().is_some();
    let container = task.containers().iter().find(told);
    let told = Told {
        code: task.stop_code().map(|code| code.as_str()).unwrap_or_default(),
        reason: task.stopped_reason().unwrap_or_default(),
        container: container.and_then(|container| container.reason()).unwrap_or_default(),
        exit: container.and_then(|container| container.exit_code()),
        log,
    };
    let at = task.stopped_at().or(task.stopping_at()).and_then(|at| at.to_millis().ok()).unwrap_or_default();
    Stop { at, kind: told.kind(), why: told.words() }
}

pub(crate) async fn targets(clients: &Clients, scope: &Scope, name: &str) -> Result<Vec<Target>> {
    let facts = scope.facts.balancer.as_ref();
    let Some(group) = facts.and_then(|facts| facts.target_group_arns.get(name)) else { return Ok(Vec::new()) };
    let request = clients.elb().describe_target_health().target_group_arn(group);
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
