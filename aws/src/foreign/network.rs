//! Network resources of others in the platform's VPC, and security groups that name ours.

use std::collections::BTreeSet;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, SecurityGroup};
use futures::try_join;
use skydeck_core::foreign::Foreign;
use skydeck_core::scope::{Scope, Tags};

use super::balancer::Balancers;
use super::inside;
use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::tag::from_ec2;

/// Everything of others in the platform's VPCs.
pub(super) async fn find(
    clients: &Clients,
    scope: &Scope,
    balancers: &Balancers,
    instances: &BTreeSet<String>,
) -> Result<Vec<Foreign>> {
    let ec2 = clients.ec2();
    let tags = scope.ownership();
    let ours = tags.iter().map(|(key, value)| Filter::builder().name(format!("tag:{key}")).values(value).build());
    let request = ec2.describe_vpcs().set_filters(Some(ours.collect()));
    let found = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.during("list", "VPCs")?;
    let vpcs: Vec<String> = found.iter().filter_map(|vpc| vpc.vpc_id()).map(Into::into).collect();
    if vpcs.is_empty() {
        return Ok(Vec::new());
    }
    let look = Look { ec2, scope, vpcs: &vpcs };
    let (parts, groups, attached, inside) =
        try_join!(parts(&look), groups(&look), attached(&look), inside::find(clients, &look, balancers, instances))?;
    Ok([parts, groups, attached, inside].concat())
}

/// Where is looked.
pub(super) struct Look<'a> {
    pub(super) ec2: &'a Client,
    pub(super) scope: &'a Scope,
    pub(super) vpcs: &'a [String],
}

impl Look<'_> {
    /// A filter for the platform's VPCs.
    pub(super) fn filter(&self, name: &str) -> Filter {
        Filter::builder().name(name).set_values(Some(self.vpcs.to_vec())).build()
    }

    /// A resource in one of the platform's VPCs, unless it is the platform's.
    pub(super) fn foreign(&self, kind: &str, id: Option<&str>, vpc: Option<&str>, tags: Tags) -> Option<Foreign> {
        let vpc = self.vpcs.iter().find(|ours| Some(ours.as_str()) == vpc)?;
        let found = Foreign::new(kind, id.unwrap_or_default(), format!("is in VPC {vpc}"));
        (!self.scope.owns(&tags)).then(|| found.tagged(tags))
    }
}

/// Subnets, route tables and network ACLs. A VPC's main route table and default network ACL go with it.
async fn parts(look: &Look<'_>) -> Result<Vec<Foreign>> {
    let subnets = look.ec2.describe_subnets().filters(look.filter("vpc-id")).into_paginator().items().send();
    let tables = look.ec2.describe_route_tables().filters(look.filter("vpc-id")).into_paginator().items().send();
    let acls = look.ec2.describe_network_acls().filters(look.filter("vpc-id")).into_paginator().items().send();
    let (subnets, tables, acls) = try_join!(
        async { subnets.collect::<Result<Vec<_>, _>>().await.during("list", "subnets") },
        async { tables.collect::<Result<Vec<_>, _>>().await.during("list", "route tables") },
        async { acls.collect::<Result<Vec<_>, _>>().await.during("list", "network ACLs") },
    )?;
    let subnets = subnets
        .iter()
        .filter_map(|found| look.foreign("subnet", found.subnet_id(), found.vpc_id(), from_ec2(found.tags())));
    let tables = tables
        .iter()
        .filter(|found| !found.associations().iter().any(|association| association.main() == Some(true)))
        .filter_map(|found| {
            look.foreign("route table", found.route_table_id(), found.vpc_id(), from_ec2(found.tags()))
        });
    let acls = acls.iter().filter(|found| found.is_default() != Some(true)).filter_map(|found| {
        look.foreign("network ACL", found.network_acl_id(), found.vpc_id(), from_ec2(found.tags()))
    });
    Ok(subnets.chain(tables).chain(acls).collect())
}

/// Security groups in the VPC, and those anywhere that name one of ours in a rule: such a rule keeps ours from going, in the
/// VPC's default group too.
async fn groups(look: &Look<'_>) -> Result<Vec<Foreign>> {
    let list = async |filter: Filter| {
        let request = look.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
        request.collect::<Result<Vec<_>, _>>().await.during("list", "security groups")
    };
    let inside = list(look.filter("vpc-id")).await?;
    let tags = |group: &SecurityGroup| from_ec2(group.tags());
    let ours: Vec<String> = inside
        .iter()
        .filter(|group| look.scope.owns(&tags(group)))
        .filter_map(|group| group.group_id().map(Into::into))
        .collect();
    let naming = |name: &str| Filter::builder().name(name).set_values(Some(ours.clone())).build();
    let (callers, called) = if ours.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        try_join!(list(naming("ip-permission.group-id")), list(naming("egress.ip-permission.group-id")))?
    };
    let mut found: Vec<Foreign> = inside
        .iter()
        .filter(|group| group.group_name() != Some("default"))
        .filter_map(|group| look.foreign("security group", group.group_id(), group.vpc_id(), tags(group)))
        .collect();
    for group in inside.iter().chain(&callers).chain(&called).filter(|group| !look.scope.owns(&tags(group))) {
        let rules = group.ip_permissions().iter().chain(group.ip_permissions_egress());
        let named = rules.flat_map(|rule| rule.user_id_group_pairs()).filter_map(|pair| pair.group_id());
        let named: BTreeSet<&str> = named.filter(|id| ours.iter().any(|ours| ours == id)).collect();
        if !named.is_empty() {
            let tie = format!("names {} in a rule", named.into_iter().collect::<Vec<_>>().join(", "));
            found.push(Foreign::new("security group", group.group_id().unwrap_or_default(), tie).tagged(tags(group)));
        }
    }
    Ok(found)
}

/// Gateways and peering connections of the VPC.
async fn attached(look: &Look<'_>) -> Result<Vec<Foreign>> {
    let internet = look.ec2.describe_internet_gateways().filters(look.filter("attachment.vpc-id")).into_paginator();
    let egress = look.ec2.describe_egress_only_internet_gateways().into_paginator();
    let vpn = look.ec2.describe_vpn_gateways().filters(look.filter("attachment.vpc-id"));
    let peering = look.ec2.describe_vpc_peering_connections().into_paginator();
    let (internet, egress, vpn, peering) = try_join!(
        async { internet.items().send().collect::<Result<Vec<_>, _>>().await.during("list", "internet gateways") },
        async { egress.items().send().collect::<Result<Vec<_>, _>>().await.during("list", "egress-only gateways") },
        async { vpn.send().await.during("list", "VPN gateways") },
        async { peering.items().send().collect::<Result<Vec<_>, _>>().await.during("list", "VPC peering connections") },
    )?;
    let mut found = Vec::new();
    for gateway in &internet {
        let (id, tags) = (gateway.internet_gateway_id(), from_ec2(gateway.tags()));
        let at = gateway.attachments().iter();
        found.extend(at.filter_map(|at| look.foreign("internet gateway", id, at.vpc_id(), tags.clone())));
    }
    for gateway in &egress {
        let (id, tags) = (gateway.egress_only_internet_gateway_id(), from_ec2(gateway.tags()));
        let at = gateway.attachments().iter();
        found.extend(at.filter_map(|at| look.foreign("egress-only internet gateway", id, at.vpc_id(), tags.clone())));
    }
    for gateway in vpn.vpn_gateways() {
        let (id, tags) = (gateway.vpn_gateway_id(), from_ec2(gateway.tags()));
        let at = gateway.vpc_attachments().iter();
        let at = at.filter(|at| at.state().is_none_or(|state| state.as_str() != "detached"));
        found.extend(at.filter_map(|at| look.foreign("VPN gateway", id, at.vpc_id(), tags.clone())));
    }
    // AWS tells of one that was deleted or refused for some hours.
    let alive = ["active", "pending-acceptance", "provisioning", "initiating-request"];
    for peering in &peering {
        let state = peering.status().and_then(|status| status.code()).map(|code| code.as_str()).unwrap_or_default();
        let sides = [peering.requester_vpc_info(), peering.accepter_vpc_info()].into_iter().flatten();
        let (id, tags) = (peering.vpc_peering_connection_id(), from_ec2(peering.tags()));
        let at = sides.filter(|_| alive.contains(&state));
        found.extend(at.filter_map(|at| look.foreign("VPC peering connection", id, at.vpc_id(), tags.clone())));
    }
    Ok(found)
}
