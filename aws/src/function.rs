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
    Function { name: "prepare", actions: PREPARE },
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
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeScalingActivities",
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
    Function {
        name: "dispatch",
        actions: &["ecs:DescribeServices", "states:DescribeExecution", "states:StartExecution"],
    },
    Function { name: "decide", actions: DECIDE },
    Function {
        name: "release",
        actions: &[
            "autoscaling:DescribeAutoScalingGroups",
            "ecs:DescribeContainerInstances",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:ListContainerInstances",
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
            "autoscaling:DescribeScalingActivities",
            "ecr:BatchGetImage",
            "ecs:DescribeContainerInstances",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListContainerInstances",
            "ecs:ListServices",
            "ecs:ListTasks",
            "elasticloadbalancing:DescribeTargetHealth",
            "logs:GetLogEvents",
        ],
    },
    Function {
        name: "rollback",
        actions: &[
            "ecr:BatchGetImage",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ecs:RegisterTaskDefinition",
            "ecs:TagResource",
            "ecs:UpdateService",
            "iam:PassRole",
        ],
    },
    Function {
        name: "settle",
        actions: &[
            "ecr:BatchDeleteImage",
            "ecr:BatchGetImage",
            "ecr:ListImages",
            "ecr:PutImage",
            "ecs:DeleteTaskDefinitions",
            "ecs:DeregisterTaskDefinition",
            "ecs:DescribeServices",
            "ecs:ListTaskDefinitions",
            "events:PutEvents",
        ],
    },
    Function { name: "sweep", actions: SWEEP },
];

/// The pre-flight reads what the layers read, and what others have put into it.
const PREPARE: &[&str] = &[
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeInstanceRefreshes",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpcs",
    "ec2:DescribeVpnGateways",
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:ListImages",
    "ecr:ListTagsForResource",
    "ecs:DescribeCapacityProviders",
    "ecs:DescribeClusters",
    "ecs:DescribeContainerInstances",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListClusters",
    "ecs:ListContainerInstances",
    "ecs:ListServices",
    "ecs:ListTaskDefinitionFamilies",
    "ecs:ListTaskDefinitions",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:GetInstanceProfile",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies",
    "iam:ListRoles",
    "lambda:GetFunction",
    "lambda:ListTags",
    "logs:DescribeLogGroups",
    "logs:ListTagsForResource",
    "s3:GetBucketCORS",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetObject",
    "s3:ListAllMyBuckets",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "ssm:DescribeParameters",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:ListTagsForResource",
    "states:DescribeExecution",
];

/// What a decision reads, and the rollouts that it starts.
const DECIDE: &[&str] = &[
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:GetDownloadUrlForLayer",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ssm:DescribeParameters",
    "ssm:ListTagsForResource",
    "states:DescribeExecution",
    "states:StartExecution",
];

/// A decision for every service, and the word to a person where none goes on.
const SWEEP: &[&str] = &[
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:GetDownloadUrlForLayer",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "events:PutEvents",
    "ssm:DescribeParameters",
    "ssm:ListTagsForResource",
    "states:DescribeExecution",
    "states:StartExecution",
];

const fn layer<W: Work>() -> Function {
    Function { name: W::LAYER.name(), actions: W::ACTIONS }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FUNCTIONS, PREPARE};
    use crate::foreign;

    /// Actions that AWS asks of a caller beside the one that the call is named after: the dependent actions of the service
    /// authorization reference (<https://docs.aws.amazon.com/service-authorization/latest/reference/>) and of ELB's own page
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html>).
    const DEPENDENT: &[(&str, &[&str])] = &[
        ("autoscaling:CreateAutoScalingGroup", &["ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"]),
        ("ecs:CreateCapacityProvider", &["autoscaling:CreateOrUpdateTags"]),
        ("ecs:RegisterTaskDefinition", &["iam:PassRole"]),
        (
            "elasticloadbalancing:CreateLoadBalancer",
            &[
                "ec2:DescribeAccountAttributes",
                "ec2:DescribeAddresses",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "ec2:GetSecurityGroupsForVpc",
                "iam:CreateServiceLinkedRole",
            ],
        ),
        ("elasticloadbalancing:CreateTargetGroup", &["ec2:DescribeVpcs"]),
        ("elasticloadbalancing:SetSubnets", &["ec2:DescribeSubnets"]),
        ("elasticloadbalancing:SetSecurityGroups", &["ec2:DescribeSecurityGroups"]),
        ("iam:AddRoleToInstanceProfile", &["iam:PassRole"]),
        (
            "lambda:CreateFunction",
            &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs", "iam:PassRole", "s3:GetObject"],
        ),
    ];

    #[test]
    fn who_may_make_a_call_may_do_what_aws_does_for_it_in_the_callers_name() {
        let mut checked = 0;
        for function in FUNCTIONS {
            for (action, needed) in DEPENDENT.iter().filter(|(action, _)| function.actions.contains(action)) {
                checked += 1;
                let missing: Vec<_> = needed.iter().filter(|one| !function.actions.contains(one)).collect();
                assert!(missing.is_empty(), "{} may {action} and lacks {missing:?}", function.name);
            }
        }
        assert!(checked >= DEPENDENT.len(), "{checked} of {} calls are somebody's", DEPENDENT.len());
    }

    #[test]
    fn the_pre_flight_may_read_what_every_layer_reads_and_writes_nothing() {
        let reads = |action: &&str| {
            let (_, name) = action.split_once(':').unwrap_or_default();
            ["BatchGet", "Describe", "Get", "List"].iter().any(|verb| name.starts_with(verb))
        };
        let layers = ["network", "identity", "registry", "storage", "secrets", "balancer", "cluster", "service"];
        let functions = FUNCTIONS.iter().filter(|function| layers.contains(&function.name));
        let layers = functions.flat_map(|function| function.actions).copied().filter(reads);
        // What AWS asks of who makes something is not asked of who looks.
        let made: BTreeSet<&str> = DEPENDENT.iter().flat_map(|(_, needed)| needed.iter().copied()).collect();
        let layers = layers.filter(|action| !made.contains(action));
        let wanted: BTreeSet<&str> = layers.chain(foreign::ACTIONS.iter().copied()).collect();
        let granted: BTreeSet<&str> = PREPARE.iter().copied().collect();
        assert_eq!(wanted.difference(&granted).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert!(PREPARE.iter().all(reads));
    }
}
