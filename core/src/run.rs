//! The payloads between the states of `provision`, and the report of a run.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::plan::{Action, Description, by_resource};

mod ending;

pub use ending::{Conclusion, Ending, Failure, Outcome};

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
    pub const fn name(self) -> &'static str {
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

/// Input of `Prepare`: what the execution was started with, and which execution it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// What the run is for.
    pub mode: Mode,
    /// `<platform>-<environment>`; may be left out where the installation has one platform.
    #[serde(default)]
    pub platform: Option<String>,
    /// Key of the file that is meant; without it, the platform's own. Applied, it becomes the platform's own.
    #[serde(default)]
    pub file: Option<String>,
    /// Version of that file, so that an upload after the start changes nothing; without it, the latest.
    #[serde(default)]
    pub version: Option<String>,
    /// The plan that is to be applied as it was shown; with mode `apply`.
    #[serde(default)]
    pub plan: Option<String>,
    /// Plan by what was applied last, and tell of it where anything differs: the sweep's question; with mode `plan`.
    #[serde(default)]
    pub drift: bool,
    /// Whether instances are to be launched from the image that AWS recommends now; a plan says it itself.
    #[serde(default)]
    pub refresh_ami: bool,
    /// The execution's name.
    pub execution: String,
    /// The execution's ARN.
    pub execution_arn: String,
}

/// Output of `Prepare`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The run.
    pub run: Run,
}

/// Input of `Approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The run, still in mode `plan`.
    pub run: Run,
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
    /// Version of the platform file that the run works by, so that an upload in between changes nothing.
    pub spec_version: String,
    /// Key of the file, where it is one that was only planned with and is not the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Version that the platform's own file had then, where another is planned with; none where there was no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The plan that the run applies. As long as the mode is `plan`, it finds out whether that one still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approves: Option<String>,
    /// Whether the plan is told as drift.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drift: bool,
    /// Whether instances are to be launched from the image that AWS recommends now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh_ami: bool,
}

impl Run {
    /// Key of the platform file in skydeck's bucket.
    #[must_use]
    pub fn spec_key(&self) -> String {
        self.file.clone().unwrap_or_else(|| spec_key(&self.platform))
    }

    /// What the run is for, whatever it is at.
    #[must_use]
    pub fn purpose(&self) -> Mode {
        if self.approves.is_some() { Mode::Apply } else { self.mode }
    }

    /// Key of something that this run writes.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("platforms/{}/runs/{}/{name}", self.platform, self.id)
    }

    /// Partition and account that the execution runs in, from its ARN.
    #[must_use]
    pub fn home(&self) -> Option<(&str, &str)> {
        let mut parts = self.execution.split(':');
        Some((parts.nth(1)?, parts.nth(2)?))
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

/// Input of `Observe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The run.
    pub run: Run,
    /// What the layers handed on.
    #[serde(default)]
    pub facts: Facts,
    /// Which look this is, from 0.
    pub round: u32,
    /// ARNs of the rollouts that the run has started, by service.
    #[serde(default)]
    pub rollouts: BTreeMap<String, String>,
}

/// Output of a layer's function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerOutput {
    /// This layer's own facts, under its own key.
    pub facts: Facts,
    /// What it did.
    pub report: LayerReport,
    /// Services that a rollout has to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<String>,
    /// Whether something is left for when everything serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
}

/// Input of `Dispatch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// The run.
    pub run: Run,
    /// What the layers handed on.
    pub facts: Facts,
    /// Services that a rollout has to change, and of which none has begun.
    #[serde(default)]
    pub services: Vec<String>,
    /// How many rollouts that the run has started go on.
    #[serde(default)]
    pub running: usize,
}

/// How many rollouts a run starts at once. A new account runs ten functions at once, a rollout one at a time, and there are pushes
/// besides.
pub const ROLLOUTS_AT_ONCE: usize = 5;

/// The services whose rollouts begin now, and those that wait for some of the `running` ones to end.
#[must_use]
pub fn begin(services: &[String], running: usize) -> (&[String], &[String]) {
    let free = ROLLOUTS_AT_ONCE.saturating_sub(running);
    services.split_at(free.min(services.len()))
}

/// Output of `Dispatch`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatched {
    /// ARN of the rollout of each service that was started now.
    pub rollouts: BTreeMap<String, String>,
    /// Services whose rollouts wait for others to end.
    pub waiting: Vec<String>,
}

/// What a layer did, or in mode `plan` would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Which layer.
    pub layer: Layer,
    /// Number of resources created.
    pub created: usize,
    /// Number of resources changed in place.
    pub updated: usize,
    /// Number of resources that others took the place of.
    #[serde(default)]
    pub replaced: usize,
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
    /// Counts the resources that the changes are about.
    #[must_use]
    pub fn count(layer: Layer, changes: &[Description]) -> Self {
        let resources = by_resource(changes);
        let count = |action| resources.iter().filter(|change| change.action == action).count();
        LayerReport {
            layer,
            created: count(Action::Create),
            updated: count(Action::Update),
            replaced: count(Action::Replace),
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
        self.created + self.updated + self.replaced + self.deleted == 0
    }
}

impl fmt::Display for LayerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unchanged() {
            return write!(f, "no changes");
        }
        let counts = [
            (self.created, "created"),
            (self.updated, "changed"),
            (self.replaced, "replaced"),
            (self.deleted, "deleted"),
        ];
        let parts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        write!(f, "{}", parts.join(", "))
    }
}

/// What is written about a layer of a run, over all attempts of its state: each attempt adds to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Changes carried out, in order.
    pub changes: Vec<Description>,
    /// AWS API calls made.
    pub calls: u64,
    /// Time spent, without the state machine's waits, in milliseconds.
    pub milliseconds: u64,
}

/// Key of the drift that was told last, in skydeck's bucket.
#[must_use]
pub fn drift_key(platform: &str) -> String {
    format!("platforms/{platform}/drift.json")
}

/// The tag of an object that only tells what was: the rules of skydeck's bucket let these go after a while.
pub const PASSING: (&str, &str) = ("skydeck:passing", "true");

/// Whether an object of skydeck's bucket only tells what was: a run's reports, a plan. All else is needed for ever.
#[must_use]
pub fn is_passing(key: &str) -> bool {
    let mut parts = key.split('/');
    parts.next() == Some("platforms") && matches!(parts.nth(1), Some("runs" | "plans"))
}

/// Key of a platform's outputs in skydeck's bucket.
#[must_use]
pub fn outputs_key(platform: &str) -> String {
    format!("platforms/{platform}/outputs.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Description, by_resource};

    #[test]
    fn rollouts_begin_as_others_end() {
        let services = ["a", "b", "c", "d", "e", "f", "g"].map(String::from);
        let counts = |running| (begin(&services, running).0.len(), begin(&services, running).1.len());
        assert_eq!([0, 3, 5, 9].map(counts), [(5, 2), (2, 5), (0, 7), (0, 7)]);
        assert!(begin(&[], 0).0.is_empty());
    }

    #[test]
    fn what_is_needed_for_ever_does_not_pass() {
        use crate::preview::{file_key, plan_key};
        let run = |what: &str| format!("platforms/p-e/runs/x/{what}");
        for key in [run("network.json"), run("plan/network.json"), plan_key("p-e", "i"), file_key("p-e", "h")] {
            assert!(is_passing(&key), "{key}");
        }
        let kept = [spec_key("p-e"), drift_key("p-e"), outputs_key("p-e"), crate::rollout::ledger::applied_key("p-e")];
        for key in kept.iter().map(String::as_str).chain([
            "platforms/p-e/lock.json",
            "platforms/p-e/services/runs/record.json",
            "platforms/runs/platform.toml",
            "functions/network.zip",
        ]) {
            assert!(!is_passing(key), "{key}");
        }
    }

    #[test]
    fn a_change_by_way_of_something_else_is_told_as_one() {
        let way = [("a", None), ("a", Some("b")), ("b", None)];
        let side = |(to, until): (&str, Option<&str>)| serde_json::json!({ "to": to, "until": until });
        let step = |at: usize| Description::update("rule", "r", &side(way[at]), &side(way[at + 1]));
        let told = by_resource(&[step(0), step(1)]);
        assert_eq!(told, [Description::update("rule", "r", &side(way[0]), &side(way[2]))]);
    }

    #[test]
    fn a_resource_counts_once_however_many_calls_it_takes() {
        let (none, some) = (serde_json::json!({}), serde_json::json!({ "a": 1 }));
        let update = |name: &str| Description::update("VPC", name, &none, &some);
        let changes = [
            Description::create("VPC", "new", &some),
            update("new"),
            update("old"),
            update("old"),
            update("going"),
            Description::delete("VPC", "going"),
        ];
        let report = LayerReport::count(Layer::Network, &changes);
        assert_eq!((report.created, report.updated, report.deleted), (1, 1, 1));
        assert_eq!(report.to_string(), "1 created, 1 changed, 1 deleted");
        assert_eq!(LayerReport::count(Layer::Network, &[]).to_string(), "no changes");
    }
}
