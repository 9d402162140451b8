//! Application load balancers with their listeners and rules, a target group per service, and the function that asks
//! the internal load balancers from inside the VPC.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::logs::{LogChange, LogGroup};
use crate::plan::{Describe, Description, Found, Ref};
use crate::scope::Tags;
use crate::spec::Scheme;

mod desired;
mod hand;
mod listen;
mod plan;
mod probe;
mod teardown;

pub use desired::{facts, target_group_name, url, wants_probe};
pub use hand::moving;
pub use plan::plan;
pub use probe::{PROBE_CODE_KEY, log_group_name, probe_name};
pub use teardown::{obstacles, obstacles_leaving, teardown};

/// The port of HTTP. Its listener serves; with a certificate it sends to [`HTTPS`].
pub const HTTP: u16 = 80;
/// The port of HTTPS, whose listener serves where there is a certificate.
pub const HTTPS: u16 = 443;
/// What TLS 1.2 and 1.3 may use, and nothing older
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>).
pub const POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// What was observed: what carries the platform's tags, and what bears a name that the platform may need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Load balancers, by name.
    pub load_balancers: BTreeMap<String, Balancer>,
    /// Target groups, by name.
    pub target_groups: BTreeMap<String, Found<TargetGroup>>,
    /// Targets of the target groups that are to leave, or that something is to be sent to instead of another; of no others. They
    /// move by themselves, and are not written into a fingerprint.
    #[serde(skip)]
    pub targets: BTreeMap<String, Targets>,
    /// The function that bears the probe's name.
    pub probe: Option<Found<Probe>>,
    /// Whether Lambda is still at work on the function, so that it would refuse a change. It moves by itself, and is not
    /// written into a fingerprint.
    #[serde(skip)]
    pub probe_busy: bool,
    /// The probe's code as bootstrap has uploaded it.
    pub probe_code: Option<Code>,
    /// The log group that bears the name of the probe's.
    pub probe_logs: Option<Found<LogGroup>>,
}

/// How many targets a target group has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Targets {
    /// That are registered, or on their way out.
    pub all: usize,
    /// That are healthy.
    pub healthy: usize,
}

/// A load balancer with what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balancer {
    /// Its ARN.
    pub arn: String,
    /// Its DNS name, as AWS writes it.
    pub dns_name: String,
    /// Its settings.
    pub settings: LoadBalancer,
    /// Its listeners on [`HTTP`] and [`HTTPS`], by port; others are somebody else's.
    pub listeners: BTreeMap<u16, Listening>,
}

/// A listener with its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Its ARN.
    pub arn: String,
    /// Its settings.
    pub settings: Listener,
    /// Its rules, without the default one.
    pub rules: Vec<Found<Rule>>,
}

/// Settings of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Who reaches it.
    pub scheme: Scheme,
    /// Its subnets.
    pub subnets: BTreeSet<String>,
    /// Its security groups.
    pub groups: BTreeSet<String>,
    /// What can be switched on it.
    pub attributes: Attributes,
    /// Tags.
    pub tags: Tags,
}

/// Attributes of a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Whether it speaks HTTP/2.
    pub http2: bool,
    /// Whether it drops header fields with invalid names.
    pub drop_invalid_headers: bool,
}

/// Settings of a target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// What AWS cannot change.
    pub fixed: Fixed,
    /// How a target's health is asked.
    pub health: HealthCheck,
    /// Seconds that a deregistering target may finish its requests in.
    pub deregistration_delay_seconds: u32,
    /// Tags.
    pub tags: Tags,
}

/// Settings of a target group that AWS cannot change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    /// `HTTP`.
    pub protocol: String,
    /// `instance`: a bridge-mode task is reached by its instance and a dynamic port.
    pub target_type: String,
    /// The VPC.
    pub vpc: String,
}

/// Health check of a target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named after the API's")]
pub struct HealthCheck {
    pub protocol: String,
    pub port: String,
    pub path: String,
    pub matcher: String,
    pub interval_seconds: u32,
    pub timeout_seconds: u32,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// To a target group, by name.
    Group(String),
    /// To the first target group, by name, until the second has a healthy target: that one stands beside it with weight 0, since
    /// ECS registers nothing in a target group that no listener knows.
    Until(String, String),
    /// Nowhere: 404 `Not Found`.
    NotFound,
    /// To the same path on [`HTTPS`] of this host, for good: 301. A host of its own, since the certificate is not for
    /// the load balancer's DNS name, by which it may have been asked until now.
    Secure(String),
    /// Something that skydeck never sets up, in words.
    Other(String),
}

/// Settings of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Where what no rule matches goes.
    pub default: Target,
    /// What it speaks HTTPS with; `None` speaks HTTP.
    pub tls: Option<Tls>,
    /// Tags.
    pub tags: Tags,
}

/// What a listener speaks HTTPS with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// ARN of its certificate; those that somebody added to it stay.
    pub certificate: String,
    /// The security policy.
    pub policy: String,
}

/// Settings of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its place among the listener's rules.
    pub priority: u16,
    /// Path patterns; a condition that skydeck never makes is told in words.
    pub paths: BTreeSet<String>,
    /// Where a request that matches goes.
    pub target: Target,
    /// Tags.
    pub tags: Tags,
}

/// The published code of the probe function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Base64 of the archive's SHA-256, as Lambda tells it.
    pub sha256: String,
    /// `arm64` or `x86_64`.
    pub architecture: String,
}

/// Settings of the probe function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its code.
    pub code: Code,
    /// What else it is set to.
    pub configuration: Configuration,
    /// Tags.
    pub tags: Tags,
}

/// Configuration of the probe function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named after the API's")]
pub struct Configuration {
    pub runtime: String,
    pub handler: String,
    pub role: String,
    pub memory_mib: u32,
    pub timeout_seconds: u32,
    pub subnets: BTreeSet<String>,
    pub groups: BTreeSet<String>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "a variant is named after the API call, its fields after the call's parameters; `until` is the ARN of the target \
              group that goes on serving until `group` does"
)]
pub enum Change {
    CreateLoadBalancer { name: String, settings: LoadBalancer },
    SetAttributes { balancer: Ref, name: String, old: Option<Attributes>, new: Attributes },
    SetSubnets { arn: String, name: String, old: BTreeSet<String>, new: BTreeSet<String> },
    SetGroups { arn: String, name: String, old: BTreeSet<String>, new: BTreeSet<String> },
    CreateTargetGroup { name: String, settings: TargetGroup, replaces: Option<Box<Replaced>> },
    SetHealthCheck { arn: String, name: String, old: HealthCheck, new: HealthCheck },
    SetDelay { group: Ref, name: String, old: Option<u32>, new: u32 },
    CreateListener { balancer: Ref, port: u16, name: String, group: Option<Ref>, settings: Listener },
    SetListener { arn: String, name: String, group: Option<Ref>, until: Option<String>, old: Listener, new: Listener },
    CreateRule { listener: Ref, name: String, group: Ref, settings: Rule },
    SetPriorities { name: String, rules: Vec<Priority> },
    SetRule { arn: String, name: String, group: Ref, until: Option<String>, old: Rule, new: Rule },
    SetTags { arn: String, kind: String, name: String, old: Tags, new: Tags },
    DeleteRule { arn: String, name: String },
    DeleteListener { arn: String, name: String },
    DeleteLoadBalancer { arn: String, name: String },
    DeleteTargetGroup { arn: String, name: String },
    Log(LogChange),
    CreateProbe { name: String, settings: Probe },
    SetProbeConfiguration { name: String, old: Configuration, new: Configuration },
    SetProbeCode { name: String, old: Code, new: Code },
    TagProbe { arn: String, name: String, old: Tags, new: Tags },
    DeleteProbe { name: String },
}

/// A target group in whose place another one comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its name.
    pub name: String,
    /// Its settings.
    pub settings: TargetGroup,
    /// Name of the load balancer that sends to it, if one does, and of the one that will: a target group belongs to one.
    pub balancers: (Option<String>, String),
}

impl Replaced {
    fn describe(&self, name: &str, new: &TargetGroup) -> Description {
        let side = |settings: &TargetGroup, name: &str, balancer: &String| {
            let mut side = json!(settings);
            side["load_balancer"] = json!(balancer);
            side["name"] = json!(name);
            side
        };
        let (before, after) = &self.balancers;
        let (old, new) = (side(&self.settings, &self.name, before.as_ref().unwrap_or(after)), side(new, name, after));
        let fixed = |path: &str| path.starts_with("fixed.") || path == "load_balancer";
        let mut told = Description::replace("target group", (&self.name, name), (&old, &new), fixed);
        // The name follows from the rest; where it alone differs, it is what forces.
        if told.attributes.iter().any(|attribute| attribute.forces_replacement) {
            told.attributes.retain(|attribute| attribute.name != "name");
        } else {
            told.attributes.iter_mut().for_each(|attribute| attribute.forces_replacement = attribute.name == "name");
        }
        told
    }
}

/// A rule that gets another place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    /// The rule.
    pub arn: String,
    /// The service it serves.
    pub service: String,
    /// Where it was.
    pub old: u16,
    /// Where it goes.
    pub new: u16,
}

impl From<LogChange> for Change {
    fn from(change: LogChange) -> Self {
        Change::Log(change)
    }
}

impl Describe for Change {
    fn describe(&self) -> Description {
        match self {
            Change::CreateLoadBalancer { name, settings } => Description::create("load balancer", name, settings),
            Change::SetAttributes { name, old, new, .. } => {
                Description::update("load balancer", name, &json!({ "attributes": old }), &json!({ "attributes": new }))
            }
            Change::SetSubnets { name, old, new, .. } => {
                Description::update("load balancer", name, &json!({ "subnets": old }), &json!({ "subnets": new }))
            }
            Change::SetGroups { name, old, new, .. } => {
                Description::update("load balancer", name, &json!({ "groups": old }), &json!({ "groups": new }))
            }
            Change::CreateTargetGroup { name, settings, replaces: Some(old) } => old.describe(name, settings),
            Change::CreateTargetGroup { name, settings, replaces: None } => {
                Description::create("target group", name, settings)
            }
            Change::SetHealthCheck { name, old, new, .. } => {
                Description::update("target group", name, &json!({ "health": old }), &json!({ "health": new }))
            }
            Change::SetDelay { name, old, new, .. } => {
                let value = |seconds: Option<u32>| json!({ "deregistration_delay_seconds": seconds });
                Description::update("target group", name, &value(*old), &value(Some(*new)))
            }
            Change::CreateListener { name, settings, .. } => Description::create("listener", name, settings),
            Change::SetListener { name, old, new, .. } => {
                let side = |listener: &Listener| json!({ "default": listener.default, "tls": listener.tls });
                Description::update("listener", name, &side(old), &side(new))
            }
            Change::CreateRule { name, settings, .. } => Description::create("listener rule", name, settings),
            Change::SetPriorities { name, rules } => {
                let side = |value: fn(&Priority) -> u16| -> BTreeMap<&String, u16> {
                    rules.iter().map(|rule| (&rule.service, value(rule))).collect()
                };
                Description::update("listener rules", name, &side(|rule| rule.old), &side(|rule| rule.new))
            }
            Change::SetRule { name, old, new, .. } => Description::update("listener rule", name, old, new),
            Change::SetTags { kind, name, old, new, .. } => {
                Description::update(kind, name, &json!({ "tags": old }), &json!({ "tags": new }))
            }
            Change::DeleteRule { name, .. } => Description::delete("listener rule", name),
            Change::DeleteListener { name, .. } => Description::delete("listener", name),
            Change::DeleteLoadBalancer { name, .. } => Description::delete("load balancer", name),
            Change::DeleteTargetGroup { name, .. } => Description::delete("target group", name),
            Change::Log(change) => change.describe(),
            Change::CreateProbe { name, settings } => Description::create("function", name, settings),
            Change::SetProbeConfiguration { name, old, new } => Description::update("function", name, old, new),
            Change::SetProbeCode { name, old, new } => {
                Description::update("function", name, &json!({ "code": old }), &json!({ "code": new }))
            }
            Change::TagProbe { name, old, new, .. } => {
                Description::update("function", name, &json!({ "tags": old }), &json!({ "tags": new }))
            }
            Change::DeleteProbe { name } => Description::delete("function", name),
        }
    }
}
