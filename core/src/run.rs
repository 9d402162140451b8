//! The payloads between the states of `provision`, and the report of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::plan::{Action, Description};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Say what would change, and change nothing.
    Plan,
    /// Make the account what the platform file says.
    Apply,
    /// Remove everything that is the platform's.
    Destroy,
}

/// The layers, in the order of a report; the order in time stands in the state machine alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// VPC, subnets, routes, security groups.
    Network,
    /// IAM roles and the instance profile.
    Identity,
    /// ECR repositories.
    Registry,
    /// S3 buckets.
    Storage,
    /// Parameter Store parameters.
    Secrets,
    /// Load balancers, target groups, rules, the probe function.
    Balancer,
    /// ECS cluster, Auto Scaling group, capacity provider, logs.
    Cluster,
    /// Task definitions and ECS services.
    Service,
}

impl Layer {
    /// All layers.
    pub const ALL: [Layer; 8] = [
        Layer::Network,
        Layer::Identity,
        Layer::Registry,
        Layer::Storage,
        Layer::Secrets,
        Layer::Balancer,
        Layer::Cluster,
        Layer::Service,
    ];

    /// The name that its function, its binary and its facts bear.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Layer::Network => "network",
            Layer::Identity => "identity",
            Layer::Registry => "registry",
            Layer::Storage => "storage",
            Layer::Secrets => "secrets",
            Layer::Balancer => "balancer",
            Layer::Cluster => "cluster",
            Layer::Service => "service",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every state of a run is told about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Name of the execution; part of every key that the run writes.
    pub id: String,
    /// The execution's ARN.
    pub execution: String,
    /// What the run is for.
    pub mode: Mode,
    /// `<platform>-<environment>`.
    pub platform: String,
    /// Skydeck's own bucket.
    pub bucket: String,
    /// Version of the platform file that the run works by, so that an upload in between changes nothing.
    pub spec_version: String,
}

impl Run {
    /// Key of the platform file in skydeck's bucket.
    #[must_use]
    pub fn spec_key(&self) -> String {
        spec_key(&self.platform)
    }

    /// Key of something that this run writes.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("platforms/{}/runs/{}/{name}", self.platform, self.id)
    }
}

/// Key of a platform's file in skydeck's bucket.
#[must_use]
pub fn spec_key(platform: &str) -> String {
    format!("platforms/{platform}/platform.toml")
}

/// Input of a layer's function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInput {
    /// The run.
    pub run: Run,
    /// What earlier layers handed on.
    #[serde(default)]
    pub facts: Facts,
}

/// Output of a layer's function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerOutput {
    /// This layer's own facts, under its own key.
    pub facts: Facts,
    /// What it did.
    pub report: LayerReport,
}

/// What a layer did, or in mode `plan` would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Which layer.
    pub layer: Layer,
    /// Number of resources created.
    pub created: usize,
    /// Number of changes in place.
    pub updated: usize,
    /// Number of resources deleted.
    pub deleted: usize,
    /// AWS API calls that the invocation made.
    pub calls: u64,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Key of the changes with all attributes, in skydeck's bucket; none where nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<String>,
}

impl LayerReport {
    /// Counts what the descriptions say.
    #[must_use]
    pub fn count(layer: Layer, changes: &[Description]) -> Self {
        let count = |action| changes.iter().filter(|change| change.action == action).count();
        LayerReport {
            layer,
            created: count(Action::Create),
            updated: count(Action::Update),
            deleted: count(Action::Delete),
            calls: 0,
            milliseconds: 0,
            notes: Vec::new(),
            changes: None,
        }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.created + self.updated + self.deleted == 0
    }
}

impl fmt::Display for LayerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unchanged() {
            return write!(f, "no changes");
        }
        let counts = [(self.created, "created"), (self.updated, "changed"), (self.deleted, "deleted")];
        let parts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        write!(f, "{}", parts.join(", "))
    }
}
