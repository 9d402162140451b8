//! The planner of the parameters.

use std::collections::BTreeSet;

use super::{Change, PARAMETER, Parameter, SECURE, World, desired};
use crate::obstacle::{Kind, Obstacle, unmarked};
use crate::plan::{Found, Plan, Refusal};
use crate::scope::{Scope, retag};
use crate::spec::{self, Secret};

/// What has to change for the parameters to be what the platform file says. What a person has yet to give is a note:
/// the infrastructure can stand before its secrets do.
///
/// # Errors
/// Where a parameter is no SecureString, or one that skydeck would write is somebody else's.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    check_types(scope, world)?;
    for (key, secret) in &scope.platform.secrets {
        let name = &secret.parameter;
        if desired::is_missing(secret, world) {
            plan.notes.push(missing(scope, key, name));
        }
        if desired::value(scope, key)?.is_some() {
            plan_ours(scope, &mut plan, key, name, world.parameters.get(name))?;
        }
    }
    let unnamed = world.parameters.iter().filter(|(name, _)| named(scope, name).is_none());
    for (name, _) in unnamed.filter(|(name, found)| is_ours(scope, name, found)) {
        plan.notes.push(format!("{PARAMETER} {name} is the platform's, but the platform file no longer names it"));
    }
    Ok(plan)
}

fn missing(scope: &Scope, key: &str, name: &str) -> String {
    let reads = |service: &spec::Service| service.secrets.values().any(|read| read == key);
    let services = scope.platform.services.iter().filter(|(_, service)| reads(service));
    let services: Vec<&str> = services.map(|(name, _)| name.as_str()).collect();
    let refused = match services.as_slice() {
        [] => String::new(),
        some => format!(". Until then no image of {} is released", some.join(", ")),
    };
    format!("{PARAMETER} {name} is missing: give it a value with `skydeck secret set {name}`{refused}")
}

fn named<'a>(scope: &'a Scope, name: &str) -> Option<&'a Secret> {
    scope.platform.secrets.values().find(|secret| secret.parameter == name)
}

/// Whether a parameter is the platform's: by its tags, which name it too, for a parameter may have been copied with its tags.
fn is_ours(scope: &Scope, name: &str, found: &Found<Parameter>) -> bool {
    let tags = &found.settings.tags;
    scope.owns(tags) && (named(scope, name).is_some() || tags.get("Name").is_some_and(|own| own == name))
}

/// A parameter that is no SecureString lies in clear text for everyone who may read parameters. All of them at once.
fn check_types(scope: &Scope, world: &World) -> Result<(), Refusal> {
    let open: Vec<String> = world
        .parameters
        .iter()
        .filter(|(name, found)| named(scope, name).is_some() && found.settings.kind != SECURE)
        // One of ours is written again as what it should be.
        .filter(|(_, found)| !scope.owns(&found.settings.tags))
        .map(|(name, found)| format!("{name} ({})", found.settings.kind))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    Err(Refusal::Impossible {
        what: format!("these parameters must be of type {SECURE} and are not: {}", open.join(", ")),
        advice: "Delete each, and give it its value anew with `skydeck secret set NAME`".into(),
    })
}

fn plan_ours(
    scope: &Scope,
    plan: &mut Plan<Change>,
    key: &str,
    name: &str,
    found: Option<&Found<Parameter>>,
) -> Result<(), Refusal> {
    let wanted = desired::tags(scope, key, name);
    let (key, name) = (key.to_owned(), name.to_owned());
    let Some(Found { settings: found, .. }) = found else {
        plan.add(Change::CreateParameter { name, key, tags: wanted }, &[]);
        return Ok(());
    };
    let right = found.right == Some(true) && found.kind == SECURE;
    if !scope.owns(&found.tags) {
        // Somebody made it, and made it right: it serves, and stays theirs.
        return if right {
            Ok(())
        } else {
            Err(Refusal::Taken {
                kind: PARAMETER.into(),
                name,
                advice:
                    "It holds another value than the platform file says. Name another parameter, or delete this one"
                        .into(),
            })
        };
    }
    if let Some((old, new)) = retag(&found.tags, &wanted) {
        plan.add(Change::SetTags { name: name.clone(), old, new }, &[]);
    }
    if !right {
        plan.add(Change::OverwriteParameter { name, key }, &[]);
    }
    Ok(())
}

/// The parameters that skydeck wrote. One that the platform file leaves to a person now holds that person's value,
/// and stays.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    for (name, _) in leaving(scope, world) {
        plan.add(Change::DeleteParameter { name: name.clone() }, &[]);
    }
    plan
}

/// A person's parameters that services read, and may not without the installation's tag. Those that skydeck writes it tags again.
#[must_use]
pub fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let keys = scope.platform.services.values().flat_map(|service| service.secrets.values());
    let read: BTreeSet<(&String, bool)> = keys
        .filter_map(|key| scope.platform.secrets.get(key))
        .map(|secret| (&secret.parameter, secret.value.is_some()))
        .collect();
    let withheld = |(name, is_written): &(&String, bool)| {
        let tags = &world.parameters.get(*name)?.settings.tags;
        let is_right = scope.is_marked(tags) || (*is_written && scope.owns(tags));
        (!is_right).then(|| desired::withheld(scope, name))
    };
    read.iter().filter_map(withheld).collect()
}

/// What has lost the installation's tag of what would go.
#[must_use]
pub fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
    unmarked(scope, leaving(scope, world).map(|(name, found)| (Kind::Parameter, name, &found.settings.tags)))
}

fn leaving<'a>(scope: &'a Scope, world: &'a World) -> impl Iterator<Item = (&'a String, &'a Found<Parameter>)> {
    let a_persons = |name: &str| named(scope, name).is_some_and(|secret| secret.value.is_none());
    world.parameters.iter().filter(move |(name, found)| is_ours(scope, name, found) && !a_persons(name))
}
