//! Reads the network: one call per kind of resource, by the tags of ownership.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, InstanceTypeOffering, IpPermission, LocationType, NetworkInterface, SecurityGroup, VpcAttributeName,
};
use futures::try_join;
use skydeck_core::layer::network::{
    self, ANYWHERE, Gateway, Group, Ingress, Interface, RouteTable, Source, Spare, Subnet, Vpc, World,
};
use skydeck_core::plan::Found;
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Error, Explain, Result};
use crate::tag::from_ec2;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let ec2 = clients.ec2();
    let ours: &Vec<Filter> =
        &scope.ownership().iter().map(|(key, value)| filter(&format!("tag:{key}"), value)).collect();
    let instance_type = &scope.platform.cluster.instances.instance_type;
    let (zones, offering, mut vpcs, mut gateways, tables, subnets, groups) = try_join!(
        zones(ec2),
        offering(ec2, instance_type),
        vpcs(ec2, ours),
        gateways(ec2, ours),
        route_tables(ec2, ours),
        subnets(ec2, ours),
        groups(ec2, ours),
    )?;
    let found = if vpcs.len() > 1 { interfaces(ec2, vpcs.iter().map(|vpc| vpc.id.clone())).await? } else { Vec::new() };
    let inhabited: BTreeSet<&str> = found.iter().filter_map(|interface| interface.vpc_id()).collect();
    // The platform's VPC is the one that things are in; among equals one with our subnets or our gateway, and then the
    // lowest id, so that every run chooses the same.
    let used = |id: &str| {
        subnets.iter().any(|(vpc, _, _)| vpc == id)
            || gateways.iter().any(|gateway: &Found<Gateway>| gateway.settings.vpc.as_deref() == Some(id))
    };
    vpcs.sort_by_key(|vpc| (!inhabited.contains(vpc.id.as_str()), !used(&vpc.id), vpc.id.clone()));
    let current = vpcs.first().map(|vpc| vpc.id.clone()).unwrap_or_default();
    let (vpcs, in_use): (Vec<_>, Vec<_>) =
        vpcs.into_iter().partition(|vpc| vpc.id == current || !inhabited.contains(vpc.id.as_str()));
    gateways.sort_by_key(|gateway| {
        let vpc = gateway.settings.vpc.as_ref();
        (vpc != Some(&current), vpc.is_some(), gateway.id.clone())
    });
    let spare = |vpc: &str| vpcs.iter().skip(1).any(|found| found.id == vpc);
    let (here, there) = split(tables, |(vpc, _)| *vpc == current, |(vpc, _)| spare(vpc));
    let mut route_tables: Vec<Found<RouteTable>> = here.into_iter().map(|(_, table)| table).collect();
    route_tables.sort_by_key(|table| (table.settings.subnets.is_empty(), table.id.clone()));
    let (subnets, others) = split(subnets, |(vpc, _, _)| *vpc == current, |(vpc, _, _)| spare(vpc));
    let vpc_of = |group: &SecurityGroup| group.vpc_id().unwrap_or_default().to_owned();
    let (here, elsewhere) = split(groups, |group| vpc_of(group) == current, |group| spare(&vpc_of(group)));
    let names = here.iter().filter_map(|group| Some((group.group_id()?, group.group_name()?))).collect();
    let groups = here.iter().map(|group| named(group, &names)).collect();
    let spare = Spare {
        route_tables: there.into_iter().map(|(_, table)| table).collect(),
        subnets: others.into_iter().map(|(_, _, subnet)| subnet).collect(),
        groups: elsewhere.iter().map(|group| named(group, &BTreeMap::new())).collect(),
    };
    let mut world = World {
        lacking: zones.iter().filter(|zone| !offering.contains(*zone)).cloned().collect(),
        zones,
        vpcs,
        in_use: in_use.into_iter().map(|vpc| vpc.id).collect(),
        gateways,
        route_tables,
        subnets: subnets.into_iter().map(|(_, zone, subnet)| (zone, subnet)).collect(),
        groups,
        spare,
        interfaces: Vec::new(),
    };
    if network::leaves(scope, &world) {
        world.interfaces = interfaces(ec2, [current]).await?.iter().map(interface).collect();
    }
    Ok(world)
}

fn interface(found: &NetworkInterface) -> Interface {
    Interface {
        subnet: found.subnet_id().unwrap_or_default().to_owned(),
        groups: found.groups().iter().filter_map(|group| group.group_id()).map(Into::into).collect(),
        of_instance: found.attachment().is_some_and(|attachment| attachment.instance_id().is_some()),
    }
}

/// What is in the platform's VPC, and what is in those that it does not use; what is in neither goes.
fn split<T>(found: Vec<T>, here: impl Fn(&T) -> bool, spare: impl Fn(&T) -> bool) -> (Vec<T>, Vec<T>) {
    let (here, rest): (Vec<T>, Vec<T>) = found.into_iter().partition(here);
    (here, rest.into_iter().filter(spare).collect())
}

/// The network interfaces in VPCs.
async fn interfaces(ec2: &Client, vpcs: impl IntoIterator<Item = String>) -> Result<Vec<NetworkInterface>> {
    let filter = Filter::builder().name("vpc-id").set_values(Some(vpcs.into_iter().collect())).build();
    let pages = ec2.describe_network_interfaces().filters(filter).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.during("list", "network interfaces")
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The zones in which AWS offers an instance type: by far not all offer every one.
async fn offering(ec2: &Client, instance_type: &str) -> Result<BTreeSet<String>> {
    let request = ec2.describe_instance_type_offerings().location_type(LocationType::AvailabilityZone);
    let pages = request.filters(filter("instance-type", instance_type)).into_paginator().items().send();
    let found: Vec<InstanceTypeOffering> =
        pages.collect::<Result<_, _>>().await.during("list the offerings of instance type", instance_type)?;
    Ok(found.into_iter().filter_map(|offering| offering.location).collect())
}

async fn zones(ec2: &Client) -> Result<Vec<String>> {
    let answer = ec2
        .describe_availability_zones()
        .filters(filter("zone-type", "availability-zone"))
        .filters(filter("state", "available"))
        .send()
        .await
        .during("list", "availability zones")?;
    let mut zones: Vec<String> =
        answer.availability_zones().iter().filter_map(|zone| zone.zone_name()).map(Into::into).collect();
    zones.sort();
    Ok(zones)
}

async fn vpcs(ec2: &Client, ours: &[Filter]) -> Result<Vec<Found<Vpc>>> {
    let found: Vec<aws_sdk_ec2::types::Vpc> = ec2
        .describe_vpcs()
        .set_filters(Some(ours.to_vec()))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list", "VPCs")?;
    let mut vpcs = Vec::new();
    for vpc in found {
        let id = vpc.vpc_id().unwrap_or_default().to_owned();
        let (dns_hostnames, dns_support) = try_join!(
            attribute(ec2, &id, VpcAttributeName::EnableDnsHostnames),
            attribute(ec2, &id, VpcAttributeName::EnableDnsSupport),
        )?;
        let settings =
            Vpc { cidr: block(vpc.cidr_block(), &id)?, dns_hostnames, dns_support, tags: from_ec2(vpc.tags()) };
        vpcs.push(Found { id, settings });
    }
    Ok(vpcs)
}

async fn attribute(ec2: &Client, vpc: &str, name: VpcAttributeName) -> Result<bool> {
    let answer = ec2.describe_vpc_attribute().vpc_id(vpc).attribute(name).send().await.during("describe VPC", vpc)?;
    let value = answer.enable_dns_hostnames().or(answer.enable_dns_support());
    Ok(value.and_then(|value| value.value()).unwrap_or_default())
}

fn block<T: std::str::FromStr>(cidr: Option<&str>, id: &str) -> Result<T> {
    let cidr = cidr.unwrap_or_default();
    cidr.parse().map_err(|_| Error::Broken(format!("AWS gives {id} the CIDR block `{cidr}`, which is none")))
}

async fn gateways(ec2: &Client, ours: &[Filter]) -> Result<Vec<Found<Gateway>>> {
    let found: Vec<aws_sdk_ec2::types::InternetGateway> = ec2
        .describe_internet_gateways()
        .set_filters(Some(ours.to_vec()))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list", "internet gateways")?;
    Ok(found
        .iter()
        .map(|gateway| Found {
            id: gateway.internet_gateway_id().unwrap_or_default().to_owned(),
            settings: Gateway {
                vpc: gateway.attachments().iter().find_map(|attachment| attachment.vpc_id()).map(Into::into),
                tags: from_ec2(gateway.tags()),
            },
        })
        .collect())
}

/// Route tables, each with the VPC that it lies in.
async fn route_tables(ec2: &Client, ours: &[Filter]) -> Result<Vec<(String, Found<RouteTable>)>> {
    let found: Vec<aws_sdk_ec2::types::RouteTable> = ec2
        .describe_route_tables()
        .set_filters(Some(ours.to_vec()))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list", "route tables")?;
    Ok(found
        .iter()
        .map(|table| {
            let default = table.routes().iter().find(|route| route.destination_cidr_block() == Some(ANYWHERE));
            let subnets = table.associations().iter().filter_map(|association| {
                Some((association.subnet_id()?.to_owned(), association.route_table_association_id()?.to_owned()))
            });
            let settings = RouteTable {
                default_route: default.and_then(|route| route.gateway_id()).map(Into::into),
                subnets: subnets.collect(),
                tags: from_ec2(table.tags()),
            };
            let id = table.route_table_id().unwrap_or_default().to_owned();
            (table.vpc_id().unwrap_or_default().to_owned(), Found { id, settings })
        })
        .collect())
}

/// Subnets, each with its VPC and its zone.
async fn subnets(ec2: &Client, ours: &[Filter]) -> Result<Vec<(String, String, Found<Subnet>)>> {
    let found: Vec<aws_sdk_ec2::types::Subnet> = ec2
        .describe_subnets()
        .set_filters(Some(ours.to_vec()))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list", "subnets")?;
    found
        .iter()
        .map(|subnet| {
            let id = subnet.subnet_id().unwrap_or_default().to_owned();
            let settings = Subnet {
                cidr: block(subnet.cidr_block(), &id)?,
                public_ip_on_launch: subnet.map_public_ip_on_launch().unwrap_or_default(),
                tags: from_ec2(subnet.tags()),
            };
            let zone = subnet.availability_zone().unwrap_or_default().to_owned();
            Ok((subnet.vpc_id().unwrap_or_default().to_owned(), zone, Found { id, settings }))
        })
        .collect()
}

async fn groups(ec2: &Client, ours: &[Filter]) -> Result<Vec<SecurityGroup>> {
    ec2.describe_security_groups()
        .set_filters(Some(ours.to_vec()))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list", "security groups")
}

/// A group and its name; ids in its rules are turned into the names that are given for them.
fn named(group: &SecurityGroup, names: &BTreeMap<&str, &str>) -> (String, Found<Group>) {
    let settings = Group {
        description: group.description().unwrap_or_default().to_owned(),
        ingress: group.ip_permissions().iter().flat_map(|rule| ingress(rule, names)).collect(),
        egress_all: group.ip_permissions_egress().iter().any(|rule| {
            rule.ip_protocol() == Some("-1") && rule.ip_ranges().iter().any(|range| range.cidr_ip() == Some(ANYWHERE))
        }),
        tags: from_ec2(group.tags()),
    };
    let id = group.group_id().unwrap_or_default().to_owned();
    (group.group_name().unwrap_or_default().to_owned(), Found { id, settings })
}

fn ingress(rule: &IpPermission, names: &BTreeMap<&str, &str>) -> BTreeSet<Ingress> {
    let cidrs = rule.ip_ranges().iter().filter_map(|range| range.cidr_ip()).map(|cidr| Source::Cidr(cidr.into()));
    let newer = rule.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6()).map(|cidr| Source::Ipv6(cidr.into()));
    let lists = rule.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id());
    let groups = rule.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    let sources = cidrs
        .chain(newer)
        .chain(lists.map(|id| Source::PrefixList(id.into())))
        .chain(groups.map(|id| Source::Group((*names.get(id).unwrap_or(&id)).into())));
    let protocol = rule.ip_protocol().unwrap_or_default();
    // Every protocol has no ports.
    let port = |port: Option<i32>| port.unwrap_or(-1);
    let (from, to) = (port(rule.from_port()), port(rule.to_port()));
    sources.map(|source| Ingress { from, to, protocol: protocol.to_owned(), source }).collect()
}
