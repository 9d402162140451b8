//! What the network should be, by the platform file alone; and what it hands on.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;

use super::leave::populated;
use super::{ANYWHERE, Group, Ingress, Source, Subnet, TCP, Vpc, World};
use crate::facts::{Facts, NetworkFacts};
use crate::layer::balancer::{HTTP, HTTPS};
use crate::plan::Refusal;
use crate::scope::Scope;
use crate::spec::Scheme;

/// The ports that Linux gives a container whose host port is 0
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html>).
const EPHEMERAL: (i32, i32) = (32768, 65535);

/// Key of a load balancer's security group: `alb-<key>`.
#[must_use]
pub fn alb_group(load_balancer: &str) -> String {
    format!("alb-{load_balancer}")
}

/// The VPC.
pub(super) fn vpc(scope: &Scope) -> Vpc {
    Vpc {
        cidr: scope.platform.network.cidr,
        dns_hostnames: true,
        dns_support: true,
        tags: scope.tags("vpc", &scope.name("vpc"), None),
    }
}

/// One subnet in each of the platform's zones. A subnet that stands keeps its block, and a new one takes the first that is
/// free, so that a zone more moves no other subnet.
pub(super) fn subnets(scope: &Scope, world: &World) -> Result<BTreeMap<String, Subnet>, Refusal> {
    let network = &scope.platform.network;
    let wanted = usize::from(network.zones);
    let zones = zones(scope, world);
    if zones.len() < wanted {
        return Err(if network.zone_names.is_empty() {
            too_few(scope, world, zones.len())
        } else {
            unfit(scope, world, &zones)
        });
    }
    let blocks: Vec<Ipv4Net> =
        network.cidr.subnets(subnet_prefix(network.cidr)).into_iter().flatten().take(MOST_ZONES).collect();
    let held = |zone: &String| world.subnets.get(zone).map(|found| found.settings.cidr);
    let taken: Vec<Ipv4Net> = world.subnets.keys().filter_map(held).collect();
    let mut free = blocks.iter().filter(|block| !taken.contains(block));
    let mut subnets = BTreeMap::new();
    for zone in zones {
        let kept = held(zone).filter(|block| blocks.contains(block));
        let Some(cidr) = kept.or_else(|| free.next().copied()) else {
            return Err(Refusal::Impossible {
                what: format!("network.cidr {} has no room for {wanted} subnets", network.cidr),
                advice: "Give the VPC a larger block".into(),
            });
        };
        let tags = scope.tags(&format!("subnet/{zone}"), &scope.name(&format!("public-{zone}")), None);
        subnets.insert(zone.clone(), Subnet { cidr, public_ip_on_launch: true, tags });
    }
    Ok(subnets)
}

/// No region has more zones.
const MOST_ZONES: usize = 6;

fn too_few(scope: &Scope, world: &World, found: usize) -> Refusal {
    let (wanted, region) = (scope.platform.network.zones, &scope.platform.region);
    let instance = &scope.platform.cluster.instances.instance_type;
    let lacking = world.lacking.iter().cloned().collect::<Vec<_>>().join(", ");
    let why = if lacking.is_empty() { String::new() } else { format!(": {instance} is not offered in {lacking}") };
    Refusal::Impossible {
        what: format!("the platform file asks for {wanted} availability zones, and {region} has {found}{why}"),
        advice: format!("Set network.zones to at most {found}"),
    }
}

/// Zones that the platform file names and that are not to be used.
fn unfit(scope: &Scope, world: &World, fit: &[&String]) -> Refusal {
    let names = scope.platform.network.zone_names.iter().filter(|name| !fit.contains(name));
    let (lacking, unknown): (Vec<&String>, Vec<&String>) = names.partition(|name| world.lacking.contains(*name));
    let (instance, region) = (&scope.platform.cluster.instances.instance_type, &scope.platform.region);
    let list = |names: &[&String]| names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let lacks = format!("{instance} is not offered in {}", list(&lacking));
    let is_none = format!("{region} has no availability zone {} for this account", list(&unknown));
    let parts = [(lacks, lacking.is_empty()), (is_none, unknown.is_empty())];
    let what: Vec<String> = parts.into_iter().filter(|(_, is_empty)| !is_empty).map(|(text, _)| text).collect();
    Refusal::Impossible {
        what: what.join(", and "),
        advice: format!("Name others in network.zone-names; it has {}", world.zones.join(", ")),
    }
}

/// The zones that the platform uses: those that the file names, or those in which it has a subnet already, then those that offer its
/// instance type.
pub(super) fn zones<'a>(scope: &Scope, world: &'a World) -> Vec<&'a String> {
    let in_use = |zone: &String| world.subnets.contains_key(zone);
    let names = &scope.platform.network.zone_names;
    let is_named = |zone: &String| names.is_empty() || names.contains(zone);
    let fits = |zone: &&String| in_use(zone) || !world.lacking.contains(*zone);
    let mut zones: Vec<&String> = world.zones.iter().filter(|zone| is_named(zone)).filter(fits).collect();
    zones.sort_by_key(|zone| (!in_use(zone), *zone));
    zones.truncate(scope.platform.network.zones.into());
    zones
}

/// A 256th of the VPC, but never smaller than /27, which a load balancer asks of its subnets
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html>).
fn subnet_prefix(vpc: Ipv4Net) -> u8 {
    (vpc.prefix_len() + 8).min(27)
}

/// Security groups by key: one per load balancer, one of the instances, one of the probe function where there is an
/// internal load balancer to ask.
pub(super) fn groups(scope: &Scope) -> BTreeMap<String, Group> {
    let balancers = &scope.platform.load_balancers;
    let mut groups = BTreeMap::new();
    let instances = scope.name("instances");
    for (key, balancer) in balancers {
        let callers = match balancer.scheme {
            Scheme::InternetFacing => vec![Source::Cidr(ANYWHERE.into())],
            // In bridge mode it is the instance that calls, so its group is the one to admit.
            Scheme::Internal => vec![Source::Group(instances.clone()), Source::Group(scope.name("probe"))],
        };
        // Port 80 stays: its listener sends to HTTPS.
        let ports: &[u16] = if balancer.certificate.is_some() { &[HTTP, HTTPS] } else { &[HTTP] };
        let admit = |source: Source| ports.iter().map(move |&port| Ingress::tcp(port, source.clone()));
        let ingress = callers.into_iter().flat_map(admit).collect();
        groups.insert(alb_group(key), group(scope, &alb_group(key), &format!("Load balancer {key}"), ingress));
    }
    let from_balancers = balancers
        .keys()
        .map(|key| {
            let (from, to) = EPHEMERAL;
            Ingress { from, to, protocol: TCP.into(), source: Source::Group(scope.name(&alb_group(key))) }
        })
        .collect();
    groups.insert("instances".into(), group(scope, "instances", "Container instances", from_balancers));
    if balancers.values().any(|balancer| balancer.scheme == Scheme::Internal) {
        groups.insert("probe".into(), group(scope, "probe", "Probe function", BTreeSet::new()));
    }
    groups
}

/// What was left of HTTPS stays open: where its certificate left the file, the load balancer still sends callers to
/// port 443, since the network comes before it; and afterwards nothing listens there.
pub(super) fn may_stay(found: &Ingress, wanted: &Group) -> bool {
    *found == Ingress::tcp(HTTPS, found.source.clone())
        && wanted.ingress.contains(&Ingress::tcp(HTTP, found.source.clone()))
}

fn group(scope: &Scope, key: &str, description: &str, ingress: BTreeSet<Ingress>) -> Group {
    let tags = scope.tags(&format!("security-group/{key}"), &scope.name(key), None);
    Group { description: format!("{description} of {}", scope.prefix()), ingress, egress_all: true, tags }
}

/// Ids of what was observed.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let Some(vpc) = world.vpcs.first() else { return Facts::default() };
    let ids = |key: &String| Some((key.clone(), world.groups.get(&scope.name(key))?.id.clone()));
    Facts {
        network: Some(NetworkFacts {
            vpc_id: vpc.id.clone(),
            subnet_ids: zones(scope, world)
                .into_iter()
                .filter_map(|zone| Some((zone.clone(), world.subnets.get(zone)?.id.clone())))
                .collect(),
            leaving_subnet_ids: populated(scope, world),
            security_group_ids: groups(scope).keys().filter_map(ids).collect(),
        }),
        ..Facts::default()
    }
}
