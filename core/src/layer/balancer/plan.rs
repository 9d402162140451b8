//! The planner of the load balancers.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::{self, target_group_name};
use super::hand::UNTIL_EMPTY;
use super::listen::Listen;
use super::probe::plan_probe;
use super::teardown::plan_balancer_away;
use super::{Balancer, Change, LoadBalancer, Replaced, Target, TargetGroup, World};
use crate::plan::{Found, Plan, Ref, Refusal};
use crate::scope::{Scope, TAG_RESOURCE, Tags, retag};
use crate::spec;

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
        let mut listen = Listen { scope, world, groups: &groups, key, plan: &mut plan, moved: &mut moved };
        listen.plan(balancer, found, &arn)?;
    }
    for (name, group) in &world.target_groups {
        if !groups.contains_key(name) && scope.owns(&group.settings.tags) {
            let change = Change::DeleteTargetGroup { arn: group.id.clone(), name: name.clone() };
            if world.targets.get(name).is_some_and(|targets| targets.all > 0) {
                plan.defer(&change, UNTIL_EMPTY);
            } else {
                plan.add(change, &moved.iter().collect::<Vec<_>>());
            }
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
    let services = &scope.platform.services;
    let wanted: BTreeMap<String, (&String, &spec::Service)> =
        services.iter().map(|(key, service)| (target_group_name(scope, key, service), (key, service))).collect();
    let mut groups = Groups::new();
    for (name, (key, service)) in &wanted {
        let settings = desired::target_group(scope, key, service)?;
        let found = world.target_groups.get(name);
        if found.is_some_and(|found| !scope.owns(&found.settings.tags)) {
            return Err(taken("target group", name, "Rename the service, or remove that target group"));
        }
        let group = match found.filter(|found| found.settings.fixed == settings.fixed) {
            Some(found) => {
                plan_target_group(plan, name, found, settings);
                Ref::from(found.id.as_str())
            }
            None => {
                // One of this name is of a VPC that is no more, and nothing can send to it.
                let gone = found.map(|found| {
                    plan.add(Change::DeleteTargetGroup { arn: found.id.clone(), name: name.clone() }, &[])
                });
                let replaced = found.map(|found| (name, found)).or_else(|| {
                    let mut left = world.target_groups.iter().filter(|(name, _)| !wanted.contains_key(*name));
                    left.find(|(_, found)| is_of(scope, key, found))
                });
                let replaces = replaced.map(|(name, found)| Box::new(replaced_by(scope, world, name, found, service)));
                let new = settings.deregistration_delay_seconds;
                let change = Change::CreateTargetGroup { name: name.clone(), settings, replaces };
                let group = plan.add(change, &gone.iter().collect::<Vec<_>>());
                plan.add(Change::SetDelay { group: group.clone(), name: name.clone(), old: None, new }, &[&group]);
                group
            }
        };
        groups.insert(name.clone(), group);
    }
    Ok(groups)
}

/// Whether a target group was made for this service.
fn is_of(scope: &Scope, service: &str, found: &Found<TargetGroup>) -> bool {
    let tags = &found.settings.tags;
    scope.owns(tags) && tags.get(TAG_RESOURCE) == Some(&desired::target_group_resource(service))
}

fn replaced_by(
    scope: &Scope,
    world: &World,
    name: &str,
    found: &Found<TargetGroup>,
    service: &spec::Service,
) -> Replaced {
    let target = Target::Group(name.to_owned());
    let sends = |balancer: &Balancer| {
        let mut listeners = balancer.listeners.values();
        listeners.any(|found| {
            found.settings.default == target || found.rules.iter().any(|rule| rule.settings.target == target)
        })
    };
    let before = world.load_balancers.iter().find(|(_, balancer)| sends(balancer)).map(|(name, _)| name.clone());
    let balancers = (before, scope.name(&service.load_balancer));
    Replaced { name: name.to_owned(), settings: found.settings.clone(), balancers }
}

fn plan_target_group(plan: &mut Plan<Change>, name: &str, found: &Found<TargetGroup>, wanted: TargetGroup) {
    let (arn, name, has) = (found.id.clone(), name.to_owned(), &found.settings);
    plan_tags(plan, "target group", &arn, &has.tags, &wanted.tags);
    let (old, new) = (has.deregistration_delay_seconds, wanted.deregistration_delay_seconds);
    if old != new {
        let group = Ref::from(arn.as_str());
        plan.add(Change::SetDelay { group, name: name.clone(), old: Some(old), new }, &[]);
    }
    if has.health != wanted.health {
        plan.add(Change::SetHealthCheck { arn, name, old: has.health.clone(), new: wanted.health }, &[]);
    }
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
    // In a zone that it has left, a load balancer sends to nobody: it stays as long as instances do.
    let leaving = has.subnets.intersection(&desired::network(scope)?.leaving_subnet_ids);
    let now: BTreeSet<String> = wanted.subnets.iter().chain(leaving).cloned().collect();
    let set = |old: &BTreeSet<String>, new: &BTreeSet<String>| {
        let (arn, name, old, new) = (arn.clone(), name.into(), old.clone(), new.clone());
        (old != new).then_some(Change::SetSubnets { arn, name, old, new })
    };
    if let Some(change) = set(&has.subnets, &now) {
        plan.add(change, &[]);
    }
    if let Some(change) = set(&now, &wanted.subnets) {
        plan.defer(&change, "no instance runs in the zone");
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
