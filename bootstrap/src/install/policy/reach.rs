//! On what each action may be done: the narrowest resources that AWS admits for it and skydeck's names allow.
//!
//! What AWS admits stands in the service authorization reference
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>).

use serde_json::{Value, json};
use skydeck_aws::function::Function;
use skydeck_core::layer::identity::{LINKED_SERVICES, MANAGED};

use crate::context::Account;

/// A kind of resource, by its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// In this account and region: service and resource.
    Here(&'static str, &'static str),
    /// In this account, whatever the region: IAM's.
    Iam(&'static str),
    /// What skydeck makes in IAM for the platforms of this region: roles, or instance profiles.
    OfPlatforms(&'static str),
    /// In this region, and of AWS itself: service and resource.
    Public(&'static str, &'static str),
    /// Buckets, or objects in them.
    S3(&'static str),
    /// Objects in skydeck's own bucket.
    Own(&'static str),
    /// Whatever there is: AWS admits nothing narrower, or nothing narrower can be said. With the reason.
    All(&'static str),
}

use On::{All, Here, Iam, OfPlatforms, Own, Public, S3};
use When::{Bounded, BoundedAttaching, Linked};

/// Under which condition an action may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// To a role that has the boundary, or gets it.
    Bounded,
    /// The same, and of AWS's own policies only those that skydeck attaches.
    BoundedAttaching,
    /// For a service that acts through a service-linked role.
    Linked,
}

/// Actions that reach equally far.
struct Reach {
    /// Whole names; one that ends in `*` stands for all that begin so, and comes after the names.
    actions: &'static [&'static str],
    on: &'static [On],
    when: Option<When>,
}

const fn reach(actions: &'static [&'static str], on: &'static [On]) -> Reach {
    Reach { actions, on, when: None }
}

const NO_RESOURCE: &str = "AWS knows no resource for it: it lists or describes";

/// The whole table. The first row that names an action holds.
static REACHES: &[Reach] = &[
    // Auto Scaling.
    reach(&["autoscaling:Describe*"], &[All(NO_RESOURCE)]),
    reach(&["autoscaling:*"], &[Here("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*-instances")]),
    // EC2.
    reach(&["ec2:DescribeVpcAttribute", "ec2:GetSecurityGroupsForVpc"], &[Here("ec2", "vpc/*")]),
    reach(&["ec2:Describe*"], &[All(NO_RESOURCE)]),
    reach(&["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:ModifyVpcAttribute"], &[Here("ec2", "vpc/*")]),
    reach(&["ec2:CreateSubnet"], &[Here("ec2", "subnet/*"), Here("ec2", "vpc/*")]),
    reach(&["ec2:DeleteSubnet", "ec2:ModifySubnetAttribute"], &[Here("ec2", "subnet/*")]),
    reach(&["ec2:CreateInternetGateway", "ec2:DeleteInternetGateway"], &[Here("ec2", "internet-gateway/*")]),
    reach(
        &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"],
        &[Here("ec2", "internet-gateway/*"), Here("ec2", "vpc/*")],
    ),
    reach(&["ec2:CreateRouteTable"], &[Here("ec2", "route-table/*"), Here("ec2", "vpc/*")]),
    reach(
        &["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"],
        &[Here("ec2", "route-table/*"), Here("ec2", "subnet/*")],
    ),
    reach(&["ec2:CreateRoute", "ec2:DeleteRouteTable", "ec2:ReplaceRoute"], &[Here("ec2", "route-table/*")]),
    reach(&["ec2:CreateSecurityGroup"], &[Here("ec2", "security-group/*"), Here("ec2", "vpc/*")]),
    reach(&["ec2:DeleteSecurityGroup"], &[Here("ec2", "security-group/*")]),
    reach(
        &["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
        &[Here("ec2", "security-group/*"), Here("ec2", "security-group-rule/*")],
    ),
    reach(
        &[
            "ec2:CreateLaunchTemplate",
            "ec2:CreateLaunchTemplateVersion",
            "ec2:DeleteLaunchTemplate",
            "ec2:ModifyLaunchTemplate",
        ],
        &[Here("ec2", "launch-template/*")],
    ),
    reach(
        &["ec2:RunInstances"],
        &[
            Here("ec2", "instance/*"),
            Here("ec2", "launch-template/*"),
            Here("ec2", "network-interface/*"),
            Here("ec2", "security-group/*"),
            Here("ec2", "subnet/*"),
            Here("ec2", "volume/*"),
            Public("ec2", "image/*"),
        ],
    ),
    reach(
        &["ec2:CreateTags"],
        &[
            Here("ec2", "instance/*"),
            Here("ec2", "internet-gateway/*"),
            Here("ec2", "launch-template/*"),
            Here("ec2", "route-table/*"),
            Here("ec2", "security-group/*"),
            Here("ec2", "subnet/*"),
            Here("ec2", "volume/*"),
            Here("ec2", "vpc/*"),
        ],
    ),
    // ECR.
    // All of them are asked for at once.
    reach(&["ecr:DescribeRepositories"], &[Here("ecr", "repository/*")]),
    reach(&["ecr:*"], &[Here("ecr", "repository/*-*")]),
    // ECS.
    reach(
        &["ecs:DeregisterTaskDefinition"],
        &[All("AWS knows no resource for it; what runs goes on, and only the next deployment needs another revision")],
    ),
    reach(
        &[
            "ecs:DescribeTaskDefinition",
            "ecs:ListClusters",
            "ecs:ListServices",
            "ecs:ListTaskDefinitionFamilies",
            "ecs:ListTaskDefinitions",
        ],
        &[All(NO_RESOURCE)],
    ),
    reach(
        &["ecs:ListTasks"],
        &[All(
            "the container instance, which is AWS's only resource for it, is not named where a service's tasks are asked for",
        )],
    ),
    reach(
        &["ecs:CreateService", "ecs:DeleteService", "ecs:DescribeServices", "ecs:UpdateService"],
        &[Here("ecs", "service/*-*/*")],
    ),
    reach(&["ecs:DeleteTaskDefinitions", "ecs:RegisterTaskDefinition"], &[Here("ecs", "task-definition/*-*:*")]),
    reach(&["ecs:DescribeTasks"], &[Here("ecs", "task/*-*/*")]),
    reach(&["ecs:DescribeContainerInstances"], &[Here("ecs", "container-instance/*/*")]),
    reach(
        &[
            "ecs:CreateCapacityProvider",
            "ecs:DeleteCapacityProvider",
            "ecs:DescribeCapacityProviders",
            "ecs:UpdateCapacityProvider",
        ],
        &[Here("ecs", "capacity-provider/*")],
    ),
    reach(
        &[
            "ecs:CreateCluster",
            "ecs:DeleteCluster",
            "ecs:DescribeClusters",
            "ecs:ListContainerInstances",
            "ecs:PutClusterCapacityProviders",
            "ecs:UpdateClusterSettings",
        ],
        &[Here("ecs", "cluster/*")],
    ),
    reach(
        &["ecs:TagResource"],
        &[
            Here("ecs", "capacity-provider/*"),
            Here("ecs", "cluster/*"),
            Here("ecs", "service/*-*/*"),
            Here("ecs", "task-definition/*-*:*"),
        ],
    ),
    // Elastic Load Balancing.
    reach(&["elasticloadbalancing:Describe*"], &[All(NO_RESOURCE)]),
    reach(
        &["elasticloadbalancing:*"],
        &[
            Here("elasticloadbalancing", "listener-rule/app/*"),
            Here("elasticloadbalancing", "listener/app/*"),
            Here("elasticloadbalancing", "loadbalancer/app/*"),
            Here("elasticloadbalancing", "targetgroup/*"),
        ],
    ),
    // EventBridge.
    reach(&["events:PutEvents"], &[Here("events", "event-bus/default")]),
    // IAM.
    reach(&["iam:ListRoles"], &[All(NO_RESOURCE)]),
    Reach { when: Some(Linked), ..reach(&["iam:CreateServiceLinkedRole"], &[Iam("role/aws-service-role/*")]) },
    // Names are unique in an account, whatever their path: whose a wanted one is has to be seen.
    reach(&["iam:GetRole", "iam:ListInstanceProfilesForRole"], &[Iam("role/*")]),
    reach(&["iam:GetInstanceProfile"], &[Iam("instance-profile/*")]),
    reach(&["iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"], &[Iam("role/*")]),
    reach(
        &[
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagInstanceProfile",
        ],
        &[OfPlatforms("instance-profile")],
    ),
    // AWS knows no condition for it.
    reach(&["iam:TagRole"], &[OfPlatforms("role")]),
    Reach { when: Some(BoundedAttaching), ..reach(&["iam:AttachRolePolicy"], &[OfPlatforms("role")]) },
    Reach {
        when: Some(Bounded),
        ..reach(
            &[
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
                "iam:UpdateAssumeRolePolicy",
            ],
            &[OfPlatforms("role")],
        )
    },
    // Lambda: the platforms' probes.
    reach(&["lambda:ListTags"], &[Here("lambda", "function:*")]),
    reach(&["lambda:*"], &[Here("lambda", "function:skydeck-*-probe")]),
    // CloudWatch Logs.
    reach(&["logs:DescribeLogGroups"], &[All(NO_RESOURCE)]),
    reach(&["logs:GetLogEvents"], &[Here("logs", "log-group:/ecs/*-*:log-stream:*")]),
    reach(
        &["logs:*"],
        &[
            Here("logs", "log-group:/aws/lambda/skydeck-*-probe"),
            Here("logs", "log-group:/aws/lambda/skydeck-*-probe:*"),
            Here("logs", "log-group:/ecs/*-*"),
            Here("logs", "log-group:/ecs/*-*:*"),
        ],
    ),
    // S3.
    reach(&["s3:ListAllMyBuckets"], &[All(NO_RESOURCE)]),
    reach(&["s3:DeleteObject", "s3:DeleteObjectVersion"], &[S3("*-*/*")]),
    // The code of the platforms' probes, which Lambda reads with the permissions of who makes a function.
    reach(&["s3:GetObject"], &[Own("functions/*")]),
    reach(&["s3:*"], &[S3("*-*")]),
    // Systems Manager.
    reach(&["ssm:DescribeParameters"], &[All(NO_RESOURCE)]),
    reach(&["ssm:GetParameter"], &[Public("ssm", "parameter/aws/service/ecs/optimized-ami/*")]),
    reach(&["ssm:*"], &[Here("ssm", "parameter/*")]),
    // Step Functions.
    reach(&["states:DescribeExecution"], &[Here("states", "execution:skydeck-*:*")]),
    reach(&["states:StartExecution"], &[Here("states", "stateMachine:skydeck-*")]),
];

fn find(action: &str) -> Option<&'static Reach> {
    let names = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(begin) => action.starts_with(begin),
        None => *pattern == action,
    };
    REACHES.iter().find(|reach| reach.actions.iter().any(names))
}

/// Why an action may be done to anything, where it may.
pub(super) fn why(action: &str) -> Option<&'static str> {
    find(action)?.on.iter().find_map(|on| match on {
        All(why) => Some(*why),
        _ => None,
    })
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
    let mut reached: Vec<(&'static Reach, Vec<&str>)> = Vec::new();
    let mut actions = function.actions.to_vec();
    actions.sort_unstable();
    actions.dedup();
    for action in actions.into_iter().filter(|action| *action != PASS) {
        // A test says that every action is in the table: what is not may not be done.
        let Some(reach) = find(action) else { continue };
        match reached.iter_mut().find(|(known, _)| same(known, reach)) {
            Some((_, actions)) => actions.push(action),
            None => reached.push((reach, vec![action])),
        }
    }
    let mut statements: Vec<Value> = reached.iter().map(|(reach, actions)| allow(account, actions, reach)).collect();
    if function.actions.contains(&PASS) {
        let mut pass = allow(account, &[PASS], &reach(&[], &[OfPlatforms("role")]));
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
fn same(one: &Reach, other: &Reach) -> bool {
    one.when == other.when && (one.on == other.on || matches!((one.on, other.on), ([All(_)], [All(_)])))
}

fn allow(account: &Account, actions: &[&str], reach: &Reach) -> Value {
    let arns: Vec<String> = reach.on.iter().map(|on| arn(account, on)).collect();
    let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": arns });
    if let Some(when) = reach.when {
        statement["Condition"] = condition(account, when);
    }
    statement
}

fn condition(account: &Account, when: When) -> Value {
    let bounded = json!({ "iam:PermissionsBoundary": account.boundary() });
    match when {
        Bounded => json!({ "StringEquals": bounded }),
        BoundedAttaching => {
            let policies = MANAGED.map(|name| format!("arn:{}:iam::aws:policy/{name}", account.partition));
            json!({ "StringEquals": bounded, "ArnEquals": { "iam:PolicyARN": policies } })
        }
        Linked => json!({ "StringEquals": { "iam:AWSServiceName": LINKED_SERVICES } }),
    }
}

fn arn(account: &Account, on: &On) -> String {
    let Account { partition, region, id } = account;
    match on {
        Here(service, resource) => account.arn(service, resource),
        Iam(resource) => format!("arn:{partition}:iam::{id}:{resource}"),
        OfPlatforms(kind) => format!("arn:{partition}:iam::{id}:{kind}/skydeck/{region}/*"),
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
