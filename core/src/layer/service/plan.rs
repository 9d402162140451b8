//! The planner of the services.

use serde_json::json;

use super::desired::{self, family};
use super::teardown::{plan_family_away, plan_service_away};
use super::{Change, Definition, Placement, Service, TaskSettings, World};
use crate::plan::{Description, Handover, Plan, Ref, Refusal};
use crate::rollout::image;
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
            if serves_on(scope, found) {
                plan.defer(&Change::DeleteService { name: name.clone() }, "what takes its place serves");
            } else {
                plan_service_away(&mut plan, name, found);
            }
        }
    }
    for (name, found) in &world.families {
        let wanted = scope.platform.services.keys().any(|service| family(scope, service) == *name);
        // A service that leaves may still run tasks of its definition.
        if wanted || !scope.owns(&found.tags) {
            continue;
        }
        if leaving {
            let mut away = Plan::default();
            plan_family_away(&mut away, name, found);
            plan.later.extend(away.describe());
        } else {
            plan_family_away(&mut plan, name, found);
        }
    }
    Ok(plan)
}

/// Whether a load balancer still sends to it, although another service takes its place.
fn serves_on(scope: &Scope, found: &Service) -> bool {
    let groups = scope.facts.balancer.as_ref().map(|facts| &facts.serving_on);
    let behind = |group: &String| found.placement.load_balancers.iter().any(|behind| behind.target_group == *group);
    groups.is_some_and(|groups| groups.iter().any(behind))
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
    let Some(found) = world.services.get(name) else {
        let definition = plan_definition(scope, world, plan, name, wanted)?;
        let after = [&definition.clone()];
        plan.add(Change::CreateService { name: name.into(), definition, settings, placement, tags }, &after);
        plan_start(world, plan, name, service);
        return Ok(());
    };
    if !scope.owns(&found.tags) {
        return Err(taken("service", name, "Rename the service in the platform file, or delete that one"));
    }
    if found.draining {
        plan.waits.push(format!("the deleted service {name} to go"));
        plan.later.push(Description::create("service", name, &settings));
        return Ok(());
    }
    if found.settings != settings {
        plan.add(Change::SetService { name: name.into(), old: found.settings.clone(), new: settings }, &[]);
    }
    plan_tags(plan, "service", &found.arn, &found.tags, &tags);
    if let Some(definition) = world.definitions.get(&found.definition).filter(|found| scope.owns(&found.tags)) {
        let tags = desired::definition_tags(scope, name);
        plan_tags(plan, "task definition", &found.definition, &definition.tags, &tags);
    }
    if let Some(digest) = world.lost.get(name) {
        plan.warnings.push(lost(name, digest));
    }
    if world.has_image(name) {
        if found.desired == 0 {
            plan.notes.push(idle(name));
        }
        plan_rollout(world, plan, name, found, (&wanted, &placement));
    } else {
        // Its definition stands for an image that is yet to come, and is made anew with it.
        reap_twins(world, plan, &family(scope, name), found);
        plan_start(world, plan, name, service);
    }
    Ok(())
}

fn idle(name: &str) -> String {
    format!(
        "service {name} runs no task: its desired count in ECS is 0. If its first image was rolled back, push another one; if \
         somebody has set the count, set it in ECS again"
    )
}

fn lost(name: &str, digest: &str) -> String {
    format!(
        "service {name} runs image {}, and its repository has it no more: a task that ends cannot be started again. Push it \
         again, or another one",
        image::name(digest, None)
    )
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

/// The first image is in the repository: a rollout starts the service with it.
fn plan_start(world: &World, plan: &mut Plan<Change>, name: &str, service: &spec::Service) {
    if let Some(digest) = world.images.get(name) {
        let (old, new) = (json!({ "desired": 0 }), json!({ "desired": service.desired, "image": digest }));
        let description = Description::update("service", name, &old, &new);
        plan.rollouts.push(Handover { service: name.into(), description });
    }
}

/// One writer: what tasks are is changed by a rollout, which verifies it and can take it back.
fn plan_rollout(
    world: &World,
    plan: &mut Plan<Change>,
    name: &str,
    found: &Service,
    (wanted, placement): (&TaskSettings, &Placement),
) {
    let settings = world.definitions.get(&found.definition).map(|definition| &definition.settings);
    let deregistered = world.deregistered.contains(&found.definition);
    if settings == Some(wanted) && found.placement == *placement && !deregistered {
        return;
    }
    let mut old = json!({ "task_definition": settings, "placement": found.placement });
    let mut new = json!({ "task_definition": wanted, "placement": placement });
    if deregistered {
        let status = "task_definition_status";
        (old[status], new[status]) = (json!("INACTIVE"), json!("ACTIVE"));
    }
    let description = Description::update("service", name, &old, &new);
    plan.rollouts.push(Handover { service: name.into(), description });
}

fn plan_tags(plan: &mut Plan<Change>, kind: &str, arn: &str, found: &Tags, wanted: &Tags) {
    if let Some((old, new)) = retag(found, wanted) {
        let name = wanted["Name"].clone();
        plan.add(Change::SetTags { arn: arn.into(), kind: kind.into(), name, old, new }, &[]);
    }
}

/// The task definition that a new service stands with until its first image: the family's newest revision where that is
/// right already (an attempt before this one may have registered it and got no answer), otherwise a new one.
fn plan_definition(
    scope: &Scope,
    world: &World,
    plan: &mut Plan<Change>,
    name: &str,
    wanted: TaskSettings,
) -> Result<Ref, Refusal> {
    let name_of_family = family(scope, name);
    let found = world.families.get(&name_of_family);
    if found.is_some_and(|found| !scope.owns(&found.tags)) {
        let advice = "Rename the service in the platform file, or deregister that family's revisions";
        return Err(taken("task definition family", &name_of_family, advice));
    }
    let image = desired::awaiting_image(scope, name)?;
    let newest = found.and_then(|found| found.active.first());
    let newest = newest.and_then(|arn| world.definitions.get_key_value(arn));
    if let Some((arn, _)) = newest.filter(|(_, newest)| newest.settings == wanted && newest.image == image) {
        return Ok(Ref::from(arn.as_str()));
    }
    let new = Definition { image, settings: wanted, tags: desired::definition_tags(scope, name) };
    Ok(plan.add(Change::Register { family: name_of_family, new: Box::new(new) }, &[]))
}
