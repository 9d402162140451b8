//! VPC, internet gateway, one public route table, a public subnet per availability zone, security groups.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::{Describe, Description, Found, Ref};
use crate::scope::Tags;

mod desired;
mod leave;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{alb_group, facts};
pub use leave::leaves;
pub use plan::{obstacles, plan, teardown};

/// Anywhere, in IPv4.
pub const ANYWHERE: &str = "0.0.0.0/0";

/// What was observed of the network: only what carries the platform's tags, and the region's zones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Names of the region's availability zones, sorted; local and wavelength zones are not among them.
    pub zones: Vec<String>,
    /// Of those, the ones in which AWS does not offer the platform's instance type.
    #[serde(default)]
    pub lacking: BTreeSet<String>,
    /// VPCs of ours, the platform's first: there is more than one where a creation was not seen and made once more. The
    /// others hold no network interface, so that nobody misses them.
    pub vpcs: Vec<Found<Vpc>>,
    /// Ids of more VPCs of ours that do hold network interfaces.
    pub in_use: Vec<String>,
    /// Internet gateways of ours: that of the platform's VPC, then those that are free, then the others.
    pub gateways: Vec<Found<Gateway>>,
    /// Route tables of ours in the platform's VPC.
    pub route_tables: Vec<Found<RouteTable>>,
    /// Subnets of ours, by zone.
    pub subnets: BTreeMap<String, Found<Subnet>>,
    /// Security groups of ours, by name.
    pub groups: BTreeMap<String, Found<Group>>,
    /// What is ours in the other VPCs.
    pub spare: Spare,
    /// Who is still in what is to leave; observed only where something is. It moves by itself, and is not written into a
    /// fingerprint.
    #[serde(skip)]
    pub interfaces: Vec<Interface>,
}

/// A network interface in the platform's VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its subnet.
    pub subnet: String,
    /// Its security groups.
    pub groups: BTreeSet<String>,
    /// Whether it is an instance's.
    pub of_instance: bool,
}

/// What was made in a VPC that the platform does not use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spare {
    /// Route tables.
    pub route_tables: Vec<Found<RouteTable>>,
    /// Subnets.
    pub subnets: Vec<Found<Subnet>>,
    /// Security groups with their names; the groups in their rules are told by id.
    pub groups: Vec<(String, Found<Group>)>,
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

/// What a VPC does with DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Whether instances get DNS host names.
    pub dns_hostnames: bool,
    /// Whether the VPC resolves DNS.
    pub dns_support: bool,
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

/// One rule: ports that a source may reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ingress {
    /// First port; -1 where the protocol has none, or all are meant.
    pub from: i32,
    /// Last port.
    pub to: i32,
    /// `tcp` in all rules of ours; -1 is every protocol.
    pub protocol: String,
    /// Who.
    pub source: Source,
}

impl Ingress {
    /// One TCP port.
    #[must_use]
    pub fn tcp(port: u16, source: Source) -> Self {
        Ingress { from: port.into(), to: port.into(), protocol: TCP.into(), source }
    }
}

/// The protocol of all rules of ours.
pub(super) const TCP: &str = "tcp";

/// Source of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An IPv4 block.
    Cidr(String),
    /// A security group of the platform, by name; a foreign one by id.
    Group(String),
    /// An IPv6 block, which skydeck never admits.
    Ipv6(String),
    /// A prefix list, which skydeck never admits.
    PrefixList(String),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    CreateVpc { settings: Vpc },
    SetVpcDns { vpc: Ref, name: String, old: Option<Dns>, new: Dns },
    CreateGateway { tags: Tags },
    AttachGateway { gateway: Ref, vpc: Ref, name: String },
    CreateRouteTable { vpc: Ref, tags: Tags },
    SetDefaultRoute { table: Ref, gateway: Ref, old: Option<String>, name: String },
    CreateSubnet { vpc: Ref, zone: String, settings: Subnet },
    SetPublicIp { subnet: Ref, name: String },
    Associate { table: Ref, subnet: Ref, name: String },
    CreateGroup { vpc: Ref, name: String, settings: Group },
    AllowIn { group: Ref, name: String, rules: Vec<(Ingress, Option<Ref>)> },
    AllowOut { group: Ref, name: String },
    RevokeIn { group: String, name: String, rules: Vec<(Ingress, Option<Ref>)> },
    SetTags { id: String, kind: String, name: String, old: Tags, new: Tags },
    DeleteGroup { id: String, name: String },
    Disassociate { association: String, name: String },
    DeleteSubnet { id: String, name: String },
    DeleteRouteTable { id: String, name: String },
    DetachGateway { id: String, vpc: String, name: String },
    DeleteGateway { id: String, name: String },
    DeleteVpc { id: String, name: String },
}

impl Describe for Change {
    fn describe(&self) -> Description {
        let set = |kind: &str, name: &String, key: &str, old: Value, new: Value| {
            Description::update(kind, name, &json!({ key: old }), &json!({ key: new }))
        };
        match self {
            Change::CreateVpc { settings } => Description::create("VPC", &settings.tags["Name"], settings),
            Change::SetVpcDns { name, old, new, .. } => Description::update("VPC", name, &json!(old), &json!(new)),
            Change::CreateGateway { tags } => {
                Description::create_tagged("internet gateway", &tags["Name"], &json!({}), tags)
            }
            Change::AttachGateway { name, .. } => set("internet gateway", name, "attached", json!(false), json!(true)),
            Change::CreateRouteTable { tags, .. } => {
                Description::create_tagged("route table", &tags["Name"], &json!({}), tags)
            }
            Change::SetDefaultRoute { old, name, .. } => {
                set("route table", name, ANYWHERE, json!(old), json!("internet gateway"))
            }
            Change::CreateSubnet { settings, .. } => Description::create("subnet", &settings.tags["Name"], settings),
            Change::SetPublicIp { name, .. } => set("subnet", name, "public_ip_on_launch", json!(false), json!(true)),
            Change::Associate { name, .. } => set("subnet", name, "route_table", Value::Null, json!("public")),
            Change::CreateGroup { name, settings, .. } => Description::create("security group", name, settings),
            Change::AllowIn { name, rules, .. } => {
                let rules: Vec<&Ingress> = rules.iter().map(|(rule, _)| rule).collect();
                set("security group", name, "ingress", Value::Null, json!(rules))
            }
            Change::AllowOut { name, .. } => set("security group", name, "egress_all", json!(false), json!(true)),
            Change::RevokeIn { name, rules, .. } => {
                let rules: Vec<&Ingress> = rules.iter().map(|(rule, _)| rule).collect();
                set("security group", name, "ingress", json!(rules), Value::Null)
            }
            Change::SetTags { kind, name, old, new, .. } => {
                Description::update(kind, name, &json!({ "tags": old }), &json!({ "tags": new }))
            }
            Change::DeleteGroup { name, .. } => Description::delete("security group", name),
            Change::Disassociate { name, .. } => set("subnet", name, "route_table", json!("public"), Value::Null),
            Change::DeleteSubnet { name, .. } => Description::delete("subnet", name),
            Change::DeleteRouteTable { name, .. } => Description::delete("route table", name),
            Change::DetachGateway { name, .. } => set("internet gateway", name, "attached", json!(true), json!(false)),
            Change::DeleteGateway { name, .. } => Description::delete("internet gateway", name),
            Change::DeleteVpc { name, .. } => Description::delete("VPC", name),
        }
    }
}
