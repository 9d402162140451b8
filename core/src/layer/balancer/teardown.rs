//! How load balancers, target groups and the probe function go.

use super::{Balancer, Change, World, probe};
use crate::logs::LogChange;
use crate::obstacle::{Kind, Obstacle, unmarked};
use crate::plan::{Plan, Ref};
use crate::scope::Scope;

/// Everything of ours. The function goes first, since its interfaces hold subnets and security groups for longest;
/// target groups go after the listeners that forward to them.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    plan_probe_away(scope, world, &mut plan);
    let mut gone = Vec::new();
    for (name, balancer) in &world.load_balancers {
        if scope.owns(&balancer.settings.tags) {
            gone.push(plan_balancer_away(scope, name, balancer, &mut plan));
        }
    }
    for (name, group) in &world.target_groups {
        if scope.owns(&group.settings.tags) {
            let change = Change::DeleteTargetGroup { arn: group.id.clone(), name: name.clone() };
            plan.add(change, &gone.iter().collect::<Vec<_>>());
        }
    }
    plan
}

/// Takes the listeners away, then the load balancer; rules go with their listener.
pub(super) fn plan_balancer_away(scope: &Scope, name: &str, balancer: &Balancer, plan: &mut Plan<Change>) -> Ref {
    let ours = balancer.listeners.iter().filter(|(_, listener)| scope.owns(&listener.settings.tags));
    let gone: Vec<Ref> = ours
        .map(|(port, listener)| {
            let change = Change::DeleteListener { arn: listener.arn.clone(), name: format!("{name}-{port}") };
            plan.add(change, &[])
        })
        .collect();
    let change = Change::DeleteLoadBalancer { arn: balancer.arn.clone(), name: name.into() };
    plan.add(change, &gone.iter().collect::<Vec<_>>())
}

/// The log group goes after the function, which would make it anew.
pub(super) fn plan_probe_away(scope: &Scope, world: &World, plan: &mut Plan<Change>) {
    let probe = world.probe.as_ref().filter(|found| scope.owns(&found.settings.tags));
    let gone = probe.map(|_| plan.add(Change::DeleteProbe { name: probe::probe_name(scope) }, &[]));
    if world.probe_logs.as_ref().is_some_and(|found| scope.owns(&found.settings.tags)) {
        let change = LogChange::Delete { name: probe::log_group_name(scope) };
        plan.add(change.into(), &gone.iter().collect::<Vec<_>>());
    }
}

/// What of load balancers has lost the installation's tag.
#[must_use]
pub fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let balancers = world.load_balancers.values();
    let listeners = balancers.clone().flat_map(|balancer| balancer.listeners.values());
    let rules = listeners.clone().flat_map(|listener| &listener.rules);
    let balancers = balancers.map(|found| (Kind::LoadBalancer, &found.arn, &found.settings.tags));
    let listeners = listeners.map(|found| (Kind::Listener, &found.arn, &found.settings.tags));
    let rules = rules.map(|found| (Kind::ListenerRule, &found.id, &found.settings.tags));
    let groups = world.target_groups.values().map(|found| (Kind::TargetGroup, &found.id, &found.settings.tags));
    unmarked(scope, balancers.chain(listeners).chain(rules).chain(groups))
}

/// The same, and what has lost it of the probe, which an apply tags again.
#[must_use]
pub fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let probe = world.probe.iter().map(|found| (Kind::Function, &found.id, &found.settings.tags));
    let logs = world.probe_logs.iter().map(|found| (Kind::LogGroup, &found.id, &found.settings.tags));
    [obstacles(scope, world), unmarked(scope, probe.chain(logs))].concat()
}
