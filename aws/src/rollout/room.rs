//! What is read where a task finds no room.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use aws_sdk_ecs::types as ecs;
use futures::future::try_join_all;
use futures::try_join;
use skydeck_core::placement::Room;
use skydeck_core::rollout::room::{Activity, Cluster};
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::layer::service::alive;
use crate::number;
use crate::run::{failed_launch, group};

/// How many container instances one call describes
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html>).
const AT_ONCE: usize = 100;

/// What keeps a task from finding room.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    /// There is none, and none will come.
    pub(super) full: bool,
    /// Why the last instance was not started.
    pub(super) failed_launch: Option<String>,
}

/// Why a task of a service waits for room.
pub(super) async fn shortage(clients: &Clients, scope: &Scope, service: &str) -> Result<Shortage> {
    let (Some(service), Some(group)) = (scope.platform.services.get(service), group(clients, scope).await?) else {
        return Ok(Shortage::default());
    };
    // What else goes on is read only where no more instances come.
    let Some(group) = whole(&group) else {
        return Ok(Shortage { full: false, failed_launch: failed_launch(clients, &group).await? });
    };
    let name = scope.prefix();
    let ((left, starting), services) = try_join!(left(clients.ecs(), &name), alive(clients.ecs(), scope))?;
    let services = services.iter().map(activity).collect();
    let full = Cluster { group, left, starting, services }.is_full(Room { cpu: service.cpu, memory: service.memory });
    Ok(Shortage { full, failed_launch: None })
}

/// The Auto Scaling group's instances, when it is at its maximum and all of them are in service; `None` else.
fn whole(group: &AutoScalingGroup) -> Option<BTreeSet<String>> {
    let instances = group.instances();
    let serves = |state: Option<&LifecycleState>| state == Some(&LifecycleState::InService);
    let whole = i32::try_from(instances.len()).is_ok_and(|count| count >= group.max_size().unwrap_or_default())
        && instances.iter().all(|instance| serves(instance.lifecycle_state()));
    let ids = instances.iter().filter_map(|instance| instance.instance_id().map(ToOwned::to_owned));
    whole.then(|| ids.collect())
}

/// An instance that the group has and that has not joined the cluster yet; `None` where all have.
pub(super) async fn joining(clients: &Clients, scope: &Scope) -> Result<Option<String>> {
    let cluster = scope.prefix();
    let (group, joined) = try_join!(group(clients, scope), instances(clients.ecs(), &cluster, None))?;
    let joined: BTreeSet<&str> = joined.iter().filter_map(ecs::ContainerInstance::ec2_instance_id).collect();
    let comes = |state: &LifecycleState| *state == LifecycleState::InService || state.as_str().starts_with("Pending");
    let all = group.iter().flat_map(AutoScalingGroup::instances);
    let mut coming = all.filter(|instance| instance.lifecycle_state().is_some_and(comes));
    let missing = coming.find(|instance| instance.instance_id().is_some_and(|id| !joined.contains(id)));
    Ok(missing.and_then(|instance| instance.instance_id().map(ToOwned::to_owned)))
}

/// What is left on each instance that takes tasks, by its id in EC2, and how many tasks are about to start on them.
async fn left(client: &aws_sdk_ecs::Client, cluster: &str) -> Result<(BTreeMap<String, Room>, u32)> {
    let found = instances(client, cluster, Some(ecs::ContainerInstanceStatus::Active)).await?;
    let starting = found.iter().map(|instance| number::from_aws(Some(instance.pending_tasks_count()))).sum();
    // One whose agent is away gets no tasks, and may come back.
    let found = found.iter().filter(|instance| instance.agent_connected());
    let left = found.map(|instance| (instance.ec2_instance_id().unwrap_or_default().to_owned(), remaining(instance)));
    Ok((left.collect(), starting))
}

/// The cluster's container instances, of all statuses or of one.
async fn instances(
    client: &aws_sdk_ecs::Client,
    cluster: &str,
    status: Option<ecs::ContainerInstanceStatus>,
) -> Result<Vec<ecs::ContainerInstance>> {
    let request = client.list_container_instances().cluster(cluster).set_status(status);
    let listed: Result<Vec<String>, _> = request.into_paginator().items().send().collect::<Result<_, _>>().await;
    let arns = listed.during("list container instances of cluster", cluster)?;
    let chunks = arns.chunks(AT_ONCE).map(|arns| async move {
        let request = client.describe_container_instances().cluster(cluster);
        let result = request.set_container_instances(Some(arns.to_vec())).send().await;
        result.during("describe container instances of cluster", cluster)
    });
    let answers = try_join_all(chunks).await?;
    Ok(answers.into_iter().flat_map(|answer| answer.container_instances.unwrap_or_default()).collect())
}

fn remaining(instance: &ecs::ContainerInstance) -> Room {
    let of = |name| instance.remaining_resources().iter().find(|resource| resource.name() == Some(name));
    let number = |name| number::from_aws(of(name).map(|resource| resource.integer_value()));
    Room { cpu: number("CPU"), memory: number("MEMORY") }
}

fn activity(service: &ecs::Service) -> Activity {
    let number = |count| number::from_aws(Some(count));
    let newest = service.deployments().iter().find(|found| found.status() == Some("PRIMARY"));
    Activity {
        desired: number(service.desired_count()),
        running: number(service.running_count()),
        newest: newest.map(|found| number(found.running_count())).unwrap_or_default(),
        deployments: service.deployments().len(),
    }
}
