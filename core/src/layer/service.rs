//! Task definitions and ECS services. The layer makes a service, without tasks, and keeps its settings; what it runs is a
//! rollout's to decide, from the first image on, so that there is one writer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::plan::{Describe, Description, Ref};
use crate::scope::Tags;

mod desired;
mod environment;
mod plan;
mod teardown;

pub use desired::{AWAITING_TAG, facts, family, repository, task_definition, wanted_settings};
pub use environment::{environment, resolve};
pub use plan::plan;
pub use teardown::{obstacles, teardown};

/// What was observed: the services of the platform's cluster, and the task definition families that begin with the
/// platform's prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Services of the cluster, by name; a deleted one counts as gone.
    pub services: BTreeMap<String, Service>,
    /// Task definition families, by name.
    pub families: BTreeMap<String, Family>,
    /// The task definitions that services use, and the newest of each family, by ARN; of idle services the two newest.
    pub definitions: BTreeMap<String, Definition>,
    /// Those of them that services use and that were deregistered: their tasks run on, and no deployment can be made of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub deregistered: BTreeSet<String>,
    /// Digests of the images that services are to start with: of those that have run none, by name.
    pub images: BTreeMap<String, String>,
    /// Digests of the images that services run and their repositories have no more, by name. A person's to mend, and not written
    /// into a fingerprint.
    #[serde(skip)]
    pub lost: BTreeMap<String, String>,
}

impl World {
    /// Whether a service is there that has run, or is to run, an image.
    #[must_use]
    pub fn has_image(&self, service: &str) -> bool {
        let found = self.services.get(service).and_then(|found| self.definitions.get(&found.definition));
        found.is_some_and(|definition| !definition.awaits_image())
    }
}

/// An ECS service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// Whether it is being deleted.
    pub draining: bool,
    /// How many tasks it has or wants: the largest of desired, running and pending. Like the next one it moves by itself,
    /// and is not written into a fingerprint.
    #[serde(skip)]
    pub tasks: u32,
    /// How many tasks it wants.
    #[serde(skip)]
    pub desired: u32,
    /// ARN of its task definition.
    pub definition: String,
    /// What can be changed at any time.
    pub settings: Settings,
    /// What can be changed only by starting tasks anew.
    pub placement: Placement,
    /// Tags.
    pub tags: Tags,
}

/// Settings of a service whose change starts no deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Upper limit of tasks during a deployment, in percent.
    pub maximum_percent: u32,
    /// Lower limit of healthy tasks during a deployment, in percent.
    pub minimum_healthy_percent: u32,
    /// Whether ECS gives up a deployment whose tasks keep failing.
    pub circuit_breaker: bool,
    /// Whether ECS rolls back by itself; the rollout does that, so that there is one who does.
    pub circuit_breaker_rollback: bool,
    /// Seconds after a task's start in which ECS ignores its target health.
    pub grace_seconds: u32,
    /// How tasks are spread and packed, in order: type and field.
    pub placement_strategy: Vec<(String, String)>,
    /// Whether ECS moves tasks between zones by itself.
    pub zone_rebalancing: bool,
    /// Whether ECS tags tasks with cluster and service.
    pub managed_tags: bool,
    /// From where tasks get their tags: `SERVICE`.
    pub propagate_tags: String,
    /// Whether a person may open a shell in a task.
    pub execute_command: bool,
}

/// Settings of a service that hold for tasks yet to start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Placement {
    /// Base and weight, by capacity provider.
    pub capacity: BTreeMap<String, (i32, i32)>,
    /// Where targets are registered.
    pub load_balancers: BTreeSet<Behind>,
}

/// A container port behind a target group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Behind {
    /// ARN of the target group.
    pub target_group: String,
    /// Name of the container.
    pub container: String,
    /// Its port.
    pub port: u16,
}

/// A task definition family.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Active revisions, newest first.
    pub active: Vec<String>,
    /// Deregistered revisions.
    pub inactive: Vec<String>,
    /// Tags of the newest revision.
    pub tags: Tags,
}

/// A task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The image of its container; a rollout's to choose.
    pub image: String,
    /// Everything else.
    pub settings: TaskSettings,
    /// Tags.
    pub tags: Tags,
}

impl Definition {
    /// Whether it stands for an image that is yet to be pushed.
    #[must_use]
    pub fn awaits_image(&self) -> bool {
        self.image.rsplit_once(':').is_some_and(|(_, tag)| tag == AWAITING_TAG)
    }

    /// The digest that its image is pinned to; `None` where it is not, as while it awaits the first.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.image.split_once('@').map(|(_, digest)| digest)
    }
}

/// What a task definition says, but for its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSettings {
    /// `bridge`.
    pub network_mode: String,
    /// What it can run on: `EC2`.
    pub compatibilities: BTreeSet<String>,
    /// Operating system and processor: `LINUX`, `ARM64`.
    pub runtime: (String, String),
    /// Role by which ECS pulls, logs and reads secrets.
    pub execution_role: String,
    /// Role of the container's own calls.
    pub task_role: String,
    /// The service's container.
    pub container: Option<Container>,
    /// What else it says, which no platform file can: AWS's names of it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub others: BTreeSet<String>,
}

/// The one container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name, which is the service's.
    pub name: String,
    /// CPU units.
    pub cpu: u32,
    /// Hard memory limit in MiB.
    pub memory: u32,
    /// Whether the task ends with it.
    pub essential: bool,
    /// Port mappings: container port, host port (0 is any free one), protocol.
    pub ports: BTreeSet<(u16, u16, String)>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Environment variables that ECS fills: variable to parameter ARN.
    pub secrets: BTreeMap<String, String>,
    /// Log driver and its options.
    pub log: (String, BTreeMap<String, String>),
    /// Its own health check, beside the load balancer's.
    pub health: Option<ContainerHealth>,
    /// Options of Docker's against what its processes may do, such as [`NO_NEW_PRIVILEGES`].
    #[serde(default)]
    pub security: BTreeSet<String>,
}

/// No process gets more rights than its parent.
pub const NO_NEW_PRIVILEGES: &str = "no-new-privileges";

/// Health check of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named after the API's")]
pub struct ContainerHealth {
    pub command: Vec<String>,
    pub interval_seconds: u32,
    pub timeout_seconds: u32,
    pub retries: u32,
    pub start_seconds: u32,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    Register { family: String, new: Box<Definition> },
    CreateService { name: String, definition: Ref, settings: Settings, placement: Placement, tags: Tags },
    SetService { name: String, old: Settings, new: Settings },
    SetTags { arn: String, kind: String, name: String, old: Tags, new: Tags },
    ScaleToZero { name: String, old: u32 },
    DeleteService { name: String },
    Deregister { arn: String },
    DeleteDefinitions { family: String, arns: Vec<String> },
}

impl Describe for Change {
    fn describe(&self) -> Description {
        match self {
            Change::Register { family, new } => Description::create("task definition", family, new),
            Change::CreateService { name, settings, placement, tags, .. } => {
                let settings = json!({ "desired": 0, "settings": settings, "placement": placement });
                Description::create_tagged("service", name, &settings, tags)
            }
            Change::SetService { name, old, new } => Description::update("service", name, old, new),
            Change::SetTags { kind, name, old, new, .. } => {
                Description::update(kind, name, &json!({ "tags": old }), &json!({ "tags": new }))
            }
            Change::ScaleToZero { name, old } => {
                Description::update("service", name, &json!({ "desired": old }), &json!({ "desired": 0 }))
            }
            Change::DeleteService { name } => Description::delete("service", name),
            Change::Deregister { arn } => Description::update(
                "task definition",
                short(arn),
                &json!({ "status": "ACTIVE" }),
                &json!({ "status": "INACTIVE" }),
            ),
            Change::DeleteDefinitions { family, .. } => Description::delete("task definition", family),
        }
    }
}

/// `family:revision` of a task definition's ARN.
#[must_use]
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
