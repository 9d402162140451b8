//! What the cluster should be, by the platform file and the earlier layers; and what it hands on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Capacity, GroupSettings, Launch, Preferences, Scaling, World};
use crate::facts::{ClusterFacts, Facts, NetworkFacts, need};
use crate::plan::Refusal;
use crate::scope::{Scope, Tags};

/// Most tasks use all that an instance has; the head-room is the group's own largest size.
const TARGET_PERCENT: i32 = 100;

/// Seconds from a launch to the instance's joining the cluster, rather too many: managed scaling starts another one
/// when they are over and tasks still wait.
const WARMUP_SECONDS: i32 = 120;

/// The tag that ECS looks for on a group whose size it manages; without it ECS would add it, and the tags would differ.
const MANAGED_TAG: &str = "AmazonECSManaged";

/// Name of launch template, Auto Scaling group and capacity provider alike.
pub(super) fn instances_name(scope: &Scope) -> String {
    scope.name("instances")
}

/// The name of the containers' log group.
#[must_use]
pub fn log_group_name(scope: &Scope) -> String {
    format!("/ecs/{}", scope.prefix())
}

pub(super) fn insights(scope: &Scope) -> &'static str {
    if scope.platform.cluster.container_insights { "enabled" } else { "disabled" }
}

pub(super) fn capacity(scope: &Scope) -> Capacity {
    let provider = instances_name(scope);
    Capacity { providers: BTreeSet::from([provider.clone()]), strategy: BTreeMap::from([(provider, (0, 1))]) }
}

fn network(scope: &Scope) -> Result<&NetworkFacts, Refusal> {
    need(scope.facts.network.as_ref(), "network", "its ids")
}

/// How an instance is launched; with this AMI, which is pinned.
pub(super) fn launch(scope: &Scope, ami: String) -> Result<Launch, Refusal> {
    let profile = scope.facts.identity.as_ref().map(|identity| &identity.instance_profile_arn);
    let group = network(scope)?.security_group_ids.get("instances");
    let (name, instances) = (instances_name(scope), &scope.platform.cluster.instances);
    Ok(Launch {
        ami,
        instance_type: instances.instance_type.clone(),
        profile: need(profile, "identity", "the instance profile")?.clone(),
        groups: BTreeSet::from([need(group, "network", "the instances' security group")?.clone()]),
        user_data: format!(
            "#!/bin/bash\necho ECS_CLUSTER={} >> /etc/ecs/ecs.config\n\
             echo ECS_ENABLE_CONTAINER_METADATA=true >> /etc/ecs/ecs.config\n\
             echo ECS_AWSVPC_BLOCK_IMDS=true >> /etc/ecs/ecs.config\n",
            scope.prefix()
        ),
        http_tokens: "required".into(),
        // One hop ends at the instance: a container in bridge mode is the second, so it cannot take the instance's
        // role. It has its task role by the agent's own address (169.254.170.2), which is not the metadata service. A task
        // with a network interface of its own is one hop away: there the agent blocks it.
        hop_limit: 1,
        encrypted: true,
        instance_tags: scope.tags("instance", &name, None),
        volume_tags: scope.tags("volume", &name, None),
    })
}

pub(super) fn group(scope: &Scope) -> Result<GroupSettings, Refusal> {
    let instances = &scope.platform.cluster.instances;
    Ok(GroupSettings {
        min: instances.min,
        max: instances.max,
        subnets: network(scope)?.subnet_ids.values().cloned().collect(),
        health: "EC2".into(),
        grace_seconds: instances.grace_seconds,
        termination: vec!["OldestInstance".into()],
    })
}

pub(super) fn group_tags(scope: &Scope) -> Tags {
    let mut tags = scope.tags("auto-scaling-group", &instances_name(scope), None);
    tags.insert(MANAGED_TAG.into(), String::new());
    tags
}

pub(super) fn scaling(scope: &Scope) -> Scaling {
    Scaling {
        managed: true,
        target_percent: TARGET_PERCENT,
        min_step: 1,
        max_step: i32::try_from(scope.platform.cluster.instances.max.max(1)).unwrap_or(i32::MAX),
        warmup_seconds: WARMUP_SECONDS,
        draining: true,
        // It would keep the group from ever shrinking below what it once had, and destroy from emptying it.
        protection: false,
    }
}

/// How instances are replaced: one launched before one goes, in steps of a tenth of the group and at least one. More at
/// once would need as many more instances, which quotas and managed scaling are not made for.
pub(super) fn preferences() -> Preferences {
    Preferences {
        min_healthy_percent: 100,
        max_healthy_percent: 110,
        // In service says only that it runs: an old one may go when the new one can take its tasks.
        warmup_seconds: WARMUP_SECONDS,
        skip_matching: true,
    }
}

/// Names and ARNs of what was observed.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let Some(cluster) = world.cluster.as_ref().filter(|cluster| scope.owns(&cluster.tags)) else {
        return Facts::default();
    };
    Facts {
        cluster: Some(ClusterFacts {
            cluster_name: scope.prefix(),
            cluster_arn: cluster.arn.clone(),
            capacity_provider: instances_name(scope),
            auto_scaling_group: instances_name(scope),
            log_group: log_group_name(scope),
        }),
        ..Facts::default()
    }
}
