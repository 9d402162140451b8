//! Load balancers with listeners, rules and target groups, and the probe function.

use skydeck_core::facts::Facts;
use skydeck_core::layer::balancer::{self, Change, World};
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
mod probe;
mod read;

/// The balancer layer.
#[derive(Debug)]
pub struct Balancer;

impl Work for Balancer {
    const LAYER: Layer = Layer::Balancer;
    // Some are never called by name: AddTags goes with every creation, ListTags lets GetFunction tell the tags,
    // Lambda asks EC2 in the caller's name for what a VPC function is put into and S3 for its code, and ListBucket
    // makes a missing object "not found" instead of "forbidden".
    const ACTIONS: &'static [&'static str] = &[
        // ELB asks in the caller's name
        // (<https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html>), and so does Lambda
        // of a function in a VPC.
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateRule",
        "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:SetRulePriorities",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
        // ELB's own role is identity's to make; while ELB does not see it yet, it would make it in the caller's name.
        "iam:CreateServiceLinkedRole",
        "iam:PassRole",
        "lambda:CreateFunction",
        "lambda:DeleteFunction",
        "lambda:GetFunction",
        "lambda:ListTags",
        "lambda:TagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DescribeLogGroups",
        "logs:ListTagsForResource",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "s3:GetObject",
        "s3:ListBucket",
    ];
    type World = World;
    type Change = Change;

    async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
        observe::observe(clients, scope).await
    }

    fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
        balancer::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        balancer::teardown(scope, world)
    }

    fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
        balancer::obstacles(scope, world)
    }

    fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
        balancer::obstacles_leaving(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        balancer::facts(scope, world)
    }

    async fn apply(clients: &Clients, scope: &Scope, change: &Change, made: &Made) -> Result<Option<String>> {
        apply::apply(clients, scope, change, made).await
    }
}
