//! The ECS cluster, its container instances (launch template, Auto Scaling group, capacity provider), and the log
//! group of the containers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::logs::{LogChange, LogGroup};
use crate::plan::{Describe, Description, Found, Ref, diff};
use crate::scope::Tags;

mod desired;
mod plan;
mod refresh;
mod teardown;

pub use desired::{facts, log_group_name};
pub use plan::plan;
pub use refresh::{Instance, Origin, Preferences, Refresh};
pub use teardown::{obstacles, obstacles_leaving, teardown};

/// Public parameter with the AMI that AWS recommends for ARM64 container instances
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html>).
pub const AMI_PARAMETER: &str = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";

/// What was observed: whatever bears the names that the platform needs. What AWS or autoscaling moves by itself is not
/// written into its fingerprint, and is skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// The AMI that AWS recommends now.
    pub recommended_ami: Option<String>,
    /// The cluster; a deleted one counts as gone.
    pub cluster: Option<Cluster>,
    /// The launch template.
    pub template: Option<Template>,
    /// The Auto Scaling group.
    pub group: Option<Group>,
    /// The capacity provider; a deleted one counts as gone.
    pub provider: Option<Provider>,
    /// The containers' log group.
    pub logs: Option<Found<LogGroup>>,
}

/// An ECS cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its ARN.
    pub arn: String,
    /// Container Insights: `enabled`, `disabled` or `enhanced`.
    pub insights: String,
    /// Attached capacity providers and how services use them by default.
    pub capacity: Capacity,
    /// Whether AWS is still at work on attaching or detaching a capacity provider.
    #[serde(skip)]
    pub busy: bool,
    /// How many services are active in it, anybody's.
    #[serde(skip)]
    pub services: u32,
    /// Tags.
    pub tags: Tags,
}

/// Capacity providers of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Names of the attached ones.
    pub providers: BTreeSet<String>,
    /// The default strategy: base and weight, by name.
    pub strategy: BTreeMap<String, (i32, i32)>,
}

/// A launch template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its id.
    pub id: String,
    /// Number of the newest version.
    pub latest: i64,
    /// Number of the default version.
    pub default: i64,
    /// What the newest version says.
    pub settings: Launch,
    /// Tags of the template itself.
    pub tags: Tags,
}

/// How an instance is launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The machine image.
    pub ami: String,
    /// The instance type.
    pub instance_type: String,
    /// ARN of the instance profile.
    pub profile: String,
    /// Security groups.
    pub groups: BTreeSet<String>,
    /// The script that runs at the first boot, as text.
    pub user_data: String,
    /// `required` for IMDSv2 only.
    pub http_tokens: String,
    /// How many network hops an answer of the metadata service survives.
    pub hop_limit: i32,
    /// Whether the root volume is encrypted, whatever the account's default is.
    pub encrypted: bool,
    /// Tags of an instance.
    pub instance_tags: Tags,
    /// Tags of its volumes.
    pub volume_tags: Tags,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its ARN, which ends in a part that AWS makes up.
    pub arn: String,
    /// How many instances it wants now.
    #[serde(skip)]
    pub desired: u32,
    /// The instances that it has, in whatever state.
    #[serde(skip)]
    pub instances: Vec<Instance>,
    /// Its last instance refresh; looked for only where an instance is not of the version that the group uses.
    #[serde(skip)]
    pub refresh: Option<Refresh>,
    /// Whether it is being deleted.
    pub going: bool,
    /// Id of its launch template and the version it uses.
    pub template: (String, String),
    /// Its settings.
    pub settings: GroupSettings,
    /// Tags.
    pub tags: Tags,
    /// Keys of the tags that its instances get too.
    pub propagated: BTreeSet<String>,
}

/// Settings of an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Smallest size.
    pub min: u32,
    /// Largest size.
    pub max: u32,
    /// Subnets.
    pub subnets: BTreeSet<String>,
    /// Whose health checks count: `EC2`.
    pub health: String,
    /// Seconds before a new instance's health counts.
    pub grace_seconds: u32,
    /// Which instance goes first.
    pub termination: Vec<String>,
}

/// A capacity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its ARN.
    pub arn: String,
    /// ARN of its Auto Scaling group; AWS cannot change it.
    pub group: String,
    /// Whether AWS is still at work on its last change.
    #[serde(skip)]
    pub busy: bool,
    /// Its settings.
    pub settings: Scaling,
    /// Tags.
    pub tags: Tags,
}

/// Managed scaling, draining and termination protection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// Whether ECS sizes the group by what its tasks need.
    pub managed: bool,
    /// How full the instances are to be, in percent.
    pub target_percent: i32,
    /// Fewest instances that are started at once.
    pub min_step: i32,
    /// Most instances that are started at once.
    pub max_step: i32,
    /// Seconds that a new instance needs before it takes tasks.
    pub warmup_seconds: i32,
    /// Whether an instance that goes is emptied of its tasks first.
    pub draining: bool,
    /// Whether instances with tasks are kept from being scaled in.
    pub protection: bool,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    CreateCluster { name: String, insights: String, tags: Tags },
    SetInsights { name: String, old: String, new: String },
    SetCapacity { cluster: String, old: Capacity, new: Capacity },
    CreateTemplate { name: String, settings: Launch, tags: Tags },
    CreateVersion { id: String, name: String, after: i64, old: Box<Launch>, new: Box<Launch> },
    SetDefaultVersion { id: String, name: String, old: i64, version: Ref },
    CreateGroup { name: String, template: Ref, version: Ref, desired: u32, settings: GroupSettings, tags: Tags },
    SetGroup { name: String, old: GroupSettings, new: GroupSettings },
    SetGroupTemplate { name: String, template: Ref, old: String, version: Ref },
    StartRefresh { name: String, old: Origin, version: Ref, instance_type: String, preferences: Preferences },
    TagGroup { name: String, old: Tags, new: Tags },
    EmptyGroup { name: String, desired: u32 },
    CreateProvider { name: String, group: Ref, settings: Scaling, tags: Tags },
    SetProvider { name: String, old: Scaling, new: Scaling },
    TagEcs { arn: String, kind: String, name: String, old: Tags, new: Tags },
    TagTemplate { id: String, name: String, old: Tags, new: Tags },
    Log(LogChange),
    DeleteProvider { name: String },
    DeleteGroup { name: String },
    DeleteTemplate { id: String, name: String },
    DeleteCluster { name: String },
}

impl From<LogChange> for Change {
    fn from(change: LogChange) -> Self {
        Change::Log(change)
    }
}

impl Describe for Change {
    fn describe(&self) -> Description {
        let retag = |kind: &str, name: &str, old: &Tags, new: &Tags| {
            Description::update(kind, name, &json!({ "tags": old }), &json!({ "tags": new }))
        };
        let version = |kind: &str, name: &str, old: &str, new: &Ref| {
            Description::update(kind, name, &json!({ "version": old }), &json!({ "version": number(new) }))
        };
        match self {
            Change::CreateCluster { name, insights, tags } => {
                Description::create_tagged("cluster", name, &json!({ "container_insights": insights }), tags)
            }
            Change::SetInsights { name, old, new } => Description::update(
                "cluster",
                name,
                &json!({ "container_insights": old }),
                &json!({ "container_insights": new }),
            ),
            Change::SetCapacity { cluster, old, new } => Description::update("cluster", cluster, old, new),
            Change::CreateTemplate { name, settings, tags } => {
                Description::create_tagged("launch template", name, settings, tags)
            }
            Change::CreateVersion { name, old, new, .. } => Description::update("launch template", name, old, new),
            Change::SetDefaultVersion { name, old, version: new, .. } => {
                version("launch template", name, &old.to_string(), new)
            }
            Change::CreateGroup { name, desired, settings, tags, .. } => {
                let mut told = Description::create_tagged("Auto Scaling group", name, settings, tags);
                told.attributes.extend(diff(&json!({}), &json!({ "desired": desired })));
                told
            }
            Change::SetGroup { name, old, new } => Description::update("Auto Scaling group", name, old, new),
            Change::SetGroupTemplate { name, old, version: new, .. } => version("Auto Scaling group", name, old, new),
            Change::StartRefresh { name, old, version, instance_type, .. } => {
                refresh::describe(name, old, &Origin { version: number(version), instance_type: instance_type.clone() })
            }
            Change::TagGroup { name, old, new } => retag("Auto Scaling group", name, old, new),
            Change::EmptyGroup { name, desired } => Description::update(
                "Auto Scaling group",
                name,
                &json!({ "desired": desired }),
                &json!({ "desired": 0, "min": 0, "max": 0 }),
            ),
            Change::CreateProvider { name, settings, tags, .. } => {
                Description::create_tagged("capacity provider", name, settings, tags)
            }
            Change::SetProvider { name, old, new } => Description::update("capacity provider", name, old, new),
            Change::TagEcs { kind, name, old, new, .. } => retag(kind, name, old, new),
            Change::TagTemplate { name, old, new, .. } => retag("launch template", name, old, new),
            Change::Log(change) => change.describe(),
            Change::DeleteProvider { name } => Description::delete("capacity provider", name),
            Change::DeleteGroup { name } => Description::delete("Auto Scaling group", name),
            Change::DeleteTemplate { name, .. } => Description::delete("launch template", name),
            Change::DeleteCluster { name } => Description::delete("cluster", name),
        }
    }
}

/// The number of a launch template's version, as far as it is known.
fn number(version: &Ref) -> String {
    match version {
        Ref::Known(number) => number.clone(),
        Ref::Made(_) => "new".into(),
    }
}
