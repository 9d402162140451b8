//! On what each action may be done: the narrowest resources that AWS admits for it and skydeck's names allow.
//!
//! What AWS admits stands in the service authorization reference
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>).

use serde_json::{Value, json};
use skydeck_aws::function::Function;

use crate::context::Account;

/// A kind of resource, by its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// In this account and region: service and resource.
    Here(&'static str, &'static str),
    /// In this account, whatever the region: IAM's.
    Iam(&'static str),
    /// In this region, and of AWS itself: service and resource.
    Public(&'static str, &'static str),
    /// Buckets, or objects in them.
    S3(&'static str),
    /// Objects in skydeck's own bucket.
    Own(&'static str),
    /// Whatever there is: AWS admits nothing narrower, or nothing narrower can be said. With the reason.
    All(&'static str),
}

use On::{All, Here, Iam, Own, Public, S3};

/// Actions that reach equally far.
struct Reach {
    /// Whole names; one that ends in `*` stands for all that begin so, and comes after the names.
    actions: &'static [&'static str],
    on: &'static [On],
}

const NO_RESOURCE: &str = "AWS knows no resource for it: it lists or describes";

/// The whole table. The first row that names an action holds.
static REACHES: &[Reach] = &[
    // Auto Scaling.
    Reach { actions: &["autoscaling:Describe*"], on: &[All(NO_RESOURCE)] },
    Reach {
        actions: &["autoscaling:*"],
        on: &[Here("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*-instances")],
    },
    // EC2.
    Reach { actions: &["ec2:DescribeVpcAttribute", "ec2:GetSecurityGroupsForVpc"], on: &[Here("ec2", "vpc/*")] },
    Reach { actions: &["ec2:Describe*"], on: &[All(NO_RESOURCE)] },
    Reach { actions: &["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:ModifyVpcAttribute"], on: &[Here("ec2", "vpc/*")] },
    Reach { actions: &["ec2:CreateSubnet"], on: &[Here("ec2", "subnet/*"), Here("ec2", "vpc/*")] },
    Reach { actions: &["ec2:DeleteSubnet", "ec2:ModifySubnetAttribute"], on: &[Here("ec2", "subnet/*")] },
    Reach {
        actions: &["ec2:CreateInternetGateway", "ec2:DeleteInternetGateway"],
        on: &[Here("ec2", "internet-gateway/*")],
    },
    Reach {
        actions: &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"],
        on: &[Here("ec2", "internet-gateway/*"), Here("ec2", "vpc/*")],
    },
    Reach { actions: &["ec2:CreateRouteTable"], on: &[Here("ec2", "route-table/*"), Here("ec2", "vpc/*")] },
    Reach {
        actions: &["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"],
        on: &[Here("ec2", "route-table/*"), Here("ec2", "subnet/*")],
    },
    Reach {
        actions: &["ec2:CreateRoute", "ec2:DeleteRouteTable", "ec2:ReplaceRoute"],
        on: &[Here("ec2", "route-table/*")],
    },
    Reach { actions: &["ec2:CreateSecurityGroup"], on: &[Here("ec2", "security-group/*"), Here("ec2", "vpc/*")] },
    Reach { actions: &["ec2:DeleteSecurityGroup"], on: &[Here("ec2", "security-group/*")] },
    Reach {
        actions: &[
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupIngress",
        ],
        on: &[Here("ec2", "security-group/*"), Here("ec2", "security-group-rule/*")],
    },
    Reach {
        actions: &[
            "ec2:CreateLaunchTemplate",
            "ec2:CreateLaunchTemplateVersion",
            "ec2:DeleteLaunchTemplate",
            "ec2:ModifyLaunchTemplate",
        ],
        on: &[Here("ec2", "launch-template/*")],
    },
    Reach {
        actions: &["ec2:RunInstances"],
        on: &[
            Here("ec2", "instance/*"),
            Here("ec2", "launch-template/*"),
            Here("ec2", "network-interface/*"),
            Here("ec2", "security-group/*"),
            Here("ec2", "subnet/*"),
            Here("ec2", "volume/*"),
            Public("ec2", "image/*"),
        ],
    },
    Reach {
        actions: &["ec2:CreateTags"],
        on: &[
            Here("ec2", "instance/*"),
            Here("ec2", "internet-gateway/*"),
            Here("ec2", "launch-template/*"),
            Here("ec2", "route-table/*"),
            Here("ec2", "security-group/*"),
            Here("ec2", "subnet/*"),
            Here("ec2", "volume/*"),
            Here("ec2", "vpc/*"),
        ],
    },
    // ECR.
    Reach { actions: &["ecr:*"], on: &[Here("ecr", "repository/*-*")] },
    // ECS.
    Reach {
        actions: &["ecs:DeregisterTaskDefinition"],
        on: &[All(
            "AWS knows no resource for it; what runs goes on, and only the next deployment needs another revision",
        )],
    },
    Reach {
        actions: &[
            "ecs:DescribeTaskDefinition",
            "ecs:ListClusters",
            "ecs:ListServices",
            "ecs:ListTaskDefinitionFamilies",
            "ecs:ListTaskDefinitions",
        ],
        on: &[All(NO_RESOURCE)],
    },
    Reach {
        actions: &["ecs:ListTasks"],
        on: &[All(
            "the container instance, which is AWS's only resource for it, is not named where a service's tasks are asked for",
        )],
    },
    Reach {
        actions: &["ecs:CreateService", "ecs:DeleteService", "ecs:DescribeServices", "ecs:UpdateService"],
        on: &[Here("ecs", "service/*-*/*")],
    },
    Reach {
        actions: &["ecs:DeleteTaskDefinitions", "ecs:RegisterTaskDefinition"],
        on: &[Here("ecs", "task-definition/*-*:*")],
    },
    Reach { actions: &["ecs:DescribeTasks"], on: &[Here("ecs", "task/*-*/*")] },
    Reach { actions: &["ecs:DescribeContainerInstances"], on: &[Here("ecs", "container-instance/*/*")] },
    Reach {
        actions: &[
            "ecs:CreateCapacityProvider",
            "ecs:DeleteCapacityProvider",
            "ecs:DescribeCapacityProviders",
            "ecs:UpdateCapacityProvider",
        ],
        on: &[Here("ecs", "capacity-provider/*")],
    },
    Reach {
        actions: &[
            "ecs:CreateCluster",
            "ecs:DeleteCluster",
            "ecs:DescribeClusters",
            "ecs:ListContainerInstances",
            "ecs:PutClusterCapacityProviders",
            "ecs:UpdateClusterSettings",
        ],
        on: &[Here("ecs", "cluster/*")],
    },
    Reach {
        actions: &["ecs:TagResource"],
        on: &[
            Here("ecs", "capacity-provider/*"),
            Here("ecs", "cluster/*"),
            Here("ecs", "service/*-*/*"),
            Here("ecs", "task-definition/*-*:*"),
        ],
    },
    // Elastic Load Balancing.
    Reach { actions: &["elasticloadbalancing:Describe*"], on: &[All(NO_RESOURCE)] },
    Reach {
        actions: &["elasticloadbalancing:*"],
        on: &[
            Here("elasticloadbalancing", "listener-rule/app/*"),
            Here("elasticloadbalancing", "listener/app/*"),
            Here("elasticloadbalancing", "loadbalancer/app/*"),
            Here("elasticloadbalancing", "targetgroup/*"),
        ],
    },
    // EventBridge.
    Reach { actions: &["events:PutEvents"], on: &[Here("events", "event-bus/default")] },
    // IAM.
    Reach { actions: &["iam:ListRoles"], on: &[All(NO_RESOURCE)] },
    Reach { actions: &["iam:CreateServiceLinkedRole"], on: &[Iam("role/aws-service-role/*")] },
    Reach {
        actions: &[
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListInstanceProfilesForRole",
            "iam:ListRolePolicies",
        ],
        // Names are unique in an account, whatever their path: whose a wanted one is has to be seen.
        on: &[Iam("role/*")],
    },
    Reach {
        actions: &[
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:GetInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagInstanceProfile",
        ],
        on: &[Iam("instance-profile/*-instance")],
    },
    Reach { actions: &["iam:*"], on: &[Iam("role/skydeck/*")] },
    // Lambda: the platforms' probes.
    Reach { actions: &["lambda:ListTags"], on: &[Here("lambda", "function:*")] },
    Reach { actions: &["lambda:*"], on: &[Here("lambda", "function:skydeck-*-probe")] },
    // CloudWatch Logs.
    Reach { actions: &["logs:DescribeLogGroups"], on: &[All(NO_RESOURCE)] },
    Reach { actions: &["logs:GetLogEvents"], on: &[Here("logs", "log-group:/ecs/*-*:log-stream:*")] },
    Reach {
        actions: &["logs:*"],
        on: &[
            Here("logs", "log-group:/aws/lambda/skydeck-*-probe"),
            Here("logs", "log-group:/aws/lambda/skydeck-*-probe:*"),
            Here("logs", "log-group:/ecs/*-*"),
            Here("logs", "log-group:/ecs/*-*:*"),
        ],
    },
    // S3.
    Reach { actions: &["s3:ListAllMyBuckets"], on: &[All(NO_RESOURCE)] },
    Reach { actions: &["s3:DeleteObject", "s3:DeleteObjectVersion"], on: &[S3("*-*/*")] },
    // The code of the platforms' probes, which Lambda reads with the permissions of who makes a function.
    Reach { actions: &["s3:GetObject"], on: &[Own("functions/*")] },
    Reach { actions: &["s3:*"], on: &[S3("*-*")] },
    // Systems Manager.
    Reach { actions: &["ssm:DescribeParameters"], on: &[All(NO_RESOURCE)] },
    Reach { actions: &["ssm:GetParameter"], on: &[Public("ssm", "parameter/aws/service/ecs/optimized-ami/*")] },
    Reach { actions: &["ssm:*"], on: &[Here("ssm", "parameter/*")] },
    // Step Functions.
    Reach { actions: &["states:DescribeExecution"], on: &[Here("states", "execution:skydeck-*:*")] },
    Reach { actions: &["states:StartExecution"], on: &[Here("states", "stateMachine:skydeck-*")] },
];

fn find(action: &str) -> Option<&'static Reach> {
    let names = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(begin) => action.starts_with(begin),
        None => *pattern == action,
    };
    REACHES.iter().find(|reach| reach.actions.iter().any(|pattern| names(&pattern)))
}

/// The service that a function hands roles to.
fn passed_to(function: &str) -> &'static str {
    match function {
        "balancer" => "lambda.amazonaws.com",
        "cluster" | "identity" => "ec2.amazonaws.com",
        _ => "ecs-tasks.amazonaws.com",
    }
}

/// The statements that let a function do its actions: one for all actions that reach equally far.
pub(super) fn statements(account: &Account, function: &Function) -> Vec<Value> {
    let mut reached: Vec<(&'static [On], Vec<&str>)> = Vec::new();
    let mut actions = function.actions.to_vec();
    actions.sort_unstable();
    actions.dedup();
    for action in actions.into_iter().filter(|action| *action != PASS) {
        // A test says that every action is in the table: what is not may not be done.
        let Some(reach) = find(action) else { continue };
        match reached.iter_mut().find(|(on, _)| same(on, reach.on)) {
            Some((_, actions)) => actions.push(action),
            None => reached.push((reach.on, vec![action])),
        }
    }
    let mut statements: Vec<Value> = reached.iter().map(|(on, actions)| allow(account, actions, on)).collect();
    if function.actions.contains(&PASS) {
        let mut pass = allow(account, &[PASS], &[Iam("role/skydeck/*")]);
        // EC2's principal has another name in China.
        let service = passed_to(function.name);
        let china = service.replace("amazonaws.com", "amazonaws.com.cn");
        let services = if service.starts_with("ec2") { json!([service, china]) } else { json!(service) };
        pass["Condition"] = json!({ "StringEqualsIfExists": { "iam:PassedToService": services } });
        statements.push(pass);
    }
    statements
}

const PASS: &str = "iam:PassRole";

/// Whatever the reason is why it is all.
fn same(one: &[On], other: &[On]) -> bool {
    one == other || matches!((one, other), ([All(_)], [All(_)]))
}

fn allow(account: &Account, actions: &[&str], on: &[On]) -> Value {
    let arns: Vec<String> = on.iter().map(|on| arn(account, on)).collect();
    json!({ "Effect": "Allow", "Action": actions, "Resource": arns })
}

fn arn(account: &Account, on: &On) -> String {
    let Account { partition, region, id } = account;
    match on {
        Here(service, resource) => account.arn(service, resource),
        Iam(resource) => format!("arn:{partition}:iam::{id}:{resource}"),
        Public(service, resource) => format!("arn:{partition}:{service}:{region}::{resource}"),
        S3(path) => account.s3(path),
        Own(path) => account.s3(&format!("{}/{path}", account.bucket())),
        All(_) => "*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use skydeck_aws::function::FUNCTIONS;

    use super::*;

    #[test]
    fn every_action_of_every_function_has_its_reach_and_every_row_is_needed() {
        let actions: BTreeSet<&str> = FUNCTIONS.iter().flat_map(|function| function.actions).copied().collect();
        let lost: Vec<_> = actions.iter().filter(|action| **action != PASS && find(action).is_none()).collect();
        assert_eq!(lost, Vec::<&&str>::new());
        for reach in REACHES {
            let used = actions.iter().filter_map(|action| find(action)).any(|found| std::ptr::eq(found, reach));
            assert!(used, "{:?}", reach.actions);
            let named = reach.actions.iter().filter(|pattern| !pattern.ends_with('*'));
            for name in named {
                assert!(actions.contains(name), "nobody does {name}");
            }
        }
    }

    #[test]
    fn what_may_be_done_to_anything_only_looks_but_for_one_action() {
        let all = |action: &&str| find(action).is_some_and(|reach| matches!(reach.on, [All(_)]));
        let actions: BTreeSet<&str> = FUNCTIONS.iter().flat_map(|function| function.actions).copied().collect();
        let looks = |action: &&str| {
            let (_, name) = action.split_once(':').unwrap_or_default();
            ["Describe", "Get", "List"].iter().any(|verb| name.starts_with(verb))
        };
        let writes: Vec<&str> = actions.into_iter().filter(all).filter(|action| !looks(action)).collect();
        assert_eq!(writes, ["ecs:DeregisterTaskDefinition"]);
    }
}
