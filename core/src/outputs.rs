//! What a platform consists of, for people and scripts: the outputs of an apply.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{ClusterFacts, IdentityFacts, LoadBalancerFacts};
use crate::layer::service::environment;
use crate::scope::Scope;

/// The outputs; no secret value is among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The VPC.
    pub vpc_id: String,
    /// Public subnets, by availability zone.
    pub subnet_ids: BTreeMap<String, String>,
    /// Repository URI of each service.
    pub repositories: BTreeMap<String, String>,
    /// Cluster, capacity provider, Auto Scaling group and log group.
    pub cluster: ClusterFacts,
    /// ARNs of the roles.
    pub roles: IdentityFacts,
    /// Load balancers, by key in the platform file.
    pub load_balancers: BTreeMap<String, LoadBalancerFacts>,
    /// Target group ARN of each service.
    pub target_groups: BTreeMap<String, String>,
    /// ECS service ARN of each service.
    pub services: BTreeMap<String, String>,
    /// Environment of each service, references filled in; no secret is in it. An execution's output has none: of all services they may
    /// be more than Step Functions takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, BTreeMap<String, String>>,
    /// Buckets, by key in the platform file.
    pub buckets: BTreeMap<String, BucketOutput>,
    /// Parameters that a person has yet to give a value.
    pub missing_secrets: Vec<String>,
}

/// A bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketOutput {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
}

impl Outputs {
    /// What the facts of all layers say.
    #[must_use]
    pub fn of(scope: &Scope) -> Self {
        let facts = scope.facts.clone();
        let network = facts.network.unwrap_or_default();
        let balancer = facts.balancer.unwrap_or_default();
        let services = facts.service.unwrap_or_default().service_arns;
        let environment = |name: &String| {
            let service = scope.platform.services.get(name)?;
            Some((name.clone(), environment(scope, service).ok()?))
        };
        let bucket = |(key, name): (String, String)| {
            let arn = format!("arn:{}:s3:::{name}", scope.partition);
            (key, BucketOutput { name, arn })
        };
        Outputs {
            vpc_id: network.vpc_id,
            subnet_ids: network.subnet_ids,
            repositories: facts.registry.unwrap_or_default().repository_uris,
            cluster: facts.cluster.unwrap_or_default(),
            roles: facts.identity.unwrap_or_default(),
            load_balancers: balancer.load_balancers,
            target_groups: balancer.target_group_arns,
            environments: services.keys().filter_map(environment).collect(),
            services,
            buckets: facts.storage.unwrap_or_default().bucket_names.into_iter().map(bucket).collect(),
            missing_secrets: facts.secrets.unwrap_or_default().missing,
        }
    }
}
