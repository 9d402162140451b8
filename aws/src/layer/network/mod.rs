//! The network: VPC, internet gateway, route table, subnets, security groups.

use skydeck_core::facts::Facts;
use skydeck_core::layer::network::{self, Change, World};
use skydeck_core::obstacle::Obstacle;
use skydeck_core::plan::{Plan, Refusal};
use skydeck_core::run::Layer;
use skydeck_core::scope::Scope;

use super::Work;
use crate::client::Clients;
use crate::error::Result;
use crate::execute::Made;

mod apply;
mod observe;

/// The network layer.
#[derive(Debug)]
pub struct Network;

impl Work for Network {
    const LAYER: Layer = Layer::Network;
    const ACTIONS: &'static [&'static str] = &[
        "ec2:AssociateRouteTable",
        "ec2:AttachInternetGateway",
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateInternetGateway",
        "ec2:CreateRoute",
        "ec2:CreateRouteTable",
        "ec2:CreateSecurityGroup",
        "ec2:CreateSubnet",
        "ec2:CreateTags",
        "ec2:CreateVpc",
        "ec2:DeleteInternetGateway",
        "ec2:DeleteRouteTable",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteSubnet",
        "ec2:DeleteVpc",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcs",
        "ec2:DetachInternetGateway",
        "ec2:DisassociateRouteTable",
        "ec2:ModifySubnetAttribute",
        "ec2:ModifyVpcAttribute",
        "ec2:ReplaceRoute",
        "ec2:RevokeSecurityGroupIngress",
    ];
    type World = World;
    type Change = Change;

    async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
        observe::observe(clients, scope).await
    }

    fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
        network::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        network::teardown(scope, world)
    }

    fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
        network::obstacles(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        network::facts(scope, world)
    }

    async fn apply(clients: &Clients, _scope: &Scope, change: &Change, made: &Made) -> Result<Option<String>> {
        apply::apply(clients.ec2(), change, made).await
    }
}
