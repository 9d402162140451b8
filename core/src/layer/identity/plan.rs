//! The planner of IAM.

use super::{Change, LINKED_SERVICES, PROFILE, Profile, ROLE, Role, World, desired};
use crate::plan::{Found, Plan, Ref, Refusal};
use crate::scope::{Scope, Tags, retag};

/// What has to change for the roles to be what the platform file says.
///
/// # Errors
/// Where a name belongs to somebody else's role or instance profile.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    let wanted = desired::roles(scope);
    for (name, found) in &world.roles {
        if wanted.contains_key(name) {
            check_ours(scope, ROLE, name, &found.settings.tags)?;
        } else if is_ours(scope, name, &found.settings.tags) {
            // What uses it may still be running: the services are later layers.
            plan.notes.push(format!("{ROLE} {name} is the platform's, but nothing in the platform file needs it"));
        }
    }
    for service in LINKED_SERVICES.into_iter().filter(|service| !world.linked.contains(*service)) {
        plan.add(Change::CreateLinkedRole { service: service.into() }, &[]);
    }
    let mut instance = None;
    for (name, settings) in &wanted {
        let made = match world.roles.get(name) {
            None => Some(create(&mut plan, name, settings)),
            Some(found) => {
                repair(&mut plan, name, &found.settings, settings);
                None
            }
        };
        if *name == desired::profile_name(scope) {
            instance = made;
        }
    }
    plan_profile(scope, world.profile.as_ref(), &mut plan, instance.as_ref())?;
    Ok(plan)
}

/// Whether a role is the platform's: by its tags, and by its name too, for a role may have been copied with its tags.
fn is_ours(scope: &Scope, name: &str, tags: &Tags) -> bool {
    scope.owns(tags) && name.starts_with(&scope.name(""))
}

fn check_ours(scope: &Scope, kind: &str, name: &str, tags: &Tags) -> Result<(), Refusal> {
    if scope.owns(tags) {
        return Ok(());
    }
    Err(Refusal::Taken {
        kind: kind.into(),
        name: name.into(),
        advice: "Choose another name or environment for the platform, or remove it if nobody needs it".into(),
    })
}

/// A new role with its policies. Returns the role.
fn create(plan: &mut Plan<Change>, name: &str, settings: &Role) -> Ref {
    let role = plan.add(Change::CreateRole { name: name.into(), settings: settings.clone() }, &[]);
    for policy in &settings.managed {
        plan.add(Change::AttachPolicy { role: name.into(), policy: policy.clone() }, &[&role]);
    }
    for (inline, new) in &settings.inline {
        let change = Change::PutPolicy { role: name.into(), name: inline.clone(), old: None, new: new.clone() };
        plan.add(change, &[&role]);
    }
    role
}

/// A role is wholly ours, so what somebody added to its policies goes again.
fn repair(plan: &mut Plan<Change>, name: &str, found: &Role, wanted: &Role) {
    let role = || name.to_owned();
    if found.trust != wanted.trust {
        plan.add(Change::SetTrust { role: role(), old: found.trust.clone(), new: wanted.trust.clone() }, &[]);
    }
    if let Some(new) = wanted.boundary.as_ref().filter(|_| found.boundary != wanted.boundary) {
        plan.add(Change::SetBoundary { role: role(), old: found.boundary.clone(), new: new.clone() }, &[]);
    }
    for policy in wanted.managed.difference(&found.managed) {
        plan.add(Change::AttachPolicy { role: role(), policy: policy.clone() }, &[]);
    }
    for policy in found.managed.difference(&wanted.managed) {
        plan.add(Change::DetachPolicy { role: role(), policy: policy.clone() }, &[]);
    }
    for (inline, new) in &wanted.inline {
        let old = found.inline.get(inline).cloned();
        if old.as_ref() != Some(new) {
            plan.add(Change::PutPolicy { role: role(), name: inline.clone(), old, new: new.clone() }, &[]);
        }
    }
    for (inline, old) in found.inline.iter().filter(|(inline, _)| !wanted.inline.contains_key(*inline)) {
        plan.add(Change::DeletePolicy { role: role(), name: inline.clone(), old: old.clone() }, &[]);
    }
    if let Some((old, new)) = retag(&found.tags, &wanted.tags) {
        plan.add(Change::TagRole { role: role(), old, new }, &[]);
    }
}

/// The instance profile, with the instance role in it; `instance` is that role where it is still to be made.
fn plan_profile(
    scope: &Scope,
    found: Option<&Found<Profile>>,
    plan: &mut Plan<Change>,
    instance: Option<&Ref>,
) -> Result<(), Refusal> {
    let name = desired::profile_name(scope);
    let wanted = scope.tags("instance-profile", &name, None);
    let mut after: Vec<Ref> = instance.cloned().into_iter().collect();
    let mut add = true;
    match found {
        None => after.push(plan.add(Change::CreateProfile { name: name.clone(), tags: wanted }, &[])),
        Some(found) => {
            check_ours(scope, PROFILE, &name, &found.settings.tags)?;
            if let Some((old, new)) = retag(&found.settings.tags, &wanted) {
                plan.add(Change::TagProfile { profile: name.clone(), old, new }, &[]);
            }
            add = !found.settings.roles.contains(&name);
            // A profile holds one role, so another one goes first.
            for other in found.settings.roles.iter().filter(|role| **role != name) {
                after.push(plan.add(Change::RemoveFromProfile { profile: name.clone(), role: other.clone() }, &[]));
            }
        }
    }
    if add {
        let change = Change::AddToProfile { profile: name.clone(), role: name };
        plan.add(change, &after.iter().collect::<Vec<_>>());
    }
    Ok(())
}

/// Everything of ours: the profile, then the roles. Service-linked roles stay: others in the account use them too.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    let mut emptied = Vec::new();
    if let Some(found) = world.profile.as_ref().filter(|found| scope.owns(&found.settings.tags)) {
        let name = desired::profile_name(scope);
        for role in &found.settings.roles {
            emptied.push(plan.add(Change::RemoveFromProfile { profile: name.clone(), role: role.clone() }, &[]));
        }
        plan.add(Change::DeleteProfile { name }, &emptied.iter().collect::<Vec<_>>());
    }
    for (name, found) in world.roles.iter().filter(|(name, found)| is_ours(scope, name, &found.settings.tags)) {
        // A role that is in a profile or has a policy cannot be deleted.
        let mut bare = emptied.clone();
        for policy in &found.settings.managed {
            bare.push(plan.add(Change::DetachPolicy { role: name.clone(), policy: policy.clone() }, &[]));
        }
        for (inline, old) in &found.settings.inline {
            let change = Change::DeletePolicy { role: name.clone(), name: inline.clone(), old: old.clone() };
            bare.push(plan.add(change, &[]));
        }
        plan.add(Change::DeleteRole { name: name.clone() }, &bare.iter().collect::<Vec<_>>());
    }
    plan
}
