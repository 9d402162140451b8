//! The catalogue of skydeck's functions: what is installed, and what each may do.

use crate::layer::Work;
use crate::layer::balancer::Balancer;
use crate::layer::cluster::Cluster;
use crate::layer::identity::Identity;
use crate::layer::network::Network;
use crate::layer::registry::Registry;
use crate::layer::secrets::Secrets;
use crate::layer::service::Service;
use crate::layer::storage::Storage;

/// A Lambda function of skydeck: its name, and exactly what its role allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Name of the binary; the function itself is called `skydeck-<name>`.
    pub name: &'static str,
    /// IAM actions on the team's resources, beside those on skydeck's own bucket and on its log group.
    pub actions: &'static [&'static str],
}

/// Memory of every function, in MiB: its CPU share grows with it, and TLS and JSON of a layer want some.
pub const MEMORY_MIB: i32 = 512;
/// Timeout of every function, in seconds; the lock's safe time follows from it.
pub const TIMEOUT_SECONDS: i32 = 60;

/// The alias by which the state machines call every function; `cargo lambda deploy` moves it.
pub const ALIAS: &str = "live";

/// Functions in the order in which a run meets them.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "prepare", actions: &["states:DescribeExecution"] },
    layer::<Network>(),
    layer::<Identity>(),
    layer::<Registry>(),
    layer::<Storage>(),
    layer::<Secrets>(),
    layer::<Balancer>(),
    layer::<Cluster>(),
    layer::<Service>(),
    Function { name: "approve", actions: &[] },
    Function {
        name: "observe",
        actions: &[
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListTasks",
            "elasticloadbalancing:DescribeTargetHealth",
            "states:DescribeExecution",
        ],
    },
    Function { name: "ask", actions: &[] },
    Function { name: "conclude", actions: &["events:PutEvents", "states:DescribeExecution"] },
    Function { name: "dispatch", actions: &["states:DescribeExecution", "states:StartExecution"] },
    Function { name: "decide", actions: DECIDE },
    Function {
        name: "release",
        actions: &[
            "ecs:DescribeTaskDefinition",
            "ecs:ListTaskDefinitions",
            "ecs:RegisterTaskDefinition",
            "ecs:TagResource",
            "ecs:UpdateService",
            "events:PutEvents",
            "iam:PassRole",
        ],
    },
    Function {
        name: "look",
        actions: &[
            "autoscaling:DescribeAutoScalingGroups",
            "ecr:BatchGetImage",
            "ecs:DescribeContainerInstances",
            "ecs:DescribeServices",
            "ecs:DescribeTasks",
            "ecs:ListContainerInstances",
            "ecs:ListServices",
            "ecs:ListTasks",
            "elasticloadbalancing:DescribeTargetHealth",
        ],
    },
    Function { name: "rollback", actions: &["ecs:UpdateService", "iam:PassRole"] },
    Function {
        name: "settle",
        actions: &[
            "ecr:BatchDeleteImage",
            "ecr:BatchGetImage",
            "ecr:PutImage",
            "ecs:DeregisterTaskDefinition",
            "ecs:ListTaskDefinitions",
            "events:PutEvents",
        ],
    },
    Function { name: "sweep", actions: DECIDE },
];

/// What a decision reads, and the rollouts that it starts.
const DECIDE: &[&str] = &[
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ssm:GetParameters",
    "states:DescribeExecution",
    "states:StartExecution",
];

const fn layer<W: Work>() -> Function {
    Function { name: W::LAYER.name(), actions: W::ACTIONS }
}
