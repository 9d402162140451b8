//! The planner of the load balancers.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::{self, rule_resource, target_group_name};
use super::probe::plan_probe;
use super::teardown::plan_balancer_away;
use super::{Balancer, Change, LoadBalancer, Priority, Rule, Target, World};
use crate::plan::{Found, Plan, Ref, Refusal};
use crate::scope::{Scope, TAG_RESOURCE, Tags, retag};
use crate::spec;

/// Target groups by name, and the steps after which old ones are free.
type Groups = BTreeMap<String, Ref>;

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
        let listener = plan_listener(scope, &mut plan, (key, balancer), found, &arn, &groups, &mut moved)?;
        plan_rules(scope, &mut plan, key, found, &listener, &groups, &mut moved)?;
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

fn plan_tags(plan: &mut Plan<Change>, kind: &str, arn: &str, found: &Tags, wanted: &Tags) {
    if let Some((old, new)) = retag(found, wanted) {
        let name = wanted["Name"].clone();
        plan.add(Change::SetTags { arn: arn.into(), kind: kind.into(), name, old, new }, &[]);
    }
}

fn taken(kind: &str, name: &str, advice: &str) -> Refusal {
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

/// The target group behind a target of ours.
fn group_of<'a>(target: &Target, groups: &'a Groups) -> Option<&'a Ref> {
    match target {
        Target::Group(name) => groups.get(name),
        Target::NotFound | Target::Other(_) => None,
    }
}

fn plan_listener(
    scope: &Scope,
    plan: &mut Plan<Change>,
    (key, balancer): (&str, &spec::LoadBalancer),
    found: Option<&Balancer>,
    arn: &Ref,
    groups: &Groups,
    moved: &mut Vec<Ref>,
) -> Result<Ref, Refusal> {
    let wanted = desired::listener(scope, key, balancer)?;
    let name = wanted.tags["Name"].clone();
    let group = group_of(&wanted.default, groups).cloned();
    let after: Vec<&Ref> = group.iter().chain([arn]).collect();
    let Some(found) = found.and_then(|found| found.listener.as_ref()) else {
        let (balancer, group) = (arn.clone(), group.clone());
        return Ok(plan.add(Change::CreateListener { balancer, name, group, settings: wanted }, &after));
    };
    if !scope.owns(&found.settings.tags) {
        return Err(taken("listener", &name, "Remove the listener that somebody added to the load balancer"));
    }
    plan_tags(plan, "listener", &found.id, &found.settings.tags, &wanted.tags);
    if found.settings.default != wanted.default {
        let (arn, old, group) = (found.id.clone(), found.settings.default.clone(), group.clone());
        moved.push(plan.add(Change::SetDefault { arn, name, group, old, new: wanted.default }, &after));
    }
    Ok(Ref::from(found.id.as_str()))
}

fn plan_rules(
    scope: &Scope,
    plan: &mut Plan<Change>,
    key: &str,
    found: Option<&Balancer>,
    listener: &Ref,
    groups: &Groups,
    moved: &mut Vec<Ref>,
) -> Result<(), Refusal> {
    let found = found.map_or(&[][..], |found| &found.rules);
    let (ours, foreign): (Vec<_>, Vec<_>) = found.iter().partition(|rule| scope.owns(&rule.settings.tags));
    let mut by_resource: BTreeMap<&str, &Found<Rule>> =
        ours.iter().map(|rule| (rule.settings.tags.get(TAG_RESOURCE).map_or("", String::as_str), *rule)).collect();
    let mut wanted = Vec::new();
    for (name, service) in scope.platform.services.iter().filter(|(_, service)| service.load_balancer == key) {
        if let Some(rule) = &service.rule {
            let settings = desired::rule(scope, name, service, rule)?;
            if foreign.iter().any(|rule| rule.settings.priority == settings.priority) {
                let place = format!("{} of {}", settings.priority, scope.name(key));
                return Err(taken("listener rule", &place, "Give the service's rule another priority"));
            }
            let found = by_resource.remove(rule_resource(name).as_str());
            wanted.push((name, settings, found));
        }
    }
    let kept: BTreeSet<&str> = wanted.iter().filter_map(|(_, _, found)| Some(found.as_ref()?.id.as_str())).collect();
    // Old rules go first: one of them may hold a priority that is wanted now.
    let mut free = Vec::new();
    for rule in ours.iter().filter(|rule| !kept.contains(rule.id.as_str())) {
        let name = rule.settings.tags.get("Name").cloned().unwrap_or_default();
        free.push(plan.add(Change::DeleteRule { arn: rule.id.clone(), name }, &[]));
    }
    // All at once, since two rules may change places.
    let rules: Vec<Priority> = wanted.iter().filter_map(|(name, new, found)| priority(name, new, (*found)?)).collect();
    if !rules.is_empty() {
        let change = Change::SetPriorities { name: scope.name(key), rules };
        free.push(plan.add(change, &free.iter().collect::<Vec<_>>()));
    }
    moved.extend(free.iter().cloned());
    for (service, settings, found) in wanted {
        let Some(group) = group_of(&settings.target, groups).cloned() else { continue };
        let name = scope.name(service);
        let Some(found) = found else {
            let after: Vec<&Ref> = free.iter().chain([listener, &group]).collect();
            let listener = listener.clone();
            plan.add(Change::CreateRule { listener, name, group: group.clone(), settings }, &after);
            continue;
        };
        plan_tags(plan, "listener rule", &found.id, &found.settings.tags, &settings.tags);
        let has = &found.settings;
        if (&has.paths, &has.target) != (&settings.paths, &settings.target) {
            let (arn, old) = (found.id.clone(), has.clone());
            let change = Change::SetRule { arn, name, group: group.clone(), old, new: settings };
            moved.push(plan.add(change, &[&group]));
        }
    }
    Ok(())
}

fn priority(service: &str, wanted: &Rule, found: &Found<Rule>) -> Option<Priority> {
    let (old, new) = (found.settings.priority, wanted.priority);
    (old != new).then(|| Priority { arn: found.id.clone(), service: service.into(), old, new })
}
