//! Reads the cluster: one call per kind of resource, by the names that the platform gives them.

use std::collections::BTreeMap;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as ecs;
use futures::try_join;
use skydeck_core::layer::cluster::{AMI_PARAMETER, Capacity, Cluster, Provider, Scaling, World, log_group_name};
use skydeck_core::scope::Scope;

use super::{group, template};
use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::tag::from_ecs;
use crate::{logs, number};

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let (prefix, instances, group) = (scope.prefix(), scope.name("instances"), log_group_name(scope));
    let (recommended_ami, cluster, template, group, provider, logs) = try_join!(
        ami(clients.ssm()),
        cluster(clients.ecs(), &prefix),
        template::find(clients.ec2(), &instances),
        group::find(clients.autoscaling(), &instances),
        provider(clients.ecs(), &instances),
        logs::find(clients.logs(), &group),
    )?;
    Ok(World { recommended_ami, cluster, template, group, provider, logs })
}

async fn ami(ssm: &aws_sdk_ssm::Client) -> Result<Option<String>> {
    let result = ssm.get_parameter().name(AMI_PARAMETER).send().await;
    let found = result.find(&["ParameterNotFound"], "read parameter", AMI_PARAMETER)?;
    Ok(found.and_then(|found| found.parameter()?.value().map(Into::into)))
}

async fn cluster(client: &Client, name: &str) -> Result<Option<Cluster>> {
    let answer = client
        .describe_clusters()
        .clusters(name)
        .include(ecs::ClusterField::Tags)
        .include(ecs::ClusterField::Settings)
        .include(ecs::ClusterField::Attachments)
        .send()
        .await
        .during("find cluster", name)?;
    // A deleted cluster stays visible for a while, as INACTIVE.
    Ok(answer.clusters().iter().find(|found| found.status() != Some("INACTIVE")).map(read_cluster))
}

fn read_cluster(found: &ecs::Cluster) -> Cluster {
    let insights =
        found.settings().iter().find(|setting| setting.name() == Some(&ecs::ClusterSettingName::ContainerInsights));
    let strategy = found.default_capacity_provider_strategy().iter();
    let working = |status: Option<&str>| {
        status.is_some_and(|status| status.ends_with("_IN_PROGRESS") || status.ends_with("PROVISIONING"))
    };
    Cluster {
        arn: found.cluster_arn().unwrap_or_default().into(),
        insights: insights.and_then(|setting| setting.value()).unwrap_or("disabled").into(),
        capacity: Capacity {
            providers: found.capacity_providers().iter().cloned().collect(),
            strategy: strategy
                .map(|item| (item.capacity_provider().to_owned(), (item.base(), item.weight())))
                .collect::<BTreeMap<_, _>>(),
        },
        busy: working(found.attachments_status()) || working(found.status()),
        services: number::from_aws(Some(found.active_services_count())),
        tags: from_ecs(found.tags()),
    }
}

async fn provider(client: &Client, name: &str) -> Result<Option<Provider>> {
    let answer = client
        .describe_capacity_providers()
        .capacity_providers(name)
        .include(ecs::CapacityProviderField::Tags)
        .send()
        .await
        .during("find capacity provider", name)?;
    // A deleted provider stays visible for a while, as INACTIVE.
    let alive = |found: &&ecs::CapacityProvider| found.status() != Some(&ecs::CapacityProviderStatus::Inactive);
    Ok(answer.capacity_providers().iter().find(alive).map(read_provider))
}

fn read_provider(found: &ecs::CapacityProvider) -> Provider {
    let group = found.auto_scaling_group_provider();
    let scaling = group.and_then(|group| group.managed_scaling());
    let number = |value: fn(&ecs::ManagedScaling) -> Option<i32>| scaling.and_then(value).unwrap_or_default();
    let working = |status: Option<&str>| {
        status.is_some_and(|status| status.ends_with("_IN_PROGRESS") || status.ends_with("PROVISIONING"))
    };
    Provider {
        arn: found.capacity_provider_arn().unwrap_or_default().into(),
        group: group.map(|group| group.auto_scaling_group_arn()).unwrap_or_default().into(),
        busy: working(found.update_status().map(|status| status.as_str()))
            || working(found.status().map(|status| status.as_str())),
        settings: Scaling {
            managed: scaling.and_then(|scaling| scaling.status()) == Some(&ecs::ManagedScalingStatus::Enabled),
            target_percent: number(ecs::ManagedScaling::target_capacity),
            min_step: number(ecs::ManagedScaling::minimum_scaling_step_size),
            max_step: number(ecs::ManagedScaling::maximum_scaling_step_size),
            warmup_seconds: number(ecs::ManagedScaling::instance_warmup_period),
            draining: group.and_then(|group| group.managed_draining()) == Some(&ecs::ManagedDraining::Enabled),
            protection: group.and_then(|group| group.managed_termination_protection())
                == Some(&ecs::ManagedTerminationProtection::Enabled),
        },
        tags: from_ecs(found.tags()),
    }
}
