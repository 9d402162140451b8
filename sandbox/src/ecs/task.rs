//! Tasks, and the states that one goes through.

use serde_json::Value;

use super::placement::{Need, Port};
use super::service::Service;
use super::tags::Tag;
use super::task_definition::TaskDefinition;
use super::{Region, World};
use crate::alb::Target;

/// Where a task is in its life, as ECS names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Provisioning,
    Pending,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Why a task ends: ECS's code and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    /// Whether the task itself failed, rather than being wanted no more.
    pub(crate) failure: bool,
}

impl Stop {
    pub(super) fn new(code: &'static str, reason: impl Into<String>, failure: bool) -> Self {
        Self { code, reason: reason.into(), failure }
    }

    pub(super) fn scaling(deployment: &str) -> Self {
        let reason = format!("Scaling activity initiated by (deployment {deployment})");
        Self::new("ServiceSchedulerInitiated", reason, false)
    }
}

/// What the container's own health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// The container has no check.
    None,
    Unknown,
    Healthy,
    Unhealthy,
}

/// A container of a task.
#[derive(Debug, Clone)]
pub(crate) struct TaskContainer {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) essential: bool,
    pub(crate) cpu: i64,
    pub(crate) memory: Option<i64>,
    pub(crate) memory_reservation: Option<i64>,
    pub(crate) status: Status,
    pub(crate) exit: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) ports: Vec<Port>,
    pub(crate) health: Health,
}

/// Where a task runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The EC2 instance.
    pub(crate) instance: String,
    /// The container instance.
    pub(crate) arn: String,
    pub(crate) zone: String,
}

/// One task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) cluster: String,
    /// The service's name.
    pub(crate) service: String,
    pub(crate) deployment: String,
    pub(crate) definition: String,
    pub(crate) need: Need,
    pub(crate) containers: Vec<TaskContainer>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) provider: Option<String>,
    pub(crate) place: Option<Place>,
    pub(crate) status: Status,
    pub(crate) stop: Option<Stop>,
    pub(crate) created: f64,
    pub(crate) pulled: (Option<f64>, Option<f64>),
    pub(crate) started: Option<f64>,
    pub(crate) stopping: Option<f64>,
    pub(crate) executed: Option<f64>,
    pub(crate) stopped: Option<f64>,
    /// Where it is registered.
    pub(crate) targets: Vec<Target>,
    /// It was healthy once: that sets its deployment's failures to 0, and only once.
    pub(crate) was_healthy: bool,
    /// Its failure stands in its deployment's count.
    pub(crate) counted: bool,
    /// When its next state comes by itself.
    pub(crate) due: Option<f64>,
}

impl Task {
    pub(super) fn group(&self) -> String {
        format!("service:{}", self.service)
    }

    /// Nothing has decided its end yet.
    pub(crate) fn is_wanted(&self) -> bool {
        self.stop.is_none()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.status != Status::Stopped
    }

    /// The worst of its essential containers' health checks.
    pub(super) fn health(&self) -> Health {
        let of = |wanted: Health| self.containers.iter().any(|c| c.essential && c.health == wanted);
        [Health::Unhealthy, Health::Unknown, Health::Healthy].into_iter().find(|h| of(*h)).unwrap_or(Health::None)
    }

    /// The host port behind a port of a container.
    pub(super) fn host_port(&self, container: &str, port: u64) -> Option<u16> {
        let container = self.containers.iter().find(|c| c.name == container)?;
        container.ports.iter().find(|p| u64::from(p.container) == port).map(|p| p.host)
    }
}

impl TaskDefinition {
    /// What a task of it takes of an instance.
    pub(super) fn need(&self) -> Need {
        let of_task = |key: &str| self.rest.get(key).and_then(|v| v.as_str()).and_then(|text| text.parse::<i64>().ok());
        let cpu = of_task("cpu").unwrap_or_else(|| self.containers.iter().map(|c| c.cpu).sum());
        let reserved = |c: &super::container::Container| c.memory_reservation.or(c.memory).unwrap_or(0);
        let memory = of_task("memory").unwrap_or_else(|| self.containers.iter().map(reserved).sum());
        let mut ports = Vec::new();
        for container in &self.containers {
            for mapping in &container.port_mappings {
                let Some(port) = mapping.container_port else { continue };
                let host = mapping.host_port.unwrap_or(0);
                let port = Port { container: port, host, protocol: mapping.protocol.clone() };
                ports.push((container.name.clone(), port));
            }
        }
        Need { cpu, memory, ports }
    }
}

impl Service {
    /// What its tasks are tagged with: its own tags or its task definition's, as it says, and ECS's.
    pub(super) fn tags_of_tasks(&self, definition: &TaskDefinition) -> Vec<Tag> {
        let mut tags = match self.rest.get("propagateTags").and_then(Value::as_str) {
            Some("SERVICE") => self.tags.clone(),
            Some("TASK_DEFINITION") => definition.tags.clone(),
            _ => Vec::new(),
        };
        if self.rest.get("enableECSManagedTags") == Some(&Value::Bool(true)) {
            for (key, value) in [("aws:ecs:clusterName", &self.cluster), ("aws:ecs:serviceName", &self.name)] {
                tags.push(Tag { key: key.to_owned(), value: value.clone() });
            }
        }
        tags
    }
}

impl Region {
    /// A task that has no place yet.
    pub(super) fn new_task(
        &self,
        world: &World,
        cluster: &str,
        service: &str,
        deployment: &str,
        definition: &TaskDefinition,
    ) -> Task {
        let id = crate::ids::hex32();
        let container = |c: &super::container::Container| TaskContainer {
            name: c.name.clone(),
            image: c.image.clone(),
            essential: c.essential,
            cpu: c.cpu,
            memory: c.memory,
            memory_reservation: c.memory_reservation,
            status: Status::Pending,
            exit: None,
            reason: None,
            digest: None,
            ports: Vec::new(),
            health: if c.rest.contains_key("healthCheck") { Health::Unknown } else { Health::None },
        };
        Task {
            arn: self.arn(&format!("task/{cluster}/{id}")),
            id,
            cluster: cluster.to_owned(),
            service: service.to_owned(),
            deployment: deployment.to_owned(),
            definition: definition.arn.clone(),
            need: definition.need(),
            containers: definition.containers.iter().map(container).collect(),
            tags: Vec::new(),
            provider: None,
            place: None,
            status: Status::Provisioning,
            stop: None,
            created: world.now,
            pulled: (None, None),
            started: None,
            stopping: None,
            executed: None,
            stopped: None,
            targets: Vec::new(),
            was_healthy: false,
            counted: false,
            due: None,
        }
    }
}
