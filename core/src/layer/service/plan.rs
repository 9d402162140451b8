//! The planner of the services.

use super::desired::{self, family};
use super::teardown::{plan_family_away, plan_service_away};
use super::{Change, Definition, Placement, Service, TaskSettings, World};
use crate::plan::{Plan, Ref, Refusal};
use crate::scope::{Scope, Tags, retag};
use crate::spec;

/// What has to change for the services to be what the platform file says.
///
/// # Errors
/// Where a service or a task definition family of a name that is needed is somebody else's.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    for (name, service) in &scope.platform.services {
        plan_service(scope, world, &mut plan, name, service)?;
    }
    let mut leaving = false;
    for (name, found) in &world.services {
        if !scope.platform.services.contains_key(name) && scope.owns(&found.tags) {
            leaving = true;
            plan_service_away(&mut plan, name, found);
        }
    }
    for (name, found) in &world.families {
        let wanted = scope.platform.services.keys().any(|service| family(scope, service) == *name);
        // A service that leaves may still run tasks of its definition.
        if !leaving && !wanted && scope.owns(&found.tags) {
            plan_family_away(&mut plan, name, found);
        }
    }
    Ok(plan)
}

fn taken(kind: &str, name: &str, advice: &str) -> Refusal {
    Refusal::Taken { kind: kind.into(), name: name.into(), advice: advice.into() }
}

fn plan_service(
    scope: &Scope,
    world: &World,
    plan: &mut Plan<Change>,
    name: &str,
    service: &spec::Service,
) -> Result<(), Refusal> {
    let (settings, placement) = (desired::settings(service), desired::placement(scope, name, service)?);
    let wanted = desired::task(scope, name, service)?;
    let tags = desired::service_tags(scope, name);
    // Only of a service that has run none: from then on a rollout decides.
    let first = world.images.get(name).filter(|_| !world.has_image(name));
    let first = first.map(|digest| desired::pinned_image(scope, name, digest)).transpose()?;
    let Some(found) = world.services.get(name) else {
        let desired = if first.is_some() { service.desired } else { 0 };
        let definition = plan_definition(scope, world, plan, name, wanted, None, first)?;
        let after = [&definition.clone()];
        let change = Change::CreateService { name: name.into(), definition, desired, settings, placement, tags };
        plan.add(change, &after);
        return Ok(());
    };
    if !scope.owns(&found.tags) {
        return Err(taken("service", name, "Rename the service in the platform file, or delete that one"));
    }
    if found.draining {
        plan.waits.push(format!("the deleted service {name} to go"));
        return Ok(());
    }
    if found.settings != settings {
        plan.add(Change::SetService { name: name.into(), old: found.settings.clone(), new: settings }, &[]);
    }
    plan_tags(plan, "service", &found.arn, &found.tags, &tags);
    let same = world.definitions.get(&found.definition).is_some_and(|definition| definition.settings == wanted);
    if let Some(image) = first {
        let definition = plan_definition(scope, world, plan, name, wanted, Some(found), Some(image))?;
        let (after, old) = ([&definition.clone()], found.definition.clone());
        let start = Change::Start { name: name.into(), old, definition, desired: service.desired };
        let started = plan.add(start, &after);
        plan_placement(plan, name, found, placement, &started);
    } else if found.tasks > 0 {
        // One writer: what tasks run is changed by a rollout, which verifies it and can take it back.
        if !same || found.placement != placement {
            plan.notes.push(format!("service {name} runs an older definition; a rollout will release the new one"));
        }
    } else {
        let ready = if same {
            reap_twins(world, plan, &family(scope, name), found);
            Ref::from(found.definition.as_str())
        } else {
            let definition = plan_definition(scope, world, plan, name, wanted, Some(found), None)?;
            let (name, old) = (name.into(), found.definition.clone());
            let after = [&definition.clone()];
            plan.add(Change::SetDefinition { name, old, definition }, &after)
        };
        plan_placement(plan, name, found, placement, &ready);
    }
    if let Some(definition) = world.definitions.get(&found.definition).filter(|found| scope.owns(&found.tags)) {
        let tags = desired::definition_tags(scope, name);
        plan_tags(plan, "task definition", &found.definition, &definition.tags, &tags);
    }
    Ok(())
}

/// A revision that was registered twice, since the first one was not seen, is used by nobody. Only of a service that still
/// awaits an image: later revisions are the rollouts', which may come back to them.
fn reap_twins(world: &World, plan: &mut Plan<Change>, name: &str, service: &Service) {
    let used = world.definitions.get(&service.definition).filter(|found| found.awaits_image());
    let (Some(used), Some(found)) = (used, world.families.get(name)) else { return };
    let is_twin = |arn: &&String| **arn != service.definition && world.definitions.get(*arn) == Some(used);
    for arn in found.active.iter().filter(is_twin) {
        let gone = plan.add(Change::Deregister { arn: arn.clone() }, &[]);
        plan.add(Change::DeleteDefinitions { family: name.into(), arns: vec![arn.clone()] }, &[&gone]);
    }
}

/// The new definition first: ECS checks a load balancer's container port against it.
fn plan_placement(plan: &mut Plan<Change>, name: &str, found: &Service, new: Placement, ready: &Ref) {
    if found.placement != new {
        plan.add(Change::SetPlacement { name: name.into(), old: found.placement.clone(), new }, &[ready]);
    }
}

fn plan_tags(plan: &mut Plan<Change>, kind: &str, arn: &str, found: &Tags, wanted: &Tags) {
    if let Some((old, new)) = retag(found, wanted) {
        let name = wanted["Name"].clone();
        plan.add(Change::SetTags { arn: arn.into(), kind: kind.into(), name, old, new }, &[]);
    }
}

/// The task definition that a service without tasks is to use: the family's newest revision where that is right
/// already (an attempt before this one may have registered it and got no answer), otherwise a new one. The image is
/// the first one of a service that has run none; otherwise it is kept, whatever it is.
fn plan_definition(
    scope: &Scope,
    world: &World,
    plan: &mut Plan<Change>,
    name: &str,
    wanted: TaskSettings,
    service: Option<&Service>,
    first: Option<String>,
) -> Result<Ref, Refusal> {
    let name_of_family = family(scope, name);
    let found = world.families.get(&name_of_family);
    if found.is_some_and(|found| !scope.owns(&found.tags)) {
        let advice = "Rename the service in the platform file, or deregister that family's revisions";
        return Err(taken("task definition family", &name_of_family, advice));
    }
    let newest = found.and_then(|found| found.active.first());
    let newest: Option<(&String, &Definition)> = newest.and_then(|arn| world.definitions.get_key_value(arn));
    let used = service.and_then(|service| world.definitions.get(&service.definition));
    let current = used.or(newest.map(|(_, definition)| definition));
    let image = match (first, current) {
        (Some(image), _) => image,
        (None, Some(definition)) => definition.image.clone(),
        (None, None) => desired::awaiting_image(scope, name)?,
    };
    if let Some((arn, _)) = newest.filter(|(_, newest)| newest.settings == wanted && newest.image == image) {
        return Ok(Ref::from(arn.as_str()));
    }
    let old = current.map(|definition| Box::new(definition.settings.clone()));
    let new = Definition { image, settings: wanted, tags: desired::definition_tags(scope, name) };
    Ok(plan.add(Change::Register { family: name_of_family, old, new: Box::new(new) }, &[]))
}
