//! The planner of the cluster.

use std::collections::BTreeSet;

use serde_json::json;

use super::desired::{self, instances_name, log_group_name};
use super::refresh::plan_instances;
use super::{Capacity, Change, Group, Provider, World};
use crate::facts::KNOWN_AFTER_APPLY;
use crate::logs::plan_group as plan_logs;
use crate::plan::{Description, Plan, Ref, Refusal};
use crate::scope::{Scope, Tags, retag};

/// What has to change for the cluster to be what the platform file says.
///
/// # Errors
/// Where a name is somebody else's, or the region has no AMI for container instances.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    let logs = log_group_name(scope);
    let tags = scope.tags("log-group/containers", &logs, None);
    plan_logs(scope, &mut plan, &logs, world.logs.as_ref(), tags)?;
    let cluster = plan_cluster(scope, world, &mut plan)?;
    let (template, version) = plan_template(scope, world, &mut plan)?;
    let group = plan_group(scope, world, &mut plan, &template, &version)?;
    let provider = match &group {
        Some(group) => plan_provider(scope, world, &mut plan, group)?,
        None => None,
    };
    if let Some(provider) = provider {
        plan_capacity(scope, world, &mut plan, &cluster, &provider);
    }
    Ok(plan)
}

/// Refuses what bears a name of ours and not our tags.
fn check_owner(scope: &Scope, kind: &str, name: &str, tags: &Tags) -> Result<(), Refusal> {
    if scope.owns(tags) {
        return Ok(());
    }
    Err(Refusal::Taken {
        kind: kind.into(),
        name: name.into(),
        advice: "Give the platform another name or environment, or remove what has taken the name".into(),
    })
}

fn retag_ecs(plan: &mut Plan<Change>, kind: &str, arn: &str, found: &Tags, wanted: &Tags) {
    if let Some((old, new)) = retag(found, wanted) {
        let (arn, kind, name) = (arn.into(), kind.into(), wanted["Name"].clone());
        plan.add(Change::TagEcs { arn, kind, name, old, new }, &[]);
    }
}

fn plan_cluster(scope: &Scope, world: &World, plan: &mut Plan<Change>) -> Result<Ref, Refusal> {
    let name = scope.prefix();
    let tags = scope.tags("cluster", &name, None);
    let insights = desired::insights(scope);
    let Some(found) = &world.cluster else {
        return Ok(plan.add(Change::CreateCluster { name, insights: insights.into(), tags }, &[]));
    };
    check_owner(scope, "cluster", &name, &found.tags)?;
    if found.insights != insights {
        plan.add(Change::SetInsights { name, old: found.insights.clone(), new: insights.into() }, &[]);
    }
    retag_ecs(plan, "cluster", &found.arn, &found.tags, &tags);
    Ok(Ref::from(found.arn.as_str()))
}

/// The launch template, and the number of the version that the group is to use.
fn plan_template(scope: &Scope, world: &World, plan: &mut Plan<Change>) -> Result<(Ref, Ref), Refusal> {
    let name = instances_name(scope);
    let tags = scope.tags("launch-template", &name, None);
    let Some(found) = &world.template else {
        let ami = recommended(scope, world)?;
        let settings = desired::launch(scope, ami)?;
        let template = plan.add(Change::CreateTemplate { name, settings, tags }, &[]);
        return Ok((template, Ref::from("1")));
    };
    check_owner(scope, "launch template", &name, &found.tags)?;
    if let Some((old, new)) = retag(&found.tags, &tags) {
        plan.add(Change::TagTemplate { id: found.id.clone(), name: name.clone(), old, new }, &[]);
    }
    // The parameter moves every few weeks. An image that moved with it would replace instances on a day that nobody
    // chose, so the one in use stays until somebody asks for the newer one.
    let pinned = found.settings.ami.clone();
    let ami = if scope.refresh_ami { recommended(scope, world)? } else { pinned.clone() };
    if let Some(newer) = world.recommended_ami.as_ref().filter(|newer| **newer != ami) {
        plan.notes.push(format!(
            "launch template {name} keeps {pinned}; AWS now recommends {newer}: `skydeck apply --refresh-ami` takes it"
        ));
    }
    let wanted = desired::launch(scope, ami)?;
    let version = if found.settings == wanted {
        Ref::from(found.latest.to_string().as_str())
    } else {
        let (id, name, old) = (found.id.clone(), name.clone(), Box::new(found.settings.clone()));
        plan.add(Change::CreateVersion { id, name, after: found.latest, old, new: Box::new(wanted) }, &[])
    };
    if version != Ref::from(found.default.to_string().as_str()) {
        let (id, old) = (found.id.clone(), found.default);
        plan.add(Change::SetDefaultVersion { id, name, old, version: version.clone() }, &[&version]);
    }
    Ok((Ref::from(found.id.as_str()), version))
}

/// The image that AWS recommends now.
fn recommended(scope: &Scope, world: &World) -> Result<String, Refusal> {
    world.recommended_ami.clone().ok_or_else(|| Refusal::Impossible {
        what: format!("{} has no ECS-optimized Amazon Linux 2023 image for ARM64", scope.platform.region),
        advice: "Choose another region".into(),
    })
}

/// The Auto Scaling group; `None` where one of this name has to go first.
fn plan_group(
    scope: &Scope,
    world: &World,
    plan: &mut Plan<Change>,
    template: &Ref,
    version: &Ref,
) -> Result<Option<Ref>, Refusal> {
    let (name, wanted, tags) = (instances_name(scope), desired::group(scope)?, desired::group_tags(scope));
    let (template, version) = (template.clone(), version.clone());
    let Some(found) = &world.group else {
        // Only now is the desired size ours to say: managed scaling owns it afterwards.
        let desired = scope.platform.cluster.instances.desired;
        let after = [&template.clone(), &version.clone()];
        let change = Change::CreateGroup { name, template, version, desired, settings: wanted, tags };
        return Ok(Some(plan.add(change, &after)));
    };
    check_owner(scope, "Auto Scaling group", &name, &found.tags)?;
    if found.going {
        plan.waits.push(format!("the old Auto Scaling group {name} to go"));
        plan.later.push(Description::create("Auto Scaling group", name, &wanted));
        return Ok(None);
    }
    if found.settings != wanted {
        let (name, old) = (name.clone(), found.settings.clone());
        plan.add(Change::SetGroup { name, old, new: wanted }, &[]);
    }
    plan_instances(scope, plan, found, (&template, &version))?;
    plan_group_tags(plan, &name, found, &tags);
    Ok(Some(Ref::from(found.arn.as_str())))
}

/// A tag that instances do not get is as wrong as one that is missing.
fn plan_group_tags(plan: &mut Plan<Change>, name: &str, found: &Group, wanted: &Tags) {
    let mut has = found.tags.clone();
    has.retain(|key, _| found.propagated.contains(key));
    if let Some((old, new)) = retag(&has, wanted) {
        plan.add(Change::TagGroup { name: name.into(), old, new }, &[]);
    }
}

/// The capacity provider; `None` where an old one has to go first.
fn plan_provider(scope: &Scope, world: &World, plan: &mut Plan<Change>, group: &Ref) -> Result<Option<Ref>, Refusal> {
    let (name, wanted) = (instances_name(scope), desired::scaling(scope));
    let tags = scope.tags("capacity-provider", &name, None);
    let Some(found) = &world.provider else {
        let change = Change::CreateProvider { name, group: group.clone(), settings: wanted, tags };
        return Ok(Some(plan.add(change, &[group])));
    };
    check_owner(scope, "capacity provider", &name, &found.tags)?;
    if found.busy {
        plan.waits.push(format!("capacity provider {name} to take its last change"));
        if found.settings != wanted {
            plan.later.push(Description::update("capacity provider", name, &found.settings, &wanted));
        }
        return Ok(None);
    }
    if Ref::from(found.group.as_str()) != *group {
        let id = match group {
            Ref::Known(arn) => arn,
            Ref::Made(_) => KNOWN_AFTER_APPLY,
        };
        let side = |group: &str| json!({ "group": group });
        let told =
            Description::replace("capacity provider", (&name, &name), (&side(&found.group), &side(id)), |_| true);
        plan.later.push(told);
        replace_provider(world, plan, found, &name, scope);
        return Ok(None);
    }
    if found.settings != wanted {
        plan.add(Change::SetProvider { name, old: found.settings.clone(), new: wanted }, &[]);
    }
    retag_ecs(plan, "capacity provider", &found.arn, &found.tags, &tags);
    Ok(Some(Ref::from(found.arn.as_str())))
}

/// A group that was deleted behind our back leaves a provider that scales nothing, and AWS cannot give it another
/// group: it is detached and deleted, and made anew once it is gone.
fn replace_provider(world: &World, plan: &mut Plan<Change>, found: &Provider, name: &str, scope: &Scope) {
    plan.waits.push(format!("capacity provider {name} of a lost Auto Scaling group to go ({})", found.group));
    match &world.cluster {
        Some(cluster) if cluster.busy => {}
        Some(cluster) if cluster.capacity.providers.contains(name) => {
            let new = without(&cluster.capacity, name);
            plan.add(Change::SetCapacity { cluster: scope.prefix(), old: cluster.capacity.clone(), new }, &[]);
        }
        _ => {
            plan.add(Change::DeleteProvider { name: name.into() }, &[]);
        }
    }
}

/// The cluster's capacity without one provider; what others attached stays.
pub(super) fn without(capacity: &Capacity, name: &str) -> Capacity {
    let mut capacity = capacity.clone();
    capacity.providers.remove(name);
    capacity.strategy.remove(name);
    capacity
}

fn plan_capacity(scope: &Scope, world: &World, plan: &mut Plan<Change>, cluster: &Ref, provider: &Ref) {
    let old = world.cluster.as_ref().map(|cluster| cluster.capacity.clone()).unwrap_or_default();
    let wanted = desired::capacity(scope);
    if old.strategy == wanted.strategy && wanted.providers.is_subset(&old.providers) {
        return;
    }
    let providers: BTreeSet<String> = old.providers.union(&wanted.providers).cloned().collect();
    let new = Capacity { providers, strategy: wanted.strategy };
    if world.cluster.as_ref().is_some_and(|cluster| cluster.busy) {
        plan.waits.push(format!("cluster {} to attach or detach a capacity provider", scope.prefix()));
        plan.later.push(Description::update("cluster", scope.prefix(), &old, &new));
        return;
    }
    plan.add(Change::SetCapacity { cluster: scope.prefix(), old, new }, &[cluster, provider]);
}
