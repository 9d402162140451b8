//! The planner of the registry.

use super::{Change, REPOSITORY, Repository, World, desired};
use crate::plan::{Found, Plan, Refusal};
use crate::scope::{Scope, retag};

/// What has to change for the repositories to be what the platform file says.
///
/// # Errors
/// Where a name belongs to somebody else's repository, or one is encrypted in another way, which AWS cannot change.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    let wanted = desired::repositories(scope);
    for name in world.repositories.keys().filter(|name| !wanted.contains_key(*name)) {
        // It may hold the only copy of an image.
        plan.notes.push(format!("{REPOSITORY} {name} is the platform's, but no service in the platform file uses it"));
    }
    for (name, settings) in wanted {
        match world.repositories.get(&name) {
            None => {
                let change = Change::CreateRepository { name: name.clone(), settings: settings.clone() };
                let made = plan.add(change, &[]);
                if let Some(new) = settings.lifecycle {
                    plan.add(Change::SetLifecycle { name, old: None, new }, &[&made]);
                }
            }
            Some(found) => repair(scope, &mut plan, &name, found, settings)?,
        }
    }
    Ok(plan)
}

fn repair(
    scope: &Scope,
    plan: &mut Plan<Change>,
    name: &str,
    found: &Found<Repository>,
    wanted: Repository,
) -> Result<(), Refusal> {
    let (id, found, name) = (&found.id, &found.settings, || name.to_owned());
    if !scope.owns(&found.tags) {
        return Err(Refusal::Taken {
            kind: REPOSITORY.into(),
            name: name(),
            advice: "Set another `repository` for the service in the platform file".into(),
        });
    }
    if found.encryption != wanted.encryption {
        return Err(Refusal::Impossible {
            what: format!(
                "{REPOSITORY} {} is encrypted with {}, and AWS cannot change it to {}",
                name(),
                found.encryption,
                wanted.encryption
            ),
            advice: "Delete the repository once its images are saved; the next apply makes it anew".into(),
        });
    }
    if found.tag_mutability != wanted.tag_mutability {
        let change =
            Change::SetMutability { name: name(), old: found.tag_mutability.clone(), new: wanted.tag_mutability };
        plan.add(change, &[]);
    }
    if found.scan_on_push != wanted.scan_on_push {
        plan.add(Change::SetScanning { name: name(), on: wanted.scan_on_push }, &[]);
    }
    if let Some(new) = wanted.lifecycle.filter(|new| found.lifecycle.as_ref() != Some(new)) {
        plan.add(Change::SetLifecycle { name: name(), old: found.lifecycle.clone(), new }, &[]);
    }
    if let Some((old, new)) = retag(&found.tags, &wanted.tags) {
        plan.add(Change::SetTags { arn: id.clone(), name: name(), old, new }, &[]);
    }
    Ok(())
}

/// Every repository of ours, with the images in it: they come from a build, which makes them again.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    for (name, _) in world.repositories.iter().filter(|(_, found)| scope.owns(&found.settings.tags)) {
        plan.add(Change::DeleteRepository { name: name.clone() }, &[]);
    }
    plan
}
