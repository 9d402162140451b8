//! How the cluster goes: one stage after the other, each only when the one before is seen to be done.

use super::desired::{instances_name, log_group_name};
use super::plan::without;
use super::{Change, Cluster, Group, Provider, World};
use crate::logs::LogChange;
use crate::obstacle::{Kind, Obstacle, unmarked};
use crate::plan::Plan;
use crate::scope::Scope;

/// Everything of ours: the group is emptied, its provider detached and deleted, and then the rest goes.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    let name = instances_name(scope);
    let cluster = world.cluster.as_ref().filter(|found| scope.owns(&found.tags));
    let group = world.group.as_ref().filter(|found| scope.owns(&found.tags));
    let provider = world.provider.as_ref().filter(|found| scope.owns(&found.tags));
    if let Some(cluster) = cluster.filter(|cluster| cluster.services > 0) {
        plan.waits.push(format!("the services of cluster {} to go: {} still active", scope.prefix(), cluster.services));
        return plan;
    }
    if let Some(group) = group.filter(|group| !is_empty(group)) {
        plan_empty(&mut plan, &name, group);
        return plan;
    }
    if !plan_provider_away(scope, &mut plan, &name, cluster, provider) {
        return plan;
    }
    let group_gone =
        group.filter(|group| !group.going).map(|_| plan.add(Change::DeleteGroup { name: name.clone() }, &[]));
    if group.is_some_and(|group| group.going) {
        plan.waits.push(format!("Auto Scaling group {name} to go"));
    }
    if let Some(template) = world.template.as_ref().filter(|found| scope.owns(&found.tags)) {
        let change = Change::DeleteTemplate { id: template.id.clone(), name };
        plan.add(change, &group_gone.iter().collect::<Vec<_>>());
    }
    if let Some(cluster) = cluster {
        let name = scope.prefix();
        if cluster.insights != "disabled" {
            plan.notes.push(format!(
                "Container Insights' log group /aws/ecs/containerinsights/{name}/performance is AWS's own and stays"
            ));
        }
        plan.add(Change::DeleteCluster { name }, &[]);
    }
    if world.logs.as_ref().is_some_and(|found| scope.owns(&found.settings.tags)) {
        plan.add(LogChange::Delete { name: log_group_name(scope) }.into(), &[]);
    }
    plan
}

fn is_empty(group: &Group) -> bool {
    group.instances.is_empty() && (group.going || (group.settings.min, group.desired, group.settings.max) == (0, 0, 0))
}

fn plan_empty(plan: &mut Plan<Change>, name: &str, group: &Group) {
    if !group.going && (group.settings.min, group.desired, group.settings.max) != (0, 0, 0) {
        plan.add(Change::EmptyGroup { name: name.into(), desired: group.desired }, &[]);
    }
    if !group.instances.is_empty() {
        let count = group.instances.len();
        plan.waits.push(format!("{count} instances of Auto Scaling group {name} to terminate"));
    }
}

/// Detaches and deletes the provider. Says whether it is gone already.
fn plan_provider_away(
    scope: &Scope,
    plan: &mut Plan<Change>,
    name: &str,
    cluster: Option<&Cluster>,
    provider: Option<&Provider>,
) -> bool {
    if let Some(cluster) = cluster {
        if cluster.busy {
            plan.waits.push(format!("cluster {} to detach capacity provider {name}", scope.prefix()));
            return false;
        }
        if cluster.capacity.providers.contains(name) {
            let (old, new) = (cluster.capacity.clone(), without(&cluster.capacity, name));
            plan.add(Change::SetCapacity { cluster: scope.prefix(), old, new }, &[]);
            return false;
        }
    }
    match provider {
        None => true,
        Some(provider) => {
            if provider.busy {
                plan.waits.push(format!("capacity provider {name} to go"));
            } else {
                plan.add(Change::DeleteProvider { name: name.into() }, &[]);
            }
            false
        }
    }
}

/// What has lost the installation's tag, and an apply cannot tag again.
#[must_use]
pub fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let cluster = world.cluster.iter().map(|found| (Kind::Cluster, &found.arn, &found.tags));
    let provider = world.provider.iter().map(|found| (Kind::CapacityProvider, &found.arn, &found.tags));
    let template = world.template.iter().map(|found| (Kind::LaunchTemplate, &found.id, &found.tags));
    unmarked(scope, cluster.chain(provider).chain(template))
}

/// The same, and what an apply tags again.
#[must_use]
pub fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let name = instances_name(scope);
    let group = world.group.iter().map(|found| (Kind::AutoScalingGroup, &name, &found.tags));
    let logs = world.logs.iter().map(|found| (Kind::LogGroup, &found.id, &found.settings.tags));
    [obstacles(scope, world), unmarked(scope, group.chain(logs))].concat()
}
