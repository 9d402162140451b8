//! How load balancers, target groups and the probe function go.

use super::{Balancer, Change, World, probe};
use crate::logs::LogChange;
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
