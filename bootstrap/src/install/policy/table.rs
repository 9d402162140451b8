//! On what each action may be done, and under which condition: the narrowest that AWS admits for it and that skydeck's names and
//! tags allow.
//!
//! What AWS admits stands in the service authorization reference
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>).

/// A kind of resource, by its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
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

/// Under which condition an action may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// To a role that has the boundary, or gets it.
    Bounded,
    /// Of AWS's own policies only those that skydeck attaches.
    Attaching,
    /// For a service that acts through a service-linked role.
    Linked,
    /// The request gives the tag of this installation.
    New,
    /// The resource has the tag of this installation.
    Ours,
    /// The request leaves the tag of this installation as it is.
    TagKept,
    /// The resource has the tag of this installation, or no such tag.
    NotOthers,
    /// As a part of making the resource, by one of these actions.
    Making(&'static [&'static str]),
    /// Nothing that is there already is overwritten.
    NotOverwriting,
    /// A group is made that launches by a version of a template which it names. Of one that takes whatever version is the latest,
    /// AWS asks nobody what that launches, and with which role.
    Numbered,
    /// The same of a change, where it says something of it.
    NumberedStill,
    /// By no launch configuration, which would be somebody else's.
    ByTemplate,
    /// Without subnets: of these AWS asks for no tag.
    NoSubnets,
    /// No container is privileged.
    Unprivileged,
}

/// Actions that reach equally far.
pub(super) struct Reach {
    /// Whole names; one that ends in `*` stands for all that begin so and that no row names.
    pub(super) actions: &'static [&'static str],
    pub(super) on: &'static [On],
    pub(super) when: &'static [When],
}

const fn reach(actions: &'static [&'static str], on: &'static [On]) -> Reach {
    Reach { actions, on, when: &[] }
}

impl Reach {
    const fn when(self, when: &'static [When]) -> Self {
        Self { when, ..self }
    }

    const fn made(self) -> Self {
        self.when(&[New])
    }

    const fn ours(self) -> Self {
        self.when(&[Ours])
    }
}

use On::{All, Here, Iam, OfPlatforms, Own, Public, S3};
use When::{
    Attaching, Bounded, ByTemplate, Linked, Making, New, NoSubnets, NotOthers, NotOverwriting, Numbered, NumberedStill,
    Ours, TagKept, Unprivileged,
};

/// A tag of what is there: where it has the fence's, and keeps it.
const RETAG: &[When] = &[Ours, TagKept];
/// A tag of what is new, of services that do not say that they are making it.
const TAG_NEW: &[When] = &[New, NotOthers];

const NO_RESOURCE: &str = "AWS knows no resource for it: it lists or describes";

const GROUP: On = Here("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*-*-instances");
const GATEWAY: On = Here("ec2", "internet-gateway/*");
const INSTANCE: On = Here("ec2", "instance/*");
const ROUTES: On = Here("ec2", "route-table/*");
const SECURITY_GROUP: On = Here("ec2", "security-group/*");
const SUBNET: On = Here("ec2", "subnet/*");
const TEMPLATE: On = Here("ec2", "launch-template/*");
const VOLUME: On = Here("ec2", "volume/*");
const VPC: On = Here("ec2", "vpc/*");
const REPOSITORY: On = Here("ecr", "repository/*-*");
const CLUSTER: On = Here("ecs", "cluster/*");
const PROVIDER: On = Here("ecs", "capacity-provider/*");
const SERVICE: On = Here("ecs", "service/*-*/*");
const DEFINITION: On = Here("ecs", "task-definition/*-*:*");
const BALANCER: On = Here("elasticloadbalancing", "loadbalancer/app/*");
const LISTENER: On = Here("elasticloadbalancing", "listener/app/*");
const RULE: On = Here("elasticloadbalancing", "listener-rule/app/*");
const TARGETS: On = Here("elasticloadbalancing", "targetgroup/*");
const PROBE: On = Here("lambda", "function:skydeck-*-probe");
const LOGS: &[On] = &[
    Here("logs", "log-group:/aws/lambda/skydeck-*-probe"),
    Here("logs", "log-group:/aws/lambda/skydeck-*-probe:*"),
    // With and without `:*` at its end.
    Here("logs", "log-group:/ecs/*-*"),
];
const PARAMETER: On = Here("ssm", "parameter/*");

/// The whole table. An action may be done by every row that names it; where none does, by the first whose beginning it has.
pub(super) static REACHES: &[Reach] = &[
    // Auto Scaling.
    reach(&["autoscaling:Describe*"], &[All(NO_RESOURCE)]),
    reach(&["autoscaling:CreateAutoScalingGroup"], &[GROUP]).when(&[New, Numbered, ByTemplate]),
    reach(&["autoscaling:CreateOrUpdateTags"], &[GROUP]).when(TAG_NEW),
    // ECS tags the group of a new capacity provider in the name of whoever makes it, without the fence's tag.
    reach(&["autoscaling:CreateOrUpdateTags"], &[GROUP]).when(RETAG),
    reach(&["autoscaling:DeleteAutoScalingGroup", "autoscaling:StartInstanceRefresh"], &[GROUP]).ours(),
    reach(&["autoscaling:UpdateAutoScalingGroup"], &[GROUP]).when(&[Ours, NumberedStill, ByTemplate]),
    // EC2.
    reach(&["ec2:DescribeVpcAttribute", "ec2:GetSecurityGroupsForVpc"], &[VPC]),
    reach(&["ec2:Describe*"], &[All(NO_RESOURCE)]),
    reach(&["ec2:CreateVpc"], &[VPC]).made(),
    reach(&["ec2:CreateSubnet"], &[SUBNET]).made(),
    reach(&["ec2:CreateInternetGateway"], &[GATEWAY]).made(),
    reach(&["ec2:CreateRouteTable"], &[ROUTES]).made(),
    reach(&["ec2:CreateSecurityGroup"], &[SECURITY_GROUP]).made(),
    reach(&["ec2:CreateLaunchTemplate"], &[TEMPLATE]).made(),
    reach(
        &[
            "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet",
            "ec2:DeleteVpc",
            "ec2:ModifyVpcAttribute",
        ],
        &[VPC],
    )
    .ours(),
    reach(&["ec2:DeleteSubnet", "ec2:ModifySubnetAttribute"], &[SUBNET]).ours(),
    reach(&["ec2:DeleteInternetGateway"], &[GATEWAY]).ours(),
    reach(&["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"], &[GATEWAY, VPC]).ours(),
    reach(&["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"], &[ROUTES, SUBNET]).ours(),
    reach(&["ec2:CreateRoute", "ec2:DeleteRouteTable", "ec2:ReplaceRoute"], &[ROUTES]).ours(),
    reach(&["ec2:DeleteSecurityGroup"], &[SECURITY_GROUP]).ours(),
    reach(
        &["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
        &[SECURITY_GROUP],
    )
    .ours(),
    // The rules of a group of ours have no tags.
    reach(
        &["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"],
        &[Here("ec2", "security-group-rule/*")],
    ),
    reach(&["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplate", "ec2:ModifyLaunchTemplate"], &[TEMPLATE])
        .ours(),
    reach(&["ec2:RunInstances"], &[INSTANCE, VOLUME]).made(),
    reach(&["ec2:RunInstances"], &[SECURITY_GROUP, SUBNET, TEMPLATE]).ours(),
    // They get no tags, and an image is AWS's.
    reach(&["ec2:RunInstances"], &[Here("ec2", "network-interface/*"), Public("ec2", "image/*")]),
    reach(&["ec2:CreateTags"], &[GATEWAY, INSTANCE, ROUTES, SECURITY_GROUP, SUBNET, TEMPLATE, VOLUME, VPC]).when(&[
        New,
        Making(&[
            "CreateInternetGateway",
            "CreateLaunchTemplate",
            "CreateRouteTable",
            "CreateSecurityGroup",
            "CreateSubnet",
            "CreateVpc",
            "RunInstances",
        ]),
    ]),
    reach(&["ec2:CreateTags"], &[GATEWAY, ROUTES, SECURITY_GROUP, SUBNET, TEMPLATE, VPC]).when(RETAG),
    // ECR.
    // All of them are asked for at once.
    reach(&["ecr:DescribeRepositories"], &[Here("ecr", "repository/*")]),
    reach(
        &[
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetLifecyclePolicy",
            "ecr:ListImages",
            "ecr:ListTagsForResource",
        ],
        &[REPOSITORY],
    ),
    reach(
        &["ecr:GetAuthorizationToken"],
        &[All("AWS knows no resource for it: it is the login of `docker`, and allows nothing by itself")],
    ),
    reach(&["ecr:CreateRepository"], &[REPOSITORY]).made(),
    reach(&["ecr:TagResource"], &[REPOSITORY]).when(TAG_NEW),
    reach(&["ecr:TagResource"], &[REPOSITORY]).when(RETAG),
    reach(&["ecr:*"], &[REPOSITORY]).ours(),
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
    reach(&["ecs:DescribeServices"], &[SERVICE]),
    reach(&["ecs:DescribeTasks"], &[Here("ecs", "task/*-*/*")]),
    reach(&["ecs:DescribeContainerInstances"], &[Here("ecs", "container-instance/*/*")]),
    reach(&["ecs:DescribeCapacityProviders"], &[PROVIDER]),
    reach(&["ecs:DescribeClusters", "ecs:ListContainerInstances"], &[CLUSTER]),
    reach(&["ecs:CreateCluster"], &[CLUSTER]).made(),
    reach(&["ecs:CreateCapacityProvider"], &[PROVIDER]).made(),
    reach(&["ecs:CreateService"], &[SERVICE]).when(&[New, NoSubnets]),
    reach(&["ecs:RegisterTaskDefinition"], &[DEFINITION]).when(&[New, Unprivileged]),
    reach(&["ecs:DeleteService", "ecs:UpdateService"], &[SERVICE]).ours(),
    reach(&["ecs:DeleteTaskDefinitions"], &[DEFINITION]).ours(),
    reach(&["ecs:DeleteCapacityProvider", "ecs:UpdateCapacityProvider"], &[PROVIDER]).ours(),
    reach(&["ecs:DeleteCluster", "ecs:PutClusterCapacityProviders", "ecs:UpdateClusterSettings"], &[CLUSTER]).ours(),
    reach(&["ecs:TagResource"], &[CLUSTER, DEFINITION, PROVIDER, SERVICE])
        .when(&[New, Making(&["CreateCapacityProvider", "CreateCluster", "CreateService", "RegisterTaskDefinition"])]),
    reach(&["ecs:TagResource"], &[CLUSTER, DEFINITION, PROVIDER, SERVICE]).when(RETAG),
    // Elastic Load Balancing.
    reach(&["elasticloadbalancing:Describe*"], &[All(NO_RESOURCE)]),
    reach(&["elasticloadbalancing:CreateLoadBalancer"], &[BALANCER]).made(),
    reach(&["elasticloadbalancing:CreateTargetGroup"], &[TARGETS]).made(),
    reach(&["elasticloadbalancing:CreateListener"], &[BALANCER]).when(&[New, Ours]),
    reach(&["elasticloadbalancing:CreateRule"], &[LISTENER]).when(&[New, Ours]),
    // AWS knows no condition for it.
    reach(&["elasticloadbalancing:SetRulePriorities"], &[RULE]),
    reach(&["elasticloadbalancing:AddTags"], &[BALANCER, LISTENER, RULE, TARGETS])
        .when(&[New, Making(&["CreateListener", "CreateLoadBalancer", "CreateRule", "CreateTargetGroup"])]),
    reach(&["elasticloadbalancing:AddTags"], &[BALANCER, LISTENER, RULE, TARGETS]).when(RETAG),
    reach(&["elasticloadbalancing:*"], &[BALANCER, LISTENER, RULE, TARGETS]).ours(),
    // EventBridge.
    reach(&["events:PutEvents"], &[Here("events", "event-bus/default")]),
    // IAM.
    reach(&["iam:ListRoles"], &[All(NO_RESOURCE)]),
    reach(&["iam:CreateServiceLinkedRole"], &[Iam("role/aws-service-role/*")]).when(&[Linked]),
    // Names are unique in an account, whatever their path: whose a wanted one is has to be seen.
    reach(&["iam:GetRole", "iam:ListInstanceProfilesForRole"], &[Iam("role/*")]),
    reach(&["iam:GetInstanceProfile"], &[Iam("instance-profile/*")]),
    reach(&["iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"], &[Iam("role/*")]),
    // Their path is the fence.
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
    // AWS knows no condition on the boundary for it.
    reach(&["iam:TagRole"], &[OfPlatforms("role")]),
    reach(&["iam:AttachRolePolicy"], &[OfPlatforms("role")]).when(&[Bounded, Attaching]),
    reach(
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
    .when(&[Bounded]),
    // Lambda: the platforms' probes.
    reach(&["lambda:ListTags"], &[Here("lambda", "function:*")]),
    reach(&["lambda:GetFunction"], &[PROBE]),
    reach(&["lambda:CreateFunction"], &[PROBE]).made(),
    reach(&["lambda:TagResource"], &[PROBE]).when(TAG_NEW),
    reach(&["lambda:TagResource"], &[PROBE]).when(RETAG),
    reach(&["lambda:*"], &[PROBE]).ours(),
    // CloudWatch Logs.
    reach(&["logs:DescribeLogGroups"], &[All(NO_RESOURCE)]),
    reach(&["logs:GetLogEvents"], &[Here("logs", "log-group:/ecs/*-*:log-stream:*")]),
    reach(&["logs:ListTagsForResource"], LOGS),
    reach(&["logs:CreateLogGroup"], LOGS).made(),
    reach(&["logs:TagResource"], LOGS).when(TAG_NEW),
    reach(&["logs:TagResource"], LOGS).when(RETAG),
    reach(&["logs:*"], LOGS).ours(),
    // S3.
    reach(&["s3:ListAllMyBuckets"], &[All(NO_RESOURCE)]),
    reach(&["s3:DeleteObject", "s3:DeleteObjectVersion"], &[S3("*-*/*")]),
    // The code of the platforms' probes, which Lambda reads with the permissions of who makes a function.
    reach(&["s3:GetObject"], &[Own("functions/*")]),
    reach(&["s3:*"], &[S3("*-*")]),
    // Systems Manager.
    reach(&["ssm:DescribeParameters"], &[All(NO_RESOURCE)]),
    reach(&["ssm:GetParameter"], &[Public("ssm", "parameter/aws/service/ecs/optimized-ami/*")]),
    reach(&["ssm:GetParameters", "ssm:ListTagsForResource"], &[PARAMETER]),
    reach(&["ssm:PutParameter"], &[PARAMETER]).when(&[New, NotOverwriting]),
    reach(&["ssm:AddTagsToResource"], &[PARAMETER]).when(TAG_NEW),
    reach(&["ssm:AddTagsToResource"], &[PARAMETER]).when(RETAG),
    reach(&["ssm:DeleteParameter", "ssm:PutParameter"], &[PARAMETER]).ours(),
    // Step Functions.
    reach(&["states:DescribeExecution", "states:GetExecutionHistory"], &[Here("states", "execution:skydeck-*:*")]),
    reach(&["states:ListExecutions", "states:StartExecution"], &[Here("states", "stateMachine:skydeck-*")]),
];

/// Actions that give tags to what a function makes. Of load balancers one function makes all, some of it inside of others.
const TAGGING: [&str; 4] = ["AddTagsToResource", "CreateOrUpdateTags", "CreateTags", "TagResource"];

pub(super) fn tags(action: &str) -> bool {
    action.split_once(':').is_some_and(|(_, name)| TAGGING.contains(&name))
}

/// The rows by which an action may be done.
pub(super) fn rows(action: &str) -> Vec<&'static Reach> {
    let named: Vec<&Reach> = REACHES.iter().filter(|reach| reach.actions.contains(&action)).collect();
    if !named.is_empty() {
        return named;
    }
    let begins = |pattern: &&str| pattern.strip_suffix('*').is_some_and(|begin| action.starts_with(begin));
    REACHES.iter().find(|reach| reach.actions.iter().any(begins)).into_iter().collect()
}
