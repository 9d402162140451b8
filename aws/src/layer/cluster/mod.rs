//! The ECS cluster, its container instances, the capacity provider and the containers' log group.

use skydeck_core::facts::Facts;
use skydeck_core::layer::cluster::{self, Change, World};
use skydeck_core::obstacle::Obstacle;
use skydeck_core::plan::{Plan, Refusal, fingerprint};
use skydeck_core::run::Layer;
use skydeck_core::scope::Scope;

use super::Work;
use crate::client::Clients;
use crate::error::Result;
use crate::execute::Made;

mod apply;
mod group;
mod observe;
mod refresh;
mod template;

/// The cluster layer.
#[derive(Debug)]
pub struct Cluster;

impl Work for Cluster {
    const LAYER: Layer = Layer::Cluster;
    // Some are never called by name: Auto Scaling tries in the caller's name whether it may start instances of the
    // template (RunInstances, CreateTags, PassRole of the instance role), and ecs:TagResource and ec2:CreateTags go
    // with creations.
    const ACTIONS: &'static [&'static str] = &[
        "autoscaling:CreateAutoScalingGroup",
        "autoscaling:CreateOrUpdateTags",
        "autoscaling:DeleteAutoScalingGroup",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "autoscaling:StartInstanceRefresh",
        "autoscaling:UpdateAutoScalingGroup",
        "ec2:CreateLaunchTemplate",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:CreateTags",
        "ec2:DeleteLaunchTemplate",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates",
        "ec2:ModifyLaunchTemplate",
        "ec2:RunInstances",
        "ecs:CreateCapacityProvider",
        "ecs:CreateCluster",
        "ecs:DeleteCapacityProvider",
        "ecs:DeleteCluster",
        "ecs:DescribeCapacityProviders",
        "ecs:DescribeClusters",
        "ecs:PutClusterCapacityProviders",
        "ecs:TagResource",
        "ecs:UpdateCapacityProvider",
        "ecs:UpdateClusterSettings",
        "iam:PassRole",
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DescribeLogGroups",
        "logs:ListTagsForResource",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "ssm:GetParameter",
    ];
    type World = World;
    type Change = Change;

    async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
        observe::observe(clients, scope).await
    }

    fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
        cluster::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        cluster::teardown(scope, world)
    }

    fn fingerprint(scope: &Scope, world: &World) -> String {
        // AWS moves the recommended image every few weeks; it decides something only before there is a launch template,
        // and where it is asked for.
        let decides = world.template.is_none() || scope.refresh_ami;
        let recommended_ami = world.recommended_ami.clone().filter(|_| decides);
        fingerprint(&World { recommended_ami, ..world.clone() })
    }

    fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
        cluster::obstacles(scope, world)
    }

    fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
        cluster::obstacles_leaving(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        cluster::facts(scope, world)
    }

    async fn apply(clients: &Clients, scope: &Scope, change: &Change, made: &Made) -> Result<Option<String>> {
        apply::apply(clients, scope, change, made).await
    }
}
