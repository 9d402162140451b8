//! How services and task definitions go.

use super::{Change, Family, Service, World};
use crate::obstacle::{Kind, Obstacle, unmarked};
use crate::plan::{Plan, Ref};
use crate::scope::Scope;

/// How many task definitions one call deletes
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html>).
const AT_ONCE: usize = 10;

/// Everything of ours: first the services, and when all of them are gone their task definitions.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    let mut leaving = false;
    for (name, found) in world.services.iter().filter(|(_, found)| scope.owns(&found.tags)) {
        leaving = true;
        plan_service_away(&mut plan, name, found);
    }
    for (name, found) in world.families.iter().filter(|(_, found)| !leaving && scope.owns(&found.tags)) {
        plan_family_away(&mut plan, name, found);
    }
    plan
}

/// Scales a service down and deletes it; ECS lets it drain.
pub(super) fn plan_service_away(plan: &mut Plan<Change>, name: &str, found: &Service) {
    if found.draining {
        plan.waits.push(format!("the tasks of service {name} to stop"));
        return;
    }
    let down =
        (found.desired > 0).then(|| plan.add(Change::ScaleToZero { name: name.into(), old: found.desired }, &[]));
    plan.add(Change::DeleteService { name: name.into() }, &down.iter().collect::<Vec<_>>());
}

/// Deregisters and deletes all revisions of a family.
pub(super) fn plan_family_away(plan: &mut Plan<Change>, name: &str, found: &Family) {
    let deregistered: Vec<Ref> =
        found.active.iter().map(|arn| plan.add(Change::Deregister { arn: arn.clone() }, &[])).collect();
    let all: Vec<String> = found.active.iter().chain(&found.inactive).cloned().collect();
    for arns in all.chunks(AT_ONCE) {
        let change = Change::DeleteDefinitions { family: name.into(), arns: arns.to_vec() };
        plan.add(change, &deregistered.iter().collect::<Vec<_>>());
    }
}

/// Services that have lost the installation's tag. Of task definitions that is a note: they cost nothing, and stay. One that drains goes
/// by itself: it is waited for, and no call touches it.
#[must_use]
pub fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let touched = world.services.values().filter(|found| !found.draining);
    unmarked(scope, touched.map(|found| (Kind::Service, &found.arn, &found.tags)))
}
