//! The planner of the registry.

use super::{Change, REPOSITORY, Repository, World, desired};
use crate::obstacle::{Kind, Obstacle, unmarked};
use crate::plan::{Found, Plan, Refusal};
use crate::scope::{Scope, may_be_lost, retag};

/// What has to change for the repositories to be what the platform file says.
///
/// # Errors
/// Where a name belongs to somebody else's repository, or one is encrypted in another way, which AWS cannot change, or images
/// would be lost that the platform file never gave up.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    let wanted = desired::repositories(scope);
    for (name, found) in world.repositories.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        let with_images = world.holding.contains(name);
        if with_images && !may_be_lost(&found.settings.tags) {
            return Err(Refusal::Impossible {
                what: format!("no service in the platform file uses {REPOSITORY} {name} any more, and it holds images"),
                advice:
                    "Set it as `repository` of the service that takes over; or delete its images; or bring the service \
                         back with `delete-with-images = true`, apply, and take it out then"
                        .into(),
            });
        }
        plan.add(Change::DeleteRepository { name: name.clone(), with_images }, &[]);
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

/// Every repository of ours. Images go only where the platform file says so; ECR itself refuses to delete a repository that holds
/// any.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    for (name, with_images) in leaving(scope, world) {
        plan.add(Change::DeleteRepository { name: name.clone(), with_images }, &[]);
    }
    plan
}

/// What keeps repositories from going: the loss of the installation's tag, which an apply may give again, and images.
#[must_use]
pub fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let repositories = world.repositories.values();
    let unmarked = unmarked(scope, repositories.map(|found| (Kind::Repository, &found.id, &found.settings.tags)));
    let holding = leaving(scope, world).filter(|(name, with_images)| !with_images && world.holding.contains(*name));
    let holding = holding.map(|(name, _)| Obstacle::Holds {
        kind: REPOSITORY,
        name: name.clone(),
        what: "images",
        key: "delete-with-images",
    });
    unmarked.into_iter().chain(holding).collect()
}

/// The platform's repositories, and whether their images may go with them.
fn leaving<'a>(scope: &'a Scope, world: &'a World) -> impl Iterator<Item = (&'a String, bool)> {
    let wanted = desired::repositories(scope);
    let ours = world.repositories.iter().filter(|(_, found)| scope.owns(&found.settings.tags));
    ours.map(move |(name, found)| (name, may_be_lost(&wanted.get(name).unwrap_or(&found.settings).tags)))
}
