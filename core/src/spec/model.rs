//! What a platform file says, after it was read and checked: every default filled in, every reference resolved to
//! something that exists in the file.

use std::collections::BTreeMap;
use std::fmt;

use ipnet::Ipv4Net;
use semver::VersionReq;
use serde::{Deserialize, Serialize};

use super::pattern::Pattern;

/// A whole platform: one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The platform's name; the first part of every resource name, and the tag `Project`.
    pub name: String,
    /// The environment; the second part of every resource name, and the tag `Environment`.
    pub environment: String,
    /// The AWS region, such as `ap-south-1`.
    pub region: String,
    /// Tags that every resource carries beside skydeck's own.
    pub tags: BTreeMap<String, String>,
    /// The VPC.
    pub network: Network,
    /// What holds for all ECR repositories.
    pub registry: Registry,
    /// The ECS cluster and its container instances.
    pub cluster: Cluster,
    /// S3 buckets, by their key in the file.
    pub buckets: BTreeMap<String, Bucket>,
    /// Parameter Store SecureStrings, by their key in the file.
    pub secrets: BTreeMap<String, Secret>,
    /// Application load balancers, by their key in the file.
    pub load_balancers: BTreeMap<String, LoadBalancer>,
    /// ECS services, by name.
    pub services: BTreeMap<String, Service>,
}

/// The VPC and how many zones it spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The VPC's IPv4 block, /16 to /28 (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>).
    pub cidr: Ipv4Net,
    /// One public subnet per availability zone, in this many zones.
    pub zones: u8,
    /// Names of exactly these zones, sorted; empty where skydeck chooses them.
    #[serde(default)]
    pub zone_names: Vec<String>,
}

/// Settings of all ECR repositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// How many tagged images (`v*`, and as many `latest`) a repository keeps.
    pub keep_images: u32,
    /// After how many days an untagged image expires.
    pub expire_untagged_days: u32,
}

/// The ECS cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Container Insights on or off.
    pub container_insights: bool,
    /// How long CloudWatch Logs keeps the containers' logs, in days (one of the values that CloudWatch accepts).
    pub log_retention_days: i32,
    /// The container instances.
    pub instances: Instances,
}

/// The Auto Scaling group of container instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// The EC2 instance type; an ARM64 one.
    pub instance_type: String,
    /// Smallest size of the group.
    pub min: u32,
    /// Size at creation; managed scaling owns it afterwards.
    pub desired: u32,
    /// Largest size of the group.
    pub max: u32,
    /// Seconds before a new instance's health counts.
    pub grace_seconds: u32,
}

/// An S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Appended to the bucket's name with a dash, for when the plain name is taken.
    pub suffix: Option<String>,
    /// Origins that CORS admits; none means no CORS configuration.
    pub cors_origins: Vec<String>,
    /// Whether the bucket may be deleted although it holds objects.
    pub delete_with_objects: bool,
}

/// A SecureString parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The parameter's full name, such as `/skyfox-backend/jwt-secret`.
    pub parameter: String,
    /// What skydeck writes into it; `None` where a person gives the value.
    pub value: Option<Template>,
}

/// An application load balancer: one listener that serves, and with a certificate another that sends there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Internet-facing or internal.
    pub scheme: Scheme,
    /// ARN of the ACM certificate that it serves HTTPS with; `None` serves HTTP.
    pub certificate: Option<String>,
    /// The name by which it is asked; `None` is its own DNS name. There is one where there is a certificate.
    pub host: Option<String>,
    /// The service that takes what no rule matches; `None` answers 404 `Not Found`.
    pub default_service: Option<String>,
}

/// Who reaches a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Anyone on the internet.
    InternetFacing,
    /// The platform's own container instances and the probe function.
    Internal,
}

/// An ECS service of one container, behind one load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The ECR repository's name without the platform's prefix; the service's own name if the file does not say.
    pub repository: String,
    /// Whether the repository may be deleted although it holds images.
    pub delete_with_images: bool,
    /// Which of its images it should run.
    pub image: ImagePolicy,
    /// How many revisions of its task definition stay registered after a successful rollout.
    pub keep_revisions: u32,
    /// The port the container listens on.
    pub port: u16,
    /// CPU units; 1024 are one vCPU.
    pub cpu: u32,
    /// Hard memory limit in MiB.
    pub memory: u32,
    /// Whether no process in the container gets more rights than its parent, as a program with the setuid bit would.
    pub no_new_privileges: bool,
    /// Tasks wanted until the first verified success.
    pub desired: u32,
    /// Upper limit of tasks during a deployment, in percent of `desired`.
    pub maximum_percent: u32,
    /// Lower limit of healthy tasks during a deployment, in percent of `desired`.
    pub minimum_healthy_percent: u32,
    /// Seconds after a task's start in which ECS ignores its target health.
    pub grace_seconds: u32,
    /// Key of the load balancer in front.
    pub load_balancer: String,
    /// The listener rule; `None` where the service is its load balancer's default.
    pub rule: Option<Rule>,
    /// Seconds that a deregistering target may finish its requests in.
    pub deregistration_delay_seconds: u32,
    /// Health check of the target group.
    pub health: Health,
    /// Health check inside the container; `None` where the load balancer's is enough.
    pub container_check: Option<ContainerCheck>,
    /// The path that is asked through the load balancer after a rollout.
    pub probe_path: Option<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, Template>,
    /// Environment variables that ECS fills from parameters: variable to key in [`Platform::secrets`].
    pub secrets: BTreeMap<String, String>,
    /// Keys of the buckets that the service reads and writes.
    pub buckets: Vec<String>,
}

/// Which of a repository's images a service should run. Tags that begin with `skydeck-` never count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImagePolicy {
    /// The one that bears this tag now.
    Tag(String),
    /// The highest version in this range, by tags such as `1.2.3` or `v1.2.3`.
    Semver(VersionReq),
    /// The one with the highest numbers in its tag, compared one after another: the texts before, between and behind them.
    Numeric(Vec<String>),
    /// The latest pushed of which a tag matches; `*` stands for any characters, `?` for one.
    Glob(String),
    /// The latest pushed in a tag of which this is found.
    Regex(Pattern),
    /// The latest pushed that a person tagged.
    #[default]
    Newest,
}

impl fmt::Display for ImagePolicy {
    /// As the platform file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImagePolicy::Tag(tag) => write!(f, "tag = \"{tag}\""),
            ImagePolicy::Semver(range) => write!(f, "semver = \"{range}\""),
            ImagePolicy::Numeric(texts) => write!(f, "numeric = \"{}\"", texts.join("*")),
            ImagePolicy::Glob(glob) => write!(f, "glob = \"{glob}\""),
            ImagePolicy::Regex(pattern) => write!(f, "regex = \"{pattern}\""),
            ImagePolicy::Newest => write!(f, "newest"),
        }
    }
}

/// A listener rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Path pattern, such as `/payment-service*`.
    pub path: String,
    /// 1 to 50000, unique within the listener.
    pub priority: u16,
}

/// Health check numbers, with the target group's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The path asked on the container itself.
    pub path: String,
    /// HTTP status codes that count as healthy, such as `200` or `200-299`.
    pub matcher: String,
    /// Seconds between two checks.
    pub interval_seconds: u32,
    /// Seconds to wait for an answer.
    pub timeout_seconds: u32,
    /// Successes in a row that make a target healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy_threshold: u32,
}

/// A health check that runs inside the container, with ECS's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerCheck {
    /// `CMD` and a program with its arguments, or `CMD-SHELL` and a text for the container's shell.
    pub command: Vec<String>,
    /// Seconds between two runs.
    pub interval_seconds: u32,
    /// Seconds in which it has to end.
    pub timeout_seconds: u32,
    /// Failures in a row that make the container unhealthy.
    pub retries: u32,
    /// Seconds after the container's start in which failures do not count.
    pub start_seconds: u32,
}

/// A text with references in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template(pub Vec<Part>);

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Plain text.
    Text(String),
    /// `${platform.name}`, `${platform.environment}` and `${platform.region}` are resolved while reading; this is the
    /// name of a bucket: `${buckets.KEY.name}`.
    BucketName(String),
    /// `${buckets.KEY.arn}`.
    BucketArn(String),
    /// `${load-balancers.KEY.url}`: scheme and host name, without a slash at the end.
    LoadBalancerUrl(String),
    /// `${services.NAME.url}`: its load balancer's URL and, where a rule routes to it, the rule's path without the `*`.
    ServiceUrl(String),
}
