//! What the platform file no longer asks for: it goes when nobody's network interface is in it any more. Load balancers and
//! instances leave in later layers.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::plan_groups_away;
use super::{Change, Found, Group, Subnet, World, desired};
use crate::plan::{Plan, Ref};
use crate::scope::Scope;

/// When a security group of a load balancer is free.
pub(super) const UNTIL_GONE: &str = "no network interface is in the security groups that leave";

/// Whether something of ours is to leave, so that it matters who is in it.
#[must_use]
pub fn leaves(scope: &Scope, world: &World) -> bool {
    !(groups_leaving(scope, world).is_empty() && subnets_leaving(scope, world).is_empty())
}

/// Security groups of load balancers that left the file, by name.
pub(super) fn groups_leaving<'a>(scope: &Scope, world: &'a World) -> BTreeMap<&'a String, &'a Found<Group>> {
    let wanted: BTreeSet<String> = desired::groups(scope).keys().map(|key| scope.name(key)).collect();
    world.groups.iter().filter(|(name, _)| !wanted.contains(*name)).collect()
}

/// Subnets of zones that the platform does not use any more, by zone.
fn subnets_leaving<'a>(scope: &Scope, world: &'a World) -> BTreeMap<&'a String, &'a Found<Subnet>> {
    let wanted = desired::zones(scope, world);
    world.subnets.iter().filter(|(zone, _)| !wanted.contains(zone)).collect()
}

/// Of the subnets that leave, those in which instances still run.
pub(super) fn populated(scope: &Scope, world: &World) -> BTreeSet<String> {
    let instances = |id: &String| world.interfaces.iter().any(|found| found.of_instance && found.subnet == *id);
    subnets_leaving(scope, world).values().map(|found| found.id.clone()).filter(instances).collect()
}

/// Whether somebody's network interface is in a subnet or a security group.
pub(super) fn occupied(world: &World, id: &str) -> bool {
    world.interfaces.iter().any(|found| found.subnet == id || found.groups.contains(id))
}

/// The association with the route table goes with its subnet.
pub(super) fn plan_subnets_leaving(scope: &Scope, world: &World, plan: &mut Plan<Change>) {
    for found in subnets_leaving(scope, world).values() {
        let name = found.settings.tags.get("Name").cloned().unwrap_or_default();
        let change = Change::DeleteSubnet { id: found.id.clone(), name };
        if occupied(world, &found.id) {
            plan.defer(&change, "no network interface is in the subnet");
        } else {
            plan.add(change, &[]);
        }
    }
}

/// All of them or none, since one's rules may name another. `revoked` are the steps that take the rules away which name them.
pub(super) fn plan_groups_leaving(
    leaving: &BTreeMap<&String, &Found<Group>>,
    held: bool,
    plan: &mut Plan<Change>,
    revoked: &[Ref],
) {
    if held {
        for (name, found) in leaving {
            plan.defer(&Change::DeleteGroup { id: found.id.clone(), name: (*name).clone() }, UNTIL_GONE);
        }
        return;
    }
    let ids: BTreeMap<&str, &str> = leaving.iter().map(|(name, found)| (name.as_str(), found.id.as_str())).collect();
    plan_groups_away(plan, &ids, leaving.iter().map(|(name, found)| (*name, *found)), revoked);
}
