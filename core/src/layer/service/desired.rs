//! What services and task definitions should be, by the platform file and the earlier layers; and what they hand on.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::environment;
use super::{
    Behind, Container, ContainerHealth, Definition, NO_NEW_PRIVILEGES, Placement, Settings, TaskSettings, World,
};
use crate::facts::{Facts, ServiceFacts, need};
use crate::layer::identity::{execution_role_arn, task_role_arn};
use crate::plan::Refusal;
use crate::scope::{Scope, Tags};
use crate::spec::Service;

/// The tag that the image of a service bears until its first push. No image has it: tags that begin with `skydeck-`
/// are skydeck's own, and a service with this image has no tasks.
pub const AWAITING_TAG: &str = "skydeck-awaiting-first-push";

/// The task definition family of a service.
#[must_use]
pub fn family(scope: &Scope, service: &str) -> String {
    scope.name(service)
}

/// The repository of a service.
#[must_use]
pub fn repository(scope: &Scope, service: &str) -> Option<String> {
    scope.platform.services.get(service).map(|service| scope.name(&service.repository))
}

/// The image of a service to which nothing was pushed yet.
pub(super) fn awaiting_image(scope: &Scope, name: &str) -> Result<String, Refusal> {
    Ok(format!("{}:{AWAITING_TAG}", uri(scope, name)?))
}

/// The task definition of a service with this image.
///
/// # Errors
/// Where the platform has no such service, or an earlier layer has not said what it needs.
pub fn task_definition(scope: &Scope, name: &str, digest: &str) -> Result<Definition, Refusal> {
    let service = need(scope.platform.services.get(name), "platform file", &format!("service {name}"))?;
    let settings = task(scope, name, service)?;
    Ok(Definition { image: pinned_image(scope, name, digest)?, settings, tags: definition_tags(scope, name) })
}

/// What a service's tasks should be, whatever their image, and where they are placed.
///
/// # Errors
/// Where the platform has no such service, or an earlier layer has not said what it needs.
pub fn wanted_settings(scope: &Scope, name: &str) -> Result<(TaskSettings, Placement), Refusal> {
    let service = need(scope.platform.services.get(name), "platform file", &format!("service {name}"))?;
    Ok((task(scope, name, service)?, placement(scope, name, service)?))
}

/// The image of a service by its digest: a tag may move.
fn pinned_image(scope: &Scope, name: &str, digest: &str) -> Result<String, Refusal> {
    Ok(format!("{}@{digest}", uri(scope, name)?))
}

/// By name alone: what is written down of an earlier run, somebody else may have written.
fn uri(scope: &Scope, name: &str) -> Result<String, Refusal> {
    let repository = repository(scope, name);
    need(repository.as_ref(), "platform file", &format!("service {name}")).map(|name| scope.repository_uri(name))
}

pub(super) fn definition_tags(scope: &Scope, name: &str) -> Tags {
    scope.tags(&format!("task-definition/{name}"), &family(scope, name), Some(name))
}

pub(super) fn service_tags(scope: &Scope, name: &str) -> Tags {
    scope.tags(&format!("service/{name}"), name, Some(name))
}

pub(super) fn task(scope: &Scope, name: &str, service: &Service) -> Result<TaskSettings, Refusal> {
    Ok(TaskSettings {
        network_mode: "bridge".into(),
        compatibilities: BTreeSet::from(["EC2".into()]),
        runtime: ("LINUX".into(), "ARM64".into()),
        execution_role: execution_role_arn(scope, name),
        task_role: task_role_arn(scope, name),
        container: Some(container(scope, name, service)?),
        others: BTreeSet::new(),
    })
}

/// CPU and memory stand at the container alone: with one container in the task, task-level numbers would only have to
/// be kept equal to them.
fn container(scope: &Scope, name: &str, service: &Service) -> Result<Container, Refusal> {
    let cluster = need(scope.facts.cluster.as_ref(), "cluster", "the containers' log group")?;
    let log = BTreeMap::from([
        ("awslogs-group".into(), cluster.log_group.clone()),
        ("awslogs-region".into(), scope.platform.region.clone()),
        ("awslogs-stream-prefix".into(), name.to_owned()),
    ]);
    Ok(Container {
        name: name.into(),
        cpu: service.cpu,
        memory: service.memory,
        essential: true,
        // Host port 0 is any free one, so that an instance holds more than one task of a service.
        ports: BTreeSet::from([(service.port, 0, "tcp".into())]),
        environment: environment(scope, service)?,
        secrets: service.secrets.iter().map(|(variable, key)| (variable.clone(), parameter(scope, key))).collect(),
        log: ("awslogs".into(), log),
        health: service.container_check.as_ref().map(|check| ContainerHealth {
            command: check.command.clone(),
            interval_seconds: check.interval_seconds,
            timeout_seconds: check.timeout_seconds,
            retries: check.retries,
            start_seconds: check.start_seconds,
        }),
        security: service.no_new_privileges.then(|| NO_NEW_PRIVILEGES.to_owned()).into_iter().collect(),
    })
}

/// The ARN of a parameter. References to secrets are checked on reading the platform file, so that there is one.
fn parameter(scope: &Scope, key: &str) -> String {
    let name = scope.platform.secrets.get(key).map_or(key, |secret| secret.parameter.as_str());
    scope.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

pub(super) fn settings(service: &Service) -> Settings {
    let strategy = |kind: &str, field: &str| (kind.to_owned(), field.to_owned());
    Settings {
        maximum_percent: service.maximum_percent,
        minimum_healthy_percent: service.minimum_healthy_percent,
        circuit_breaker: true,
        circuit_breaker_rollback: false,
        grace_seconds: service.grace_seconds,
        // A zone that fails takes as few tasks as possible with it; within a zone tasks are packed, so that managed
        // scaling finds an instance to give back.
        placement_strategy: vec![strategy("spread", "attribute:ecs.availability-zone"), strategy("binpack", "memory")],
        // ECS would start and stop tasks on its own, beside the rollout that judges them.
        zone_rebalancing: false,
        managed_tags: true,
        propagate_tags: "SERVICE".into(),
        execute_command: false,
    }
}

pub(super) fn placement(scope: &Scope, name: &str, service: &Service) -> Result<Placement, Refusal> {
    let cluster = need(scope.facts.cluster.as_ref(), "cluster", "its capacity provider")?;
    let group = scope.facts.balancer.as_ref().and_then(|facts| facts.target_group_arns.get(name));
    let target_group = need(group, "balancer", &format!("the target group of service {name}"))?.clone();
    Ok(Placement {
        capacity: BTreeMap::from([(cluster.capacity_provider.clone(), (0, 1))]),
        load_balancers: BTreeSet::from([Behind { target_group, container: name.into(), port: service.port }]),
    })
}

/// ARNs of what was observed. What the services' environments are is not among them: together they may be more than a state machine
/// hands on, and anybody can work them out.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let ours = || {
        let wanted = |name: &String| scope.platform.services.contains_key(name);
        let ours = move |(name, found): &(&String, &super::Service)| wanted(name) && scope.owns(&found.tags);
        world.services.iter().filter(ours)
    };
    let facts = ServiceFacts {
        service_arns: ours().map(|(name, found)| (name.clone(), found.arn.clone())).collect(),
        task_definition_arns: ours().map(|(name, found)| (name.clone(), found.definition.clone())).collect(),
    };
    Facts { service: (facts != ServiceFacts::default()).then_some(facts), ..Facts::default() }
}
