//! The planner of the network.

use std::collections::BTreeMap;

use super::leave::{UNTIL_GONE, groups_leaving, occupied, plan_groups_leaving, plan_subnets_leaving};
use super::{Change, Dns, Gateway, Group, Ingress, RouteTable, Source, Subnet, Vpc, World, desired};
use crate::obstacle::{Kind, Obstacle, unmarked};
use crate::plan::{Found, Plan, Ref, Refusal};
use crate::scope::{Scope, Tags, retag};

/// What has to change for the network to be what the platform file says.
///
/// # Errors
/// Where the region has too few zones, or the VPC's block is another one, which AWS cannot change.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    let subnets = desired::subnets(scope, world)?;
    let vpc = plan_vpc(scope, world, &mut plan)?;
    let table = plan_routes(scope, world, &mut plan, &vpc);
    for (zone, settings) in subnets {
        let name = settings.tags["Name"].clone();
        let subnet = match world.subnets.get(&zone) {
            None => {
                let made = plan.add(Change::CreateSubnet { vpc: vpc.clone(), zone, settings }, &[&vpc]);
                plan.add(Change::SetPublicIp { subnet: made.clone(), name: name.clone() }, &[&made]);
                made
            }
            Some(found) => {
                let id = Ref::from(found.id.as_str());
                if found.settings.cidr != settings.cidr {
                    return Err(fixed("subnet", &name, "CIDR block", &found.settings.cidr, &settings.cidr));
                }
                if !found.settings.public_ip_on_launch {
                    plan.add(Change::SetPublicIp { subnet: id.clone(), name: name.clone() }, &[]);
                }
                set_tags(&mut plan, "subnet", &found.id, &found.settings.tags, &settings.tags);
                id
            }
        };
        let associated = world.route_tables.first().is_some_and(|table| {
            subnet.step().is_none() && table.settings.subnets.keys().any(|id| Ref::from(id.as_str()) == subnet)
        });
        if !associated {
            plan.add(Change::Associate { table: table.clone(), subnet: subnet.clone(), name }, &[&table, &subnet]);
        }
    }
    plan_subnets_leaving(scope, world, &mut plan);
    plan_groups(scope, world, &mut plan, &vpc);
    reap(scope, world, &mut plan);
    Ok(plan)
}

/// What of the network has lost the installation's tag.
#[must_use]
pub fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let spare = &world.spare;
    let vpcs = world.vpcs.iter().map(|found| (Kind::Vpc, &found.id, &found.settings.tags));
    let gateways = world.gateways.iter().map(|found| (Kind::InternetGateway, &found.id, &found.settings.tags));
    let tables = world.route_tables.iter().chain(&spare.route_tables);
    let tables = tables.map(|found| (Kind::RouteTable, &found.id, &found.settings.tags));
    let subnets = world.subnets.values().chain(&spare.subnets);
    let subnets = subnets.map(|found| (Kind::Subnet, &found.id, &found.settings.tags));
    let groups = world.groups.values().chain(spare.groups.iter().map(|(_, found)| found));
    let groups = groups.map(|found| (Kind::SecurityGroup, &found.id, &found.settings.tags));
    unmarked(scope, vpcs.chain(gateways).chain(tables).chain(subnets).chain(groups))
}

fn fixed(kind: &str, name: &str, what: &str, old: &impl ToString, new: &impl ToString) -> Refusal {
    Refusal::Impossible {
        what: format!(
            "{kind} {name} has the {what} {}, and AWS cannot change it to {}",
            old.to_string(),
            new.to_string()
        ),
        advice: "Put the old value back into the platform file, or destroy the platform first".into(),
    }
}

fn set_tags(plan: &mut Plan<Change>, kind: &str, id: &str, found: &Tags, wanted: &Tags) {
    if let Some((old, new)) = retag(found, wanted) {
        let change = Change::SetTags { id: id.into(), kind: kind.into(), name: wanted["Name"].clone(), old, new };
        plan.add(change, &[]);
    }
}

fn plan_vpc(scope: &Scope, world: &World, plan: &mut Plan<Change>) -> Result<Ref, Refusal> {
    let wanted = desired::vpc(scope);
    let name = wanted.tags["Name"].clone();
    let dns = |vpc: &Vpc| Dns { dns_hostnames: vpc.dns_hostnames, dns_support: vpc.dns_support };
    let (cidr, new) = (wanted.cidr, dns(&wanted));
    let Some(found) = world.vpcs.first() else {
        let vpc = plan.add(Change::CreateVpc { settings: wanted }, &[]);
        plan.add(Change::SetVpcDns { vpc: vpc.clone(), name, old: None, new }, &[&vpc]);
        return Ok(vpc);
    };
    if found.settings.cidr != cidr {
        return Err(fixed("VPC", &name, "CIDR block", &found.settings.cidr, &cidr));
    }
    let vpc = Ref::from(found.id.as_str());
    let old = dns(&found.settings);
    if old != new {
        plan.add(Change::SetVpcDns { vpc: vpc.clone(), name, old: Some(old), new }, &[]);
    }
    set_tags(plan, "VPC", &found.id, &found.settings.tags, &wanted.tags);
    Ok(vpc)
}

/// The platform's internet gateway: one that is attached elsewhere is not it.
fn gateway(world: &World) -> Option<&Found<Gateway>> {
    let vpc = world.vpcs.first().map(|vpc| &vpc.id);
    world.gateways.first().filter(|found| found.settings.vpc.is_none() || found.settings.vpc.as_ref() == vpc)
}

/// The internet gateway, and the route table whose default route goes to it. Returns the route table.
fn plan_routes(scope: &Scope, world: &World, plan: &mut Plan<Change>, vpc: &Ref) -> Ref {
    let tags = scope.tags("internet-gateway", &scope.name("igw"), None);
    let name = tags["Name"].clone();
    let found = gateway(world);
    let gateway = match found {
        None => plan.add(Change::CreateGateway { tags }, &[]),
        Some(found) => {
            set_tags(plan, "internet gateway", &found.id, &found.settings.tags, &tags);
            Ref::from(found.id.as_str())
        }
    };
    let attached = found.and_then(|found| Some((&found.id, found.settings.vpc.as_ref()?)));
    let ready = match attached {
        Some((_, attached)) if Ref::from(attached.as_str()) == *vpc => gateway.clone(),
        attached => {
            // It is attached to one at a time.
            let free = attached.map(|(id, vpc)| {
                plan.add(Change::DetachGateway { id: id.clone(), vpc: vpc.clone(), name: name.clone() }, &[])
            });
            let after: Vec<&Ref> = free.iter().chain([&gateway, vpc]).collect();
            plan.add(Change::AttachGateway { gateway: gateway.clone(), vpc: vpc.clone(), name }, &after)
        }
    };
    let tags = scope.tags("route-table/public", &scope.name("public"), None);
    let name = tags["Name"].clone();
    let found = world.route_tables.first();
    let table = match found {
        None => plan.add(Change::CreateRouteTable { vpc: vpc.clone(), tags }, &[vpc]),
        Some(found) => {
            set_tags(plan, "route table", &found.id, &found.settings.tags, &tags);
            Ref::from(found.id.as_str())
        }
    };
    let old = found.and_then(|found| found.settings.default_route.clone());
    if old.as_deref().map(Ref::from).as_ref() != Some(&gateway) {
        plan.add(Change::SetDefaultRoute { table: table.clone(), gateway, old, name }, &[&table, &ready]);
    }
    table
}

fn plan_groups(scope: &Scope, world: &World, plan: &mut Plan<Change>, vpc: &Ref) {
    let wanted: Vec<(String, Group)> =
        desired::groups(scope).into_values().map(|group| (group.tags["Name"].clone(), group)).collect();
    let mut ids: BTreeMap<String, Ref> =
        world.groups.iter().map(|(name, found)| (name.clone(), Ref::from(found.id.as_str()))).collect();
    let leaving = groups_leaving(scope, world);
    let held = leaving.values().any(|found| occupied(world, &found.id));
    let mut revoked = Vec::new();
    // All groups first: rules name other groups.
    for (name, settings) in &wanted {
        let id = match world.groups.get(name) {
            Some(found) => Ref::from(found.id.as_str()),
            None => plan
                .add(Change::CreateGroup { vpc: vpc.clone(), name: name.clone(), settings: settings.clone() }, &[vpc]),
        };
        ids.insert(name.clone(), id);
    }
    for (name, settings) in wanted {
        let group = ids[&name].clone();
        let found = world.groups.get(&name);
        let rule = |rule: &Ingress| match &rule.source {
            Source::Group(source) => (rule.clone(), ids.get(source).cloned()),
            Source::Cidr(_) | Source::Ipv6(_) | Source::PrefixList(_) => (rule.clone(), None),
        };
        let has = |ingress: &&Ingress| found.is_some_and(|found| found.settings.ingress.contains(*ingress));
        let rules: Vec<_> = settings.ingress.iter().filter(|ingress| !has(ingress)).map(rule).collect();
        if !rules.is_empty() {
            let mut after: Vec<&Ref> = rules.iter().filter_map(|(_, source)| source.as_ref()).collect();
            after.push(&group);
            let change = Change::AllowIn { group: group.clone(), name: name.clone(), rules: rules.clone() };
            plan.add(change, &after);
        }
        if let Some(found) = found {
            set_tags(plan, "security group", &found.id, &found.settings.tags, &settings.tags);
            if !found.settings.egress_all {
                plan.add(Change::AllowOut { group, name: name.clone() }, &[]);
            }
            let extra = found.settings.ingress.difference(&settings.ingress);
            let extra: Vec<_> = extra.filter(|ingress| !desired::may_stay(ingress, &settings)).map(rule).collect();
            let (kept, extra): (Vec<_>, Vec<_>) = extra.into_iter().partition(|(ingress, _)| {
                held && matches!(&ingress.source, Source::Group(name) if leaving.contains_key(name))
            });
            let revoke = |rules| Change::RevokeIn { group: found.id.clone(), name: name.clone(), rules };
            if !kept.is_empty() {
                plan.defer(&revoke(kept), UNTIL_GONE);
            }
            if !extra.is_empty() {
                revoked.push(plan.add(revoke(extra), &[]));
            }
        }
    }
    plan_groups_leaving(&leaving, held, plan, &revoked);
}

/// Deletes what was made twice. AWS refuses where something is in use after all.
fn reap(scope: &Scope, world: &World, plan: &mut Plan<Change>) {
    for id in &world.in_use {
        plan.notes.push(format!(
            "VPC {id} carries the platform's tags beside the platform's own, and holds network interfaces: it stays"
        ));
    }
    let mut gone = plan_spare_away(scope, world, plan);
    let kept = gateway(world).map(|kept| &kept.id);
    let ours = |vpc: &String| world.vpcs.iter().any(|found| found.id == *vpc);
    for spare in world.gateways.iter().filter(|found| Some(&found.id) != kept) {
        if spare.settings.vpc.as_ref().is_none_or(ours) {
            gone.push(plan_gateway_away(scope, plan, spare));
        }
    }
    for spare in world.vpcs.iter().skip(1) {
        let change = Change::DeleteVpc { id: spare.id.clone(), name: scope.name("vpc") };
        plan.add(change, &gone.iter().collect::<Vec<_>>());
    }
    for spare in world.route_tables.iter().skip(1) {
        plan.add(Change::DeleteRouteTable { id: spare.id.clone(), name: scope.name("public") }, &[]);
    }
}

/// Everything of ours, in the order that AWS allows: rules between groups, groups, associations, subnets, routes,
/// gateway, VPC. What still uses one of them makes AWS refuse its deletion, and the layer waits.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    let ids: BTreeMap<&str, &str> =
        world.groups.iter().map(|(name, found)| (name.as_str(), found.id.as_str())).collect();
    let mut gone = plan_groups_away(&mut plan, &ids, world.groups.iter(), &[]);
    gone.extend(plan_subnets_away(scope, &mut plan, &world.route_tables, world.subnets.values()));
    gone.extend(plan_spare_away(scope, world, &mut plan));
    for gateway in &world.gateways {
        gone.push(plan_gateway_away(scope, &mut plan, gateway));
    }
    for vpc in &world.vpcs {
        let change = Change::DeleteVpc { id: vpc.id.clone(), name: scope.name("vpc") };
        plan.add(change, &gone.iter().collect::<Vec<_>>());
    }
    for id in &world.in_use {
        plan.waits.push(format!("the network interfaces in VPC {id} to go"));
    }
    plan
}

/// What is in the VPCs that the platform does not use.
fn plan_spare_away(scope: &Scope, world: &World, plan: &mut Plan<Change>) -> Vec<Ref> {
    let spare = &world.spare;
    let mut gone =
        plan_groups_away(plan, &BTreeMap::new(), spare.groups.iter().map(|(name, found)| (name, found)), &[]);
    gone.extend(plan_subnets_away(scope, plan, &spare.route_tables, spare.subnets.iter()));
    gone
}

/// Rules between groups, then the groups, which also wait for `after`; `ids` has the groups' ids by their names.
pub(super) fn plan_groups_away<'a>(
    plan: &mut Plan<Change>,
    ids: &BTreeMap<&str, &str>,
    groups: impl Iterator<Item = (&'a String, &'a Found<Group>)> + Clone,
    after: &[Ref],
) -> Vec<Ref> {
    let mut revoked = after.to_vec();
    for (name, found) in groups.clone() {
        let rules = found.settings.ingress.iter().filter_map(|rule| match &rule.source {
            Source::Group(source) => {
                let id = ids.get(source.as_str()).map_or(source.as_str(), |id| *id);
                Some((rule.clone(), Some(Ref::from(id))))
            }
            Source::Cidr(_) | Source::Ipv6(_) | Source::PrefixList(_) => None,
        });
        let rules: Vec<_> = rules.collect();
        if !rules.is_empty() {
            let change = Change::RevokeIn { group: found.id.clone(), name: name.clone(), rules };
            revoked.push(plan.add(change, &[]));
        }
    }
    let after: Vec<&Ref> = revoked.iter().collect();
    groups
        .map(|(name, found)| plan.add(Change::DeleteGroup { id: found.id.clone(), name: name.clone() }, &after))
        .collect()
}

/// Associations, then subnets and route tables.
fn plan_subnets_away<'a>(
    scope: &Scope,
    plan: &mut Plan<Change>,
    tables: &[Found<RouteTable>],
    subnets: impl Iterator<Item = &'a Found<Subnet>>,
) -> Vec<Ref> {
    let name = scope.name("public");
    let mut freed = Vec::new();
    for association in tables.iter().flat_map(|table| table.settings.subnets.values()) {
        let change = Change::Disassociate { association: association.clone(), name: name.clone() };
        freed.push(plan.add(change, &[]));
    }
    let after: Vec<&Ref> = freed.iter().collect();
    let mut gone = Vec::new();
    for found in subnets {
        let name = found.settings.tags["Name"].clone();
        gone.push(plan.add(Change::DeleteSubnet { id: found.id.clone(), name }, &after));
    }
    for table in tables {
        gone.push(plan.add(Change::DeleteRouteTable { id: table.id.clone(), name: name.clone() }, &after));
    }
    gone
}

fn plan_gateway_away(scope: &Scope, plan: &mut Plan<Change>, gateway: &Found<Gateway>) -> Ref {
    let name = scope.name("igw");
    let detached = gateway.settings.vpc.as_ref().map(|vpc| {
        plan.add(Change::DetachGateway { id: gateway.id.clone(), vpc: vpc.clone(), name: name.clone() }, &[])
    });
    plan.add(Change::DeleteGateway { id: gateway.id.clone(), name }, &detached.iter().collect::<Vec<_>>())
}
