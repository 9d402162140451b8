//! What others have put into the platform's VPC, cluster and load balancers. AWS refuses to delete what holds some of it, an
//! hour into a destroy, and deletes the rest along with ours: so it is looked for before anything is deleted.

use std::collections::BTreeSet;

use futures::try_join;
use skydeck_core::foreign::Foreign;
use skydeck_core::plan::Refusal;
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Explain, Result};

mod balancer;
mod cluster;
mod identity;
mod inside;
mod network;

/// The IAM actions that looking needs.
pub const ACTIONS: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpcs",
    "ec2:DescribeVpnGateways",
    "ecs:DescribeClusters",
    "ecs:DescribeContainerInstances",
    "ecs:DescribeServices",
    "ecs:DescribeTasks",
    "ecs:ListClusters",
    "ecs:ListContainerInstances",
    "ecs:ListServices",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "iam:ListInstanceProfilesForRole",
    "lambda:ListTags",
];

/// Refuses a destroy that would take something of somebody else's along, or that AWS would refuse for it.
///
/// # Errors
/// [`Refusal::Foreign`] with all that was found, and what AWS says where it cannot be asked.
pub async fn refuse(clients: &Clients, scope: &Scope) -> Result<()> {
    let (balancers, instances) = try_join!(balancer::all(clients, scope), group_instances(clients, scope))?;
    let (network, tied, cluster, identity) = try_join!(
        network::find(clients, scope, &balancers, &instances),
        balancer::tied(clients, scope, &balancers, |_| true),
        cluster::find(clients, scope, &instances),
        identity::find(clients, scope),
    )?;
    told(scope, [network, tied, cluster, identity].concat())
}

/// Refuses an apply that deletes a load balancer on which somebody else has put something.
///
/// # Errors
/// As [`refuse`].
pub async fn refuse_leaving(clients: &Clients, scope: &Scope) -> Result<()> {
    let balancers = balancer::all(clients, scope).await?;
    let wanted: BTreeSet<String> = scope.platform.load_balancers.keys().map(|key| scope.name(key)).collect();
    let tied = balancer::tied(clients, scope, &balancers, |name| !wanted.contains(name)).await?;
    told(scope, tied)
}

fn told(scope: &Scope, mut found: Vec<Foreign>) -> Result<()> {
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Ok(());
    }
    Err(Refusal::Foreign { platform: scope.prefix(), found }.into())
}

/// Ids of the instances of the platform's Auto Scaling group.
async fn group_instances(clients: &Clients, scope: &Scope) -> Result<BTreeSet<String>> {
    let name = scope.name("instances");
    let request = clients.autoscaling().describe_auto_scaling_groups().auto_scaling_group_names(&name);
    let answer = request.send().await.during("find Auto Scaling group", &name)?;
    let instances = answer.auto_scaling_groups().iter().flat_map(|group| group.instances());
    Ok(instances.filter_map(|instance| instance.instance_id()).map(Into::into).collect())
}
