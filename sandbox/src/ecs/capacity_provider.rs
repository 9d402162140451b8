//! Capacity providers of Auto Scaling groups.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::scaling::Scaling;
use super::tags::{self, Tag};
use super::{Refusal, Region, Result, World, page, short, without_nulls};

/// Managed scaling, with AWS's values where none are given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManagedScaling {
    #[serde(default = "enabled")]
    pub(crate) status: String,
    #[serde(default = "hundred")]
    pub(crate) target_capacity: i64,
    #[serde(default = "one")]
    pub(crate) minimum_scaling_step_size: i64,
    #[serde(default = "ten_thousand")]
    pub(crate) maximum_scaling_step_size: i64,
    #[serde(default = "three_hundred")]
    pub(crate) instance_warmup_period: i64,
}

fn enabled() -> String {
    "ENABLED".to_owned()
}

fn disabled() -> String {
    "DISABLED".to_owned()
}

fn one() -> i64 {
    1
}

fn hundred() -> i64 {
    100
}

fn three_hundred() -> i64 {
    300
}

fn ten_thousand() -> i64 {
    10_000
}

fn scaling_off() -> ManagedScaling {
    ManagedScaling {
        status: disabled(),
        target_capacity: hundred(),
        minimum_scaling_step_size: one(),
        maximum_scaling_step_size: ten_thousand(),
        instance_warmup_period: three_hundred(),
    }
}

/// How a provider makes its group scale.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupProvider {
    pub(crate) auto_scaling_group_arn: String,
    #[serde(default = "scaling_off")]
    pub(crate) managed_scaling: ManagedScaling,
    #[serde(default = "disabled")]
    pub(crate) managed_termination_protection: String,
    #[serde(default = "enabled")]
    pub(crate) managed_draining: String,
}

/// One capacity provider.
#[derive(Debug)]
pub(crate) struct CapacityProvider {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) active: bool,
    pub(super) group: GroupProvider,
    pub(super) tags: Vec<Tag>,
    update_status: Option<&'static str>,
    pub(super) scaling: Scaling,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateProviderRequest {
    name: String,
    auto_scaling_group_provider: Option<GroupProvider>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeProvidersRequest {
    #[serde(default)]
    capacity_providers: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateProviderRequest {
    name: String,
    auto_scaling_group_provider: GroupUpdate,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupUpdate {
    managed_scaling: Option<ScalingUpdate>,
    managed_termination_protection: Option<String>,
    managed_draining: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScalingUpdate {
    status: Option<String>,
    target_capacity: Option<i64>,
    minimum_scaling_step_size: Option<i64>,
    maximum_scaling_step_size: Option<i64>,
    instance_warmup_period: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteProviderRequest {
    capacity_provider: String,
}

const FARGATE: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

impl Region {
    pub(super) fn provider_is_active(&self, given: &str) -> bool {
        FARGATE.contains(&short(given)) || self.providers.get(short(given)).is_some_and(|provider| provider.active)
    }

    /// The provider of an instance's group, if the cluster uses it.
    pub(super) fn provider_of(&self, cluster: &str, group_arn: &str) -> Option<&str> {
        let cluster = self.clusters.get(cluster)?;
        let mut providers = self.providers.values().filter(|provider| provider.active);
        let found = providers.find(|provider| provider.group.auto_scaling_group_arn == group_arn)?;
        cluster.capacity_providers.iter().any(|name| short(name) == found.name).then_some(found.name.as_str())
    }

    pub(super) fn create_capacity_provider(&mut self, world: &World, request: CreateProviderRequest) -> Result {
        let name = request.name;
        let reserved = ["aws", "ecs", "fargate"].iter().any(|prefix| name.to_lowercase().starts_with(prefix));
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if reserved || name.is_empty() || name.len() > 255 || !name.chars().all(valid) {
            return Err(Refusal::invalid(
                "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters, \
                 numbers, underscores and hyphens, and the name cannot be prefixed with aws, ecs or fargate.",
            ));
        }
        tags::check(&request.tags)?;
        let group = request.auto_scaling_group_provider;
        let group = group.ok_or_else(|| Refusal::client("The sandbox knows Auto Scaling group providers only."))?;
        check_scaling(&group.managed_scaling)?;
        if self.providers.get(&name).is_some_and(|provider| provider.active) {
            return Err(Refusal::client(
                "The specified capacity provider already exists. To change the configuration of an existing capacity \
                 provider, update the capacity provider.",
            ));
        }
        if !world.groups.iter().any(|known| known.arn == group.auto_scaling_group_arn) {
            return Err(Refusal::client(
                "The specified Auto Scaling group ARN does not exist. Specify a valid Auto Scaling group ARN and try again.",
            ));
        }
        let mut others = self.providers.values().filter(|provider| provider.active);
        if others.any(|provider| provider.group.auto_scaling_group_arn == group.auto_scaling_group_arn) {
            return Err(Refusal::client(
                "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique \
                 Auto Scaling group ARN and try again.",
            ));
        }
        let arn = self.arn(&format!("capacity-provider/{name}"));
        let provider = CapacityProvider {
            name: name.clone(),
            arn,
            active: true,
            group,
            tags: request.tags,
            update_status: None,
            scaling: Scaling::default(),
        };
        let answer = json!({ "capacityProvider": provider_json(&provider, true) });
        self.providers.insert(name, provider);
        Ok(answer)
    }

    pub(super) fn describe_capacity_providers(&self, request: &DescribeProvidersRequest) -> Result {
        let tags = request.include.iter().any(|item| item == "TAGS");
        let fargate = |name: &str| {
            json!({
                "capacityProviderArn": self.arn(&format!("capacity-provider/{name}")),
                "name": name, "status": "ACTIVE", "type": name, "tags": [],
            })
        };
        if request.capacity_providers.is_empty() {
            let own = self.providers.values().filter(|provider| provider.active).map(|p| provider_json(p, tags));
            let all: Vec<Value> = FARGATE.iter().map(|name| fargate(name)).chain(own).collect();
            let (page, next) = page(&all, request.next_token.as_deref(), request.max_results, 10)?;
            return Ok(without_nulls(json!({ "capacityProviders": page, "failures": [], "nextToken": next })));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for given in &request.capacity_providers {
            let name = short(given);
            if FARGATE.contains(&name) {
                found.push(fargate(name));
            } else if let Some(provider) = self.providers.get(name) {
                found.push(provider_json(provider, tags));
            } else {
                let arn = self.arn(&format!("capacity-provider/{name}"));
                failures.push(json!({ "arn": arn, "reason": "MISSING" }));
            }
        }
        Ok(json!({ "capacityProviders": found, "failures": failures }))
    }

    pub(super) fn update_capacity_provider(&mut self, request: UpdateProviderRequest) -> Result {
        let provider = self.provider_mut(&request.name)?;
        let update = request.auto_scaling_group_provider;
        let mut group = provider.group.clone();
        if let Some(scaling) = update.managed_scaling {
            let kept = &mut group.managed_scaling;
            kept.status = scaling.status.unwrap_or_else(|| kept.status.clone());
            kept.target_capacity = scaling.target_capacity.unwrap_or(kept.target_capacity);
            kept.minimum_scaling_step_size =
                scaling.minimum_scaling_step_size.unwrap_or(kept.minimum_scaling_step_size);
            kept.maximum_scaling_step_size =
                scaling.maximum_scaling_step_size.unwrap_or(kept.maximum_scaling_step_size);
            kept.instance_warmup_period = scaling.instance_warmup_period.unwrap_or(kept.instance_warmup_period);
        }
        check_scaling(&group.managed_scaling)?;
        group.managed_draining = update.managed_draining.unwrap_or(group.managed_draining);
        group.managed_termination_protection =
            update.managed_termination_protection.unwrap_or(group.managed_termination_protection);
        provider.group = group;
        provider.update_status = Some("UPDATE_COMPLETE");
        Ok(json!({ "capacityProvider": provider_json(provider, true) }))
    }

    pub(super) fn delete_capacity_provider(&mut self, request: &DeleteProviderRequest) -> Result {
        let name = short(&request.capacity_provider).to_owned();
        let attached = self
            .clusters
            .values()
            .any(|cluster| cluster.active && cluster.capacity_providers.iter().any(|provider| short(provider) == name));
        let provider = self.provider_mut(&name)?;
        if attached {
            let text = "The specified capacity provider is in use and cannot be removed. Remove the capacity provider \
                        from all clusters and try again.";
            return Err(Refusal::ResourceInUse(text.to_owned()));
        }
        provider.active = false;
        provider.update_status = Some("DELETE_COMPLETE");
        Ok(json!({ "capacityProvider": provider_json(provider, true) }))
    }

    fn provider_mut(&mut self, given: &str) -> Result<&mut CapacityProvider> {
        let missing = || {
            Refusal::client(
                "The specified capacity provider does not exist. Specify a valid name or ARN and try again.",
            )
        };
        self.providers.get_mut(short(given)).filter(|provider| provider.active).ok_or_else(missing)
    }
}

fn check_scaling(scaling: &ManagedScaling) -> Result<()> {
    let step = 1..=10_000;
    let valid = (1..=100).contains(&scaling.target_capacity)
        && step.contains(&scaling.minimum_scaling_step_size)
        && step.contains(&scaling.maximum_scaling_step_size)
        && (0..=10_000).contains(&scaling.instance_warmup_period);
    if valid {
        Ok(())
    } else {
        Err(Refusal::client("The managed scaling setting for the capacity provider is invalid."))
    }
}

fn provider_json(provider: &CapacityProvider, tags: bool) -> Value {
    without_nulls(json!({
        "capacityProviderArn": provider.arn,
        "name": provider.name,
        "status": if provider.active { "ACTIVE" } else { "INACTIVE" },
        "type": "EC2_AUTOSCALING",
        "autoScalingGroupProvider": provider.group,
        "updateStatus": provider.update_status,
        "tags": if tags { json!(provider.tags) } else { json!([]) },
    }))
}
