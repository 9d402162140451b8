//! How requests pass from one target group to another without one in between that has no target to serve them.

use std::collections::BTreeSet;

use super::desired::{self, target_group_name};
use super::{Balancer, Target, World};
use crate::plan::Refusal;
use crate::scope::Scope;

/// When a listener sends to the new target group alone.
pub(super) const UNTIL_HEALTHY: &str = "a target of the new target group is healthy";
/// When a target group that leaves may go.
pub(super) const UNTIL_EMPTY: &str = "its last target has left";

/// Where a listener or a rule is to send now that is found to send to `found`: a target group that serves goes on until the one
/// that is wanted has a healthy target.
pub(super) fn handed(scope: &Scope, world: &World, found: &Target, wanted: &Target) -> Target {
    let (Some(old), Target::Group(new)) = (serving(found), wanted) else { return wanted.clone() };
    let healthy = |name: &String| world.targets.get(name).is_some_and(|targets| targets.healthy > 0);
    let ours = world.target_groups.get(old).is_some_and(|group| scope.owns(&group.settings.tags));
    if old == new || !ours || !healthy(old) || healthy(new) {
        return wanted.clone();
    }
    Target::Until(old.clone(), new.clone())
}

/// The target group that answers.
fn serving(target: &Target) -> Option<&String> {
    match target {
        Target::Group(name) | Target::Until(name, _) => Some(name),
        Target::NotFound | Target::Secure(_) | Target::Other(_) => None,
    }
}

/// ARNs of the target groups that serve until others do.
pub(super) fn serving_on(world: &World) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for listener in world.load_balancers.values().flat_map(|balancer| balancer.listeners.values()) {
        let targets = listener.rules.iter().map(|rule| &rule.settings.target).chain([&listener.settings.default]);
        for target in targets {
            if let Target::Until(old, _) = target
                && let Some(group) = world.target_groups.get(old)
            {
                found.insert(group.id.clone());
            }
        }
    }
    found
}

/// The target groups of which it matters what targets they have: those that are to leave, and where something may be sent
/// elsewhere than it was, those that answer now and those that are to.
///
/// # Errors
/// Where an earlier layer has not said what it needs.
pub fn moving(scope: &Scope, world: &World) -> Result<BTreeSet<String>, Refusal> {
    let services = &scope.platform.services;
    let wanted: BTreeSet<String> =
        services.iter().map(|(name, service)| target_group_name(scope, name, service)).collect();
    let mut names = BTreeSet::new();
    for (name, group) in &world.target_groups {
        if scope.owns(&group.settings.tags) && !wanted.contains(name) {
            names.insert(name.clone());
        }
    }
    if names.is_empty() && !sends_elsewhere(scope, world)? {
        return Ok(names);
    }
    names.extend(wanted.into_iter().filter(|name| world.target_groups.contains_key(name)));
    Ok(names)
}

/// Whether a listener sends elsewhere by default than it should.
fn sends_elsewhere(scope: &Scope, world: &World) -> Result<bool, Refusal> {
    for (key, balancer) in &scope.platform.load_balancers {
        let wanted = desired::listeners(scope, key, balancer)?;
        let found = |found: &Balancer| Some(found.listeners.get(&wanted.port)?.settings.default.clone());
        let found = world.load_balancers.get(&scope.name(key)).and_then(found);
        if found.is_some_and(|found| found != wanted.serving.default) {
            return Ok(true);
        }
    }
    Ok(false)
}
