//! The planner of the load balancers.

use std::collections::BTreeMap;

use super::desired::{self, target_group_name};
use super::listen::Listen;
use super::probe::plan_probe;
use super::teardown::plan_balancer_away;
use super::{Balancer, Change, LoadBalancer, World};
use crate::plan::{Plan, Ref, Refusal};
use crate::scope::{Scope, Tags, retag};

/// Target groups, by name.
pub(super) type Groups = BTreeMap<String, Ref>;

/// What has to change for the load balancers to be what the platform file says.
///
/// # Errors
/// Where a name or a rule's priority is somebody else's, or the scheme is another one, which AWS cannot change.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    let groups = plan_target_groups(scope, world, &mut plan)?;
    let mut moved = Vec::new();
    for (name, balancer) in &world.load_balancers {
        let wanted = scope.platform.load_balancers.keys().any(|key| scope.name(key) == *name);
        if !wanted && scope.owns(&balancer.settings.tags) {
            moved.push(plan_balancer_away(scope, name, balancer, &mut plan));
        }
    }
    for (key, balancer) in &scope.platform.load_balancers {
        let (name, wanted) = desired::load_balancer(scope, key, balancer)?;
        let found = world.load_balancers.get(&name);
        let arn = plan_balancer(scope, &mut plan, &name, wanted, found)?;
        let mut listen = Listen { scope, groups: &groups, key, plan: &mut plan, moved: &mut moved };
        listen.plan(balancer, found, &arn)?;
    }
    for (name, group) in &world.target_groups {
        if !groups.contains_key(name) && scope.owns(&group.settings.tags) {
            let change = Change::DeleteTargetGroup { arn: group.id.clone(), name: name.clone() };
            plan.add(change, &moved.iter().collect::<Vec<_>>());
        }
    }
    plan_probe(scope, world, &mut plan)?;
    Ok(plan)
}

pub(super) fn plan_tags(plan: &mut Plan<Change>, kind: &str, arn: &str, found: &Tags, wanted: &Tags) {
    if let Some((old, new)) = retag(found, wanted) {
        let name = wanted["Name"].clone();
        plan.add(Change::SetTags { arn: arn.into(), kind: kind.into(), name, old, new }, &[]);
    }
}

pub(super) fn taken(kind: &str, name: &str, advice: &str) -> Refusal {
    Refusal::Taken { kind: kind.into(), name: name.into(), advice: advice.into() }
}

fn plan_target_groups(scope: &Scope, world: &World, plan: &mut Plan<Change>) -> Result<Groups, Refusal> {
    let mut groups = Groups::new();
    for (service_name, service) in &scope.platform.services {
        let name = target_group_name(scope, service_name, service)?;
        let wanted = desired::target_group(scope, service_name, service)?;
        let new = wanted.deregistration_delay_seconds;
        let Some(found) = world.target_groups.get(&name) else {
            let group = plan.add(Change::CreateTargetGroup { name: name.clone(), settings: wanted }, &[]);
            plan.add(Change::SetDelay { group: group.clone(), name: name.clone(), old: None, new }, &[&group]);
            groups.insert(name, group);
            continue;
        };
        if !scope.owns(&found.settings.tags) {
            return Err(taken("target group", &name, "Rename the service, or remove that target group"));
        }
        let group = Ref::from(found.id.as_str());
        if found.settings.health != wanted.health {
            let (arn, old) = (found.id.clone(), found.settings.health.clone());
            plan.add(Change::SetHealthCheck { arn, name: name.clone(), old, new: wanted.health }, &[]);
        }
        let old = found.settings.deregistration_delay_seconds;
        if old != new {
            plan.add(Change::SetDelay { group: group.clone(), name: name.clone(), old: Some(old), new }, &[]);
        }
        plan_tags(plan, "target group", &found.id, &found.settings.tags, &wanted.tags);
        groups.insert(name, group);
    }
    Ok(groups)
}

fn plan_balancer(
    scope: &Scope,
    plan: &mut Plan<Change>,
    name: &str,
    wanted: LoadBalancer,
    found: Option<&Balancer>,
) -> Result<Ref, Refusal> {
    let new = wanted.attributes;
    let Some(found) = found else {
        let arn = plan.add(Change::CreateLoadBalancer { name: name.into(), settings: wanted }, &[]);
        plan.add(Change::SetAttributes { balancer: arn.clone(), name: name.into(), old: None, new }, &[&arn]);
        return Ok(arn);
    };
    let (arn, has) = (&found.arn, &found.settings);
    if !scope.owns(&has.tags) {
        return Err(taken("load balancer", name, "Give the load balancer another key in the platform file"));
    }
    // That it lies in the right VPC needs no check: a VPC cannot go while a load balancer lies in it.
    if has.scheme != wanted.scheme {
        return Err(Refusal::Impossible {
            what: format!("load balancer {name} exists with another scheme, and AWS cannot change that"),
            advice: "Give it another key in the platform file, so that a new one replaces it".into(),
        });
    }
    if has.subnets != wanted.subnets {
        let (arn, name, old) = (arn.clone(), name.into(), has.subnets.clone());
        plan.add(Change::SetSubnets { arn, name, old, new: wanted.subnets }, &[]);
    }
    if has.groups != wanted.groups {
        let (arn, name, old) = (arn.clone(), name.into(), has.groups.clone());
        plan.add(Change::SetGroups { arn, name, old, new: wanted.groups }, &[]);
    }
    let balancer = Ref::from(arn.as_str());
    if has.attributes != new {
        let (balancer, old) = (balancer.clone(), Some(has.attributes));
        plan.add(Change::SetAttributes { balancer, name: name.into(), old, new }, &[]);
    }
    plan_tags(plan, "load balancer", arn, &has.tags, &wanted.tags);
    Ok(balancer)
}
