//! What layers hand on to one another: ids, ARNs and names, small enough for the state machine's payload.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::plan::Refusal;

mod placeholder;

pub use placeholder::KNOWN_AFTER_APPLY;

/// The facts of all layers that have run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Of the network layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkFacts>,
    /// Of the identity layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityFacts>,
    /// Of the registry layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistryFacts>,
    /// Of the storage layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageFacts>,
    /// Of the secrets layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SecretsFacts>,
    /// Of the balancer layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balancer: Option<BalancerFacts>,
    /// Of the cluster layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterFacts>,
    /// Of the service layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceFacts>,
}

impl Facts {
    /// These facts, and in place of some of them newer ones.
    #[must_use]
    pub fn with(self, newer: Facts) -> Facts {
        Facts {
            network: newer.network.or(self.network),
            identity: newer.identity.or(self.identity),
            registry: newer.registry.or(self.registry),
            storage: newer.storage.or(self.storage),
            secrets: newer.secrets.or(self.secrets),
            balancer: newer.balancer.or(self.balancer),
            cluster: newer.cluster.or(self.cluster),
            service: newer.service.or(self.service),
        }
    }
}

/// Takes a fact out of an earlier layer's, or says which layer has not run.
///
/// # Errors
/// [`Refusal::MissingFact`] where the layer has said nothing.
pub fn need<'a, T>(fact: Option<&'a T>, layer: &str, what: &str) -> Result<&'a T, Refusal> {
    fact.ok_or_else(|| Refusal::MissingFact { layer: layer.into(), what: what.into() })
}

/// Ids of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// The VPC.
    pub vpc_id: String,
    /// Public subnets, by availability zone.
    pub subnet_ids: BTreeMap<String, String>,
    /// Subnets of zones that the platform leaves, in which instances still run.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leaving_subnet_ids: BTreeSet<String>,
    /// Security groups: `instances`, `probe`, and `alb-<key>` for each load balancer.
    pub security_group_ids: BTreeMap<String, String>,
}

/// ARNs of the roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityFacts {
    /// Role of the container instances.
    pub instance_role_arn: String,
    /// Instance profile of the container instances.
    pub instance_profile_arn: String,
    /// Role of the probe function.
    pub probe_role_arn: String,
    /// Task execution role of each service.
    pub execution_role_arns: BTreeMap<String, String>,
    /// Task role of each service.
    pub task_role_arns: BTreeMap<String, String>,
}

/// The repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryFacts {
    /// Repository URI of each service.
    pub repository_uris: BTreeMap<String, String>,
}

/// The buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageFacts {
    /// Bucket name, by key in the platform file.
    pub bucket_names: BTreeMap<String, String>,
}

/// The parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsFacts {
    /// Parameter ARN, by key in the platform file.
    pub parameter_arns: BTreeMap<String, String>,
    /// Names of parameters that a person has yet to give a value.
    pub missing: Vec<String>,
}

/// The load balancers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerFacts {
    /// Load balancers, by key in the platform file.
    pub load_balancers: BTreeMap<String, LoadBalancerFacts>,
    /// Target group ARN of each service.
    pub target_group_arns: BTreeMap<String, String>,
    /// Target groups that serve until others, which take their place, do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub serving_on: BTreeSet<String>,
    /// Name of the probe function, where a load balancer is internal.
    pub probe_function: Option<String>,
}

/// One load balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerFacts {
    /// Its ARN.
    pub arn: String,
    /// Its DNS name.
    pub dns_name: String,
    /// Scheme and DNS name, without a slash at the end.
    pub url: String,
}

/// The cluster and its instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// The ECS cluster's name.
    pub cluster_name: String,
    /// The ECS cluster's ARN.
    pub cluster_arn: String,
    /// The capacity provider's name.
    pub capacity_provider: String,
    /// The Auto Scaling group's name.
    pub auto_scaling_group: String,
    /// The containers' log group.
    pub log_group: String,
}

/// The services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// ECS service ARN of each service.
    pub service_arns: BTreeMap<String, String>,
    /// Task definition ARN of each service.
    pub task_definition_arns: BTreeMap<String, String>,
}
