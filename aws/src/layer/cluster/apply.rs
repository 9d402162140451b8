//! Carries out the cluster's changes, one call each.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as ecs;
use skydeck_core::layer::cluster::{Capacity, Change, Scaling};
use skydeck_core::scope::{Scope, Tags};

use super::{group, refresh, template};
use crate::client::Clients;
use crate::error::{Error, Explain, Result, not_yet, tolerate};
use crate::execute::Made;
use crate::logs;
use crate::tag::to_ecs;

pub(super) async fn apply(clients: &Clients, scope: &Scope, change: &Change, made: &Made) -> Result<Option<String>> {
    let (client, ec2, scaling) = (clients.ecs(), clients.ec2(), clients.autoscaling());
    match change {
        Change::CreateCluster { name, insights, tags } => {
            return create_cluster(client, name, insights, tags).await.map(Some);
        }
        Change::CreateTemplate { name, settings, tags } => {
            return template::create(ec2, name, settings, tags).await.map(Some);
        }
        Change::CreateVersion { id, name, after, new, .. } => {
            return template::create_version(ec2, id, name, *after, new).await.map(Some);
        }
        Change::CreateGroup { name, template, version, desired, settings, tags } => {
            let template = (made.id(template)?, made.id(version)?);
            return group::create(scaling, scope, name, template, *desired, settings, tags).await.map(Some);
        }
        Change::CreateProvider { name, group, settings, tags } => {
            return create_provider(client, name, made.id(group)?, settings, tags).await.map(Some);
        }
        Change::SetInsights { name, new, .. } => set_insights(client, name, new).await?,
        Change::SetCapacity { cluster, new, .. } => set_capacity(client, cluster, new).await?,
        Change::SetDefaultVersion { id, name, version, .. } => {
            template::set_default(ec2, id, name, made.id(version)?).await?;
        }
        Change::SetGroup { name, new, .. } => group::update(scaling, name, new).await?,
        Change::SetGroupTemplate { name, template, version, .. } => {
            group::set_template(scaling, name, made.id(template)?, made.id(version)?).await?;
        }
        Change::StartRefresh { name, preferences, .. } => refresh::start(scaling, name, preferences).await?,
        Change::TagGroup { name, new, .. } => group::tag(scaling, name, new).await?,
        Change::EmptyGroup { name, .. } => group::empty(scaling, name).await?,
        Change::SetProvider { name, new, .. } => set_provider(client, name, new).await?,
        Change::TagEcs { arn, kind, name, new, .. } => {
            let request = client.tag_resource().resource_arn(arn).set_tags(Some(to_ecs(new)));
            request.send().await.during(&format!("tag {kind}"), name)?;
        }
        Change::TagTemplate { id, name, new, .. } => template::tag(ec2, id, name, new).await?,
        Change::Log(change) => logs::apply(clients.logs(), change).await?,
        Change::DeleteProvider { name } => delete_provider(client, name).await?,
        Change::DeleteGroup { name } => group::delete(scaling, name).await?,
        Change::DeleteTemplate { id, name } => template::delete(ec2, id, name).await?,
        Change::DeleteCluster { name } => delete_cluster(client, name).await?,
    }
    Ok(None)
}

fn made_arn(arn: Option<&str>, what: &str, name: &str) -> Result<String> {
    arn.map(Into::into).ok_or_else(|| Error::Broken(format!("AWS made {what} {name} and gave no ARN for it")))
}

fn setting(insights: &str) -> ecs::ClusterSetting {
    ecs::ClusterSetting::builder().name(ecs::ClusterSettingName::ContainerInsights).value(insights).build()
}

/// Idempotent by name: ECS answers with the cluster that is there.
async fn create_cluster(client: &Client, name: &str, insights: &str, tags: &Tags) -> Result<String> {
    let request = client.create_cluster().cluster_name(name).settings(setting(insights));
    let result = request.set_tags(Some(to_ecs(tags))).send().await.during("create cluster", name);
    made_arn(result?.cluster().and_then(|cluster| cluster.cluster_arn()), "cluster", name)
}

async fn set_insights(client: &Client, name: &str, new: &str) -> Result<()> {
    let request = client.update_cluster_settings().cluster(name).settings(setting(new));
    request.send().await.during("set Container Insights of cluster", name).map(drop)
}

async fn set_capacity(client: &Client, cluster: &str, new: &Capacity) -> Result<()> {
    let mut strategy = Vec::new();
    for (provider, (base, weight)) in &new.strategy {
        let item = ecs::CapacityProviderStrategyItem::builder().capacity_provider(provider).base(*base).weight(*weight);
        strategy.push(item.build().map_err(|_| Error::Broken("a capacity provider has no name".into()))?);
    }
    // Both lists are always sent: an empty one is what detaches.
    let request = client
        .put_cluster_capacity_providers()
        .cluster(cluster)
        .set_capacity_providers(Some(new.providers.iter().cloned().collect()))
        .set_default_capacity_provider_strategy(Some(strategy));
    request.send().await.during("set capacity providers of cluster", cluster).map(drop)
}

fn managed_scaling(settings: &Scaling) -> ecs::ManagedScaling {
    ecs::ManagedScaling::builder()
        .status(if settings.managed { ecs::ManagedScalingStatus::Enabled } else { ecs::ManagedScalingStatus::Disabled })
        .target_capacity(settings.target_percent)
        .minimum_scaling_step_size(settings.min_step)
        .maximum_scaling_step_size(settings.max_step)
        .instance_warmup_period(settings.warmup_seconds)
        .build()
}

fn draining(settings: &Scaling) -> ecs::ManagedDraining {
    if settings.draining { ecs::ManagedDraining::Enabled } else { ecs::ManagedDraining::Disabled }
}

fn protection(settings: &Scaling) -> ecs::ManagedTerminationProtection {
    if settings.protection {
        ecs::ManagedTerminationProtection::Enabled
    } else {
        ecs::ManagedTerminationProtection::Disabled
    }
}

async fn create_provider(client: &Client, name: &str, group: &str, settings: &Scaling, tags: &Tags) -> Result<String> {
    let group = ecs::AutoScalingGroupProvider::builder()
        .auto_scaling_group_arn(group)
        .managed_scaling(managed_scaling(settings))
        .managed_draining(draining(settings))
        .managed_termination_protection(protection(settings))
        .build()
        .map_err(|_| Error::Broken(format!("capacity provider {name} has no Auto Scaling group")))?;
    let request = client.create_capacity_provider().name(name).auto_scaling_group_provider(group);
    let result = request.set_tags(Some(to_ecs(tags))).send().await.during("create capacity provider", name);
    // A retry after a lost answer finds it there, and the next attempt observes whose it is.
    let answer = not_yet(result, |error| error.says("ClientException", "already exists"))?;
    let provider = answer.capacity_provider();
    made_arn(provider.and_then(|provider| provider.capacity_provider_arn()), "capacity provider", name)
}

async fn set_provider(client: &Client, name: &str, new: &Scaling) -> Result<()> {
    let update = ecs::AutoScalingGroupProviderUpdate::builder()
        .managed_scaling(managed_scaling(new))
        .managed_draining(draining(new))
        .managed_termination_protection(protection(new))
        .build();
    let request = client.update_capacity_provider().name(name).auto_scaling_group_provider(update);
    request.send().await.during("update capacity provider", name).map(drop)
}

async fn delete_provider(client: &Client, name: &str) -> Result<()> {
    let result = client.delete_capacity_provider().capacity_provider(name).send().await;
    let result = result.during("delete capacity provider", name);
    match result {
        // Gone already: a retry after a lost answer, or a person who was faster.
        Err(error) if error.says("ClientException", "does not exist") || error.says("ClientException", "not found") => {
            Ok(())
        }
        result => result.map(drop),
    }
}

async fn delete_cluster(client: &Client, name: &str) -> Result<()> {
    let result = client.delete_cluster().cluster(name).send().await.during("delete cluster", name);
    // Gone already: a retry after a lost answer, or a person who was faster.
    tolerate(result, &["ClusterNotFoundException"]).map(drop)
}
