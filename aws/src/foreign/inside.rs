//! What of others runs in the platform's VPC: instances, functions, load balancers, and whatever else has a network interface.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, NetworkInterface};
use futures::try_join;
use skydeck_core::foreign::Foreign;
use skydeck_core::layer::balancer::probe_name;

use super::balancer::Balancers;
use super::network::Look;
use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::tag::from_ec2;

/// How Lambda describes the interface of a function
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html>).
const FUNCTION: &str = "AWS Lambda VPC ENI-";
/// The tag that Auto Scaling gives the instances of a group.
const GROUP_TAG: &str = "aws:autoscaling:groupName";

pub(super) async fn find(
    clients: &Clients,
    look: &Look<'_>,
    balancers: &Balancers,
    instances: &BTreeSet<String>,
) -> Result<Vec<Foreign>> {
    let (mut found, endpoints) = try_join!(running(look, instances), endpoints(look))?;
    found.extend(endpoints);
    found.extend(
        balancers
            .of_others()
            .filter_map(|(arn, vpc, tags)| look.foreign("load balancer", Some(arn), Some(vpc), tags.clone())),
    );
    let known: BTreeSet<String> = found.iter().map(|one| one.id.clone()).collect();
    for interface in interfaces(look).await? {
        found.extend(behind(clients, look, balancers, &known, &interface).await?);
    }
    Ok(found)
}

/// Instances that the platform's group did not start. One that terminates goes by itself.
async fn running(look: &Look<'_>, ours: &BTreeSet<String>) -> Result<Vec<Foreign>> {
    let going = ["shutting-down", "terminated"];
    let request = look.ec2.describe_instances().filters(look.filter("vpc-id")).into_paginator().items().send();
    let reservations = request.collect::<Result<Vec<_>, _>>().await.during("list", "instances")?;
    let group = look.scope.name("instances");
    let foreign = reservations.iter().flat_map(|found| found.instances()).filter_map(|instance| {
        let (id, tags) = (instance.instance_id()?, from_ec2(instance.tags()));
        let state = instance.state().and_then(|state| state.name()).map(|name| name.as_str()).unwrap_or_default();
        let vpc = look.vpcs.iter().find(|vpc| Some(vpc.as_str()) == instance.vpc_id())?;
        let of_group = ours.contains(id) || tags.get(GROUP_TAG) == Some(&group);
        let found = Foreign::new("instance", id, format!("is in VPC {vpc}")).tagged(tags);
        (!of_group && !going.contains(&state)).then_some(found)
    });
    Ok(foreign.collect())
}

/// NAT gateways and VPC endpoints; a gateway endpoint has no interface, and keeps the VPC all the same.
async fn endpoints(look: &Look<'_>) -> Result<Vec<Foreign>> {
    let nats = look.ec2.describe_nat_gateways().filter(look.filter("vpc-id")).into_paginator().items().send();
    let endpoints = look.ec2.describe_vpc_endpoints().filters(look.filter("vpc-id")).into_paginator().items().send();
    let (nats, endpoints) =
        try_join!(async { nats.collect::<Result<Vec<_>, _>>().await.during("list", "NAT gateways") }, async {
            endpoints.collect::<Result<Vec<_>, _>>().await.during("list", "VPC endpoints")
        },)?;
    let gone = |state: Option<&str>| state.is_some_and(|state| ["deleted", "failed"].contains(&state));
    let nats = nats.iter().filter(|nat| !gone(nat.state().map(|state| state.as_str())));
    let nats =
        nats.filter_map(|nat| look.foreign("NAT gateway", nat.nat_gateway_id(), nat.vpc_id(), from_ec2(nat.tags())));
    let endpoints = endpoints.iter().filter(|found| !gone(found.state().map(|state| state.as_str())));
    let endpoints = endpoints.filter_map(|found| {
        look.foreign("VPC endpoint", found.vpc_endpoint_id(), found.vpc_id(), from_ec2(found.tags()))
    });
    Ok(nats.chain(endpoints).collect())
}

async fn interfaces(look: &Look<'_>) -> Result<Vec<NetworkInterface>> {
    let filter: Filter = look.filter("vpc-id");
    let request = look.ec2.describe_network_interfaces().filters(filter).into_paginator().items().send();
    request.collect::<Result<Vec<_>, _>>().await.during("list", "network interfaces")
}

/// Whom a network interface belongs to, where nothing else has told of its owner. AWS names the owner in the description.
async fn behind(
    clients: &Clients,
    look: &Look<'_>,
    balancers: &Balancers,
    known: &BTreeSet<String>,
    interface: &NetworkInterface,
) -> Result<Option<Foreign>> {
    let description = interface.description().unwrap_or_default();
    let (id, vpc) = (interface.network_interface_id(), interface.vpc_id());
    // Instances, NAT gateways, endpoints and load balancers are told of themselves.
    let of_instance = interface.attachment().is_some_and(|attachment| attachment.instance_id().is_some());
    let told = known.iter().any(|known| description.ends_with(known.as_str()));
    if of_instance || told || description.strip_prefix("ELB ").is_some_and(|name| goes(name, balancers)) {
        return Ok(None);
    }
    let Some(function) = description.strip_prefix(FUNCTION) else {
        let found = look.foreign("network interface", id, vpc, from_ec2(interface.tag_set()));
        let what = |found: Foreign| match description {
            "" => found,
            what => Foreign { tie: format!("{} (\"{what}\")", found.tie), ..found },
        };
        return Ok(found.map(what));
    };
    let function = without_uuid(function);
    if function == probe_name(look.scope) {
        return Ok(None);
    }
    let arn = look.scope.arn("lambda", &format!("function:{function}"));
    let answer = clients.lambda().list_tags().resource(&arn).send().await;
    let tags = answer.find(&["ResourceNotFoundException"], "list tags of function", function)?;
    let tags = tags.and_then(|answer| answer.tags).unwrap_or_default().into_iter().collect();
    let (vpc, id) = (vpc.unwrap_or_default(), id.unwrap_or_default());
    Ok(Some(Foreign::new("Lambda function", function, format!("has network interface {id} in VPC {vpc}")).tagged(tags)))
}

/// Whether a load balancer's interface needs no telling: the load balancer is there, and told of where it is somebody else's; or it
/// was deleted, and AWS takes the interface away some minutes later. Of a Classic Load Balancer, which has no such path, nothing is known.
fn goes(name: &str, balancers: &Balancers) -> bool {
    balancers.has(name) || ["app/", "net/", "gwy/"].iter().any(|kind| name.starts_with(kind))
}

/// A function's name without the UUID that Lambda puts behind it in a description.
fn without_uuid(name: &str) -> &str {
    const UUID: usize = 36;
    let cut = name.len().checked_sub(UUID + 1).and_then(|at| name.split_at_checked(at));
    let is_uuid =
        |rest: &str| rest.chars().all(|c| c == '-' || c.is_ascii_hexdigit()) && rest.matches('-').count() == 5;
    cut.filter(|(_, rest)| rest.starts_with('-') && is_uuid(rest)).map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::without_uuid;

    #[test]
    fn a_functions_name_is_read_out_of_its_interface() {
        let named = "their-function-0f1e2d3c-0000-4a4b-8c8d-0123456789ab";
        assert_eq!(without_uuid(named), "their-function");
        assert_eq!(without_uuid("their-function"), "their-function");
        assert_eq!(
            without_uuid("a-name-that-is-longer-than-any-uuid-is-and-has-none"),
            "a-name-that-is-longer-than-any-uuid-is-and-has-none"
        );
    }
}
