//! Network: VPC, gateway, routes, subnets, security groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, IpPermission, Tag, VpcAttributeName};
use skydeck_aws::Clients;

/// Ids that other layers' settings name.
pub(crate) struct Vpc {
    pub(crate) id: String,
    pub(crate) subnets: BTreeSet<String>,
    /// Group ids, by name.
    pub(crate) groups: BTreeMap<String, String>,
}

pub(crate) fn ours() -> Filter {
    Filter::builder().name("tag:skydeck:platform").values("skyfox").build()
}

fn in_vpc(id: &str) -> Filter {
    Filter::builder().name("vpc-id").values(id).build()
}

/// Every resource carries Name, Project and Environment.
pub(crate) fn assert_tagged(tags: &[Tag], name: &str) {
    let tags: BTreeMap<_, _> = tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect();
    for (key, value) in [("Name", name), ("Project", "skyfox"), ("Environment", "devprod")] {
        assert_eq!(tags.get(key), Some(&value), "{name}: {tags:?}");
    }
}

pub(crate) async fn assert_as_the_reference_says(aws: &Clients) -> Vpc {
    let vpcs = aws.ec2().describe_vpcs().filters(ours()).send().await.expect("VPCs");
    let [vpc] = vpcs.vpcs() else { panic!("one VPC: {vpcs:?}") };
    let id = vpc.vpc_id().expect("an id").to_owned();
    assert_eq!(vpc.cidr_block(), Some("10.0.0.0/16"));
    assert_tagged(vpc.tags(), "skyfox-devprod-vpc");
    for name in [VpcAttributeName::EnableDnsHostnames, VpcAttributeName::EnableDnsSupport] {
        let request = aws.ec2().describe_vpc_attribute().vpc_id(&id).attribute(name.clone());
        let answer = request.send().await.expect("an attribute");
        let value = answer.enable_dns_hostnames().or(answer.enable_dns_support());
        assert_eq!(value.and_then(|value| value.value()), Some(true), "{name:?}");
    }
    let subnets = assert_subnets(aws, &id).await;
    assert_routes(aws, &id, &subnets).await;
    let groups = assert_groups(aws, &id).await;
    Vpc { id, subnets, groups }
}

async fn assert_subnets(aws: &Clients, vpc: &str) -> BTreeSet<String> {
    let subnets = aws.ec2().describe_subnets().filters(in_vpc(vpc)).send().await.expect("subnets");
    let zones: BTreeSet<_> = subnets.subnets().iter().filter_map(|subnet| subnet.availability_zone()).collect();
    assert_eq!(zones, ["ap-south-1a", "ap-south-1b", "ap-south-1c"].into());
    assert_eq!(subnets.subnets().len(), 3);
    for subnet in subnets.subnets() {
        assert_eq!(subnet.map_public_ip_on_launch(), Some(true));
        let name = format!("skyfox-devprod-public-{}", subnet.availability_zone().unwrap_or_default());
        assert_tagged(subnet.tags(), &name);
    }
    subnets.subnets().iter().filter_map(|subnet| subnet.subnet_id()).map(Into::into).collect()
}

async fn assert_routes(aws: &Clients, vpc: &str, subnets: &BTreeSet<String>) {
    let gateways = aws.ec2().describe_internet_gateways().filters(ours()).send().await.expect("gateways");
    let [gateway] = gateways.internet_gateways() else { panic!("one gateway: {gateways:?}") };
    assert_eq!(gateway.attachments()[0].vpc_id(), Some(vpc));
    assert_tagged(gateway.tags(), "skyfox-devprod-igw");
    let tables = aws.ec2().describe_route_tables().filters(ours()).send().await.expect("route tables");
    let [table] = tables.route_tables() else { panic!("one route table: {tables:?}") };
    assert_tagged(table.tags(), "skyfox-devprod-public");
    let default = table.routes().iter().find(|route| route.destination_cidr_block() == Some("0.0.0.0/0"));
    assert_eq!(default.and_then(|route| route.gateway_id()), gateway.internet_gateway_id());
    let associated: BTreeSet<String> =
        table.associations().iter().filter_map(|association| association.subnet_id()).map(Into::into).collect();
    assert_eq!(associated, *subnets);
}

async fn assert_groups(aws: &Clients, vpc: &str) -> BTreeMap<String, String> {
    let request = aws.ec2().describe_security_groups().filters(ours()).filters(in_vpc(vpc));
    let groups = request.send().await.expect("security groups");
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let ids: BTreeMap<String, String> =
        groups.security_groups().iter().map(|group| (text(group.group_name()), text(group.group_id()))).collect();
    let names: Vec<&str> = ids.keys().map(String::as_str).collect();
    let wanted = ["alb-external", "alb-internal", "instances", "probe"].map(|key| format!("skyfox-devprod-{key}"));
    assert_eq!(names, wanted);
    let id = |key: &str| ids[&format!("skyfox-devprod-{key}")].clone();
    for group in groups.security_groups() {
        let name = group.group_name().unwrap_or_default();
        assert_tagged(group.tags(), name);
        let wanted: BTreeSet<(i32, i32, String)> = match name.trim_start_matches("skyfox-devprod-") {
            "alb-external" => [(80, 80, "0.0.0.0/0".to_owned())].into(),
            // What calls the internal services is the instance, and the probe from inside.
            "alb-internal" => [(80, 80, id("instances")), (80, 80, id("probe"))].into(),
            // No SSH: Session Manager serves.
            "instances" => [(32768, 65535, id("alb-external")), (32768, 65535, id("alb-internal"))].into(),
            _ => BTreeSet::new(),
        };
        assert_eq!(group.ip_permissions().iter().flat_map(rules).collect::<BTreeSet<_>>(), wanted, "{name}");
        let [out] = group.ip_permissions_egress() else { panic!("{name}: one egress rule") };
        assert_eq!((out.ip_protocol(), out.ip_ranges()[0].cidr_ip()), (Some("-1"), Some("0.0.0.0/0")), "{name}");
    }
    ids
}

fn rules(permission: &IpPermission) -> Vec<(i32, i32, String)> {
    let ports = (permission.from_port().unwrap_or(-1), permission.to_port().unwrap_or(-1));
    let cidrs = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    cidrs.chain(groups).map(|source| (ports.0, ports.1, source.to_owned())).collect()
}
