//! What of others uses the platform's cluster, capacity provider and launch template.

use std::collections::BTreeSet;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ClusterField, ContainerInstanceField, TaskField};
use futures::future::try_join_all;
use futures::try_join;
use skydeck_core::foreign::Foreign;
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::layer::service::described;
use crate::tag::{from_ec2, from_ecs};

/// How many tasks, container instances or clusters one call describes
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>).
const OTHERS: usize = 100;
/// What ECS answers where there is no such cluster.
const GONE: &[&str] = &["ClusterNotFoundException"];

pub(super) async fn find(clients: &Clients, scope: &Scope, instances: &BTreeSet<String>) -> Result<Vec<Foreign>> {
    let (inside, users, groups) = try_join!(
        inside(clients.ecs(), scope, instances),
        provider_users(clients.ecs(), scope),
        template_users(clients, scope)
    )?;
    Ok([inside, users, groups].concat())
}

/// Services, single tasks and container instances of others in the platform's cluster: it cannot go before them.
async fn inside(ecs: &Client, scope: &Scope, instances: &BTreeSet<String>) -> Result<Vec<Foreign>> {
    let cluster = &scope.prefix();
    let request = ecs.describe_clusters().clusters(cluster).include(ClusterField::Tags);
    let answer = request.send().await.during("describe cluster", cluster)?;
    if !answer.clusters().iter().any(|found| scope.owns(&from_ecs(found.tags()))) {
        return Ok(Vec::new());
    }
    let (services, tasks, machines) =
        try_join!(services(ecs, scope, cluster), tasks(ecs, cluster), machines(ecs, cluster, instances))?;
    Ok([services, tasks, machines].concat())
}

async fn services(ecs: &Client, scope: &Scope, cluster: &str) -> Result<Vec<Foreign>> {
    let request = ecs.list_services().cluster(cluster).max_results(100).into_paginator().items().send();
    let arns = request.collect::<Result<Vec<_>, _>>().await.find(GONE, "list services of cluster", cluster)?;
    let found = described(ecs, cluster, &arns.unwrap_or_default()).await?;
    let foreign = found.iter().filter(|service| service.status() != Some("INACTIVE")).filter_map(|service| {
        let tags = from_ecs(service.tags());
        let found = Foreign::new("ECS service", service.service_name()?, format!("runs in cluster {cluster}"));
        (!scope.owns(&tags)).then(|| found.tagged(tags))
    });
    Ok(foreign.collect())
}

/// Tasks that no service has started.
async fn tasks(ecs: &Client, cluster: &str) -> Result<Vec<Foreign>> {
    let request = ecs.list_tasks().cluster(cluster).into_paginator().items().send();
    let arns = request.collect::<Result<Vec<_>, _>>().await.find(GONE, "list tasks of cluster", cluster)?;
    let arns = arns.unwrap_or_default();
    let chunks = arns.chunks(OTHERS).map(|arns| async move {
        let request = ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec())).include(TaskField::Tags);
        request.send().await.find(GONE, "describe tasks of cluster", cluster)
    });
    let answers = try_join_all(chunks).await?;
    let alone = answers.iter().flatten().flat_map(|answer| answer.tasks()).filter(|task| {
        !task.group().unwrap_or_default().starts_with("service:") && task.last_status() != Some("STOPPED")
    });
    let foreign = alone.filter_map(|task| {
        let found =
            Foreign::new("ECS task", task.task_arn()?, format!("runs in cluster {cluster}, and no service started it"));
        Some(found.tagged(from_ecs(task.tags())))
    });
    Ok(foreign.collect())
}

/// Container instances that are not of the platform's group.
async fn machines(ecs: &Client, cluster: &str, ours: &BTreeSet<String>) -> Result<Vec<Foreign>> {
    let request = ecs.list_container_instances().cluster(cluster).into_paginator().items().send();
    let arns =
        request.collect::<Result<Vec<_>, _>>().await.find(GONE, "list container instances of cluster", cluster)?;
    let arns = arns.unwrap_or_default();
    let chunks = arns.chunks(OTHERS).map(|arns| async move {
        let request = ecs.describe_container_instances().cluster(cluster).set_container_instances(Some(arns.to_vec()));
        let answer = request.include(ContainerInstanceField::Tags).send().await;
        answer.find(GONE, "describe container instances of cluster", cluster)
    });
    let answers = try_join_all(chunks).await?;
    let found = answers.iter().flatten().flat_map(|answer| answer.container_instances());
    // One whose agent is not connected is an instance that ended: ECS forgets it with its instance.
    let others = found.filter(|found| found.agent_connected()).filter_map(|found| {
        let instance = found.ec2_instance_id()?;
        let tie = format!("is registered in cluster {cluster} by instance {instance}");
        let arn = found.container_instance_arn()?;
        (!ours.contains(instance)).then(|| Foreign::new("container instance", arn, tie).tagged(from_ecs(found.tags())))
    });
    Ok(others.collect())
}

/// Clusters of others that place tasks by the platform's capacity provider, which therefore cannot go.
async fn provider_users(ecs: &Client, scope: &Scope) -> Result<Vec<Foreign>> {
    let (own, provider) = (scope.prefix(), scope.name("instances"));
    let request = ecs.list_clusters().into_paginator().items().send();
    let arns = request.collect::<Result<Vec<_>, _>>().await.during("list", "clusters")?;
    let chunks = arns.chunks(OTHERS).map(|arns| async move {
        let request = ecs.describe_clusters().set_clusters(Some(arns.to_vec())).include(ClusterField::Tags);
        request.send().await.during("describe", "clusters")
    });
    let answers = try_join_all(chunks).await?;
    let found = answers.iter().flat_map(|answer| answer.clusters());
    let users = found.filter(|cluster| cluster.cluster_name() != Some(&own) && cluster.status() == Some("ACTIVE"));
    let users = users.filter(|cluster| cluster.capacity_providers().contains(&provider)).filter_map(|cluster| {
        let found = Foreign::new("ECS cluster", cluster.cluster_name()?, format!("uses capacity provider {provider}"));
        Some(found.tagged(from_ecs(cluster.tags())))
    });
    Ok(users.collect())
}

/// Auto Scaling groups of others that start instances by the platform's launch template: without it they start none.
async fn template_users(clients: &Clients, scope: &Scope) -> Result<Vec<Foreign>> {
    let name = scope.name("instances");
    let request = clients.ec2().describe_launch_templates().launch_template_names(&name).send().await;
    let gone = ["InvalidLaunchTemplateName.NotFoundException"];
    let answer = request.find(&gone, "find launch template", &name)?;
    let templates = answer.and_then(|answer| answer.launch_templates).unwrap_or_default();
    let Some(template) = templates.first().filter(|template| scope.owns(&from_ec2(template.tags()))) else {
        return Ok(Vec::new());
    };
    let groups = clients.autoscaling().describe_auto_scaling_groups().into_paginator().items().send();
    let groups = groups.collect::<Result<Vec<_>, _>>().await.during("list", "Auto Scaling groups")?;
    let users = groups.iter().filter(|group| group.auto_scaling_group_name() != Some(&name)).filter_map(|group| {
        let mixed = group.mixed_instances_policy().and_then(|policy| policy.launch_template());
        let used = group.launch_template().or(mixed.and_then(|mixed| mixed.launch_template_specification()))?;
        let ours = used.launch_template_id() == template.launch_template_id()
            || used.launch_template_name() == Some(name.as_str());
        let tags =
            group.tags().iter().filter_map(|tag| Some((tag.key()?.into(), tag.value().unwrap_or_default().into())));
        let found = Foreign::new(
            "Auto Scaling group",
            group.auto_scaling_group_name()?,
            format!("uses launch template {name}"),
        );
        ours.then(|| found.tagged(tags.collect()))
    });
    Ok(users.collect())
}
