//! VPC, internet gateway, one public route table, a public subnet per availability zone, security groups.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::facts::NetworkFacts;
use crate::plan::{Describe, Description, Found, Plan, Ref, Refusal};
use crate::scope::{Scope, Tags};
use crate::spec::Scheme;

/// The ports that Linux gives a container whose host port is 0
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html>).
const EPHEMERAL: (u16, u16) = (32768, 65535);
/// Anywhere, in IPv4.
const ANYWHERE: &str = "0.0.0.0/0";

/// What was observed of the network: only what carries the platform's tags, and the region's zones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Names of the region's availability zones, sorted; local and wavelength zones are not among them.
    pub zones: Vec<String>,
    /// VPCs of ours, oldest first: more than one after a creation whose answer was lost.
    pub vpcs: Vec<Found<Vpc>>,
    /// Internet gateways of ours, with the VPC each is attached to; the attached one first.
    pub gateways: Vec<Found<Gateway>>,
    /// Route tables of ours.
    pub route_tables: Vec<Found<RouteTable>>,
    /// Subnets of ours, by zone.
    pub subnets: BTreeMap<String, Found<Subnet>>,
    /// Security groups of ours, by name.
    pub groups: BTreeMap<String, Found<Group>>,
    /// Network interfaces that still lie in our VPC, as a person would name them.
    pub interfaces: Vec<String>,
}

/// Settings of the VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// IPv4 block.
    pub cidr: Ipv4Net,
    /// Whether instances get DNS host names.
    pub dns_hostnames: bool,
    /// Whether the VPC resolves DNS.
    pub dns_support: bool,
    /// Tags.
    pub tags: Tags,
}

/// Settings of the internet gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// The VPC it is attached to.
    pub vpc: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// Settings of the public route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// The gateway that `0.0.0.0/0` goes to.
    pub default_route: Option<String>,
    /// Associated subnets, with the association's id.
    pub subnets: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
}

/// Settings of a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// IPv4 block.
    pub cidr: Ipv4Net,
    /// Whether what starts in it gets a public address.
    pub public_ip_on_launch: bool,
    /// Tags.
    pub tags: Tags,
}

/// Settings of a security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its description; AWS cannot change it.
    pub description: String,
    /// What may come in.
    pub ingress: BTreeSet<Ingress>,
    /// Whether everything may go out, which is AWS's default.
    pub egress_all: bool,
    /// Tags.
    pub tags: Tags,
}

/// One rule: TCP ports that a source may reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ingress {
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
    /// Who.
    pub source: Source,
}

/// Source of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An IPv4 block.
    Cidr(String),
    /// A security group of the platform, by name; a foreign one by id.
    Group(String),
    /// Something skydeck never makes (another protocol, IPv6, a prefix list), as AWS's rule id.
    Other(String),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    CreateVpc { settings: Vpc },
    SetVpcDns { vpc: Ref, old: Option<Vpc>, settings: Vpc },
    CreateGateway { tags: Tags },
    AttachGateway { gateway: Ref, vpc: Ref, name: String },
    CreateRouteTable { vpc: Ref, tags: Tags },
    SetDefaultRoute { table: Ref, gateway: Ref, replace: bool, name: String },
    CreateSubnet { vpc: Ref, zone: String, settings: Subnet },
    SetPublicIp { subnet: Ref, name: String },
    Associate { table: Ref, subnet: Ref, name: String },
    CreateGroup { vpc: Ref, name: String, settings: Group },
    Allow { group: Ref, name: String, rules: Vec<(Ingress, Option<Ref>)> },
    Revoke { group: Ref, name: String, rules: Vec<Ingress> },
    SetTags { id: Ref, kind: String, name: String, old: Tags, new: Tags },
    DeleteGroup { id: String, name: String },
    Disassociate { association: String, name: String },
    DeleteSubnet { id: String, name: String },
    DeleteRouteTable { id: String, name: String },
    DetachGateway { id: String, vpc: String, name: String },
    DeleteGateway { id: String, name: String },
    DeleteVpc { id: String, name: String },
}
