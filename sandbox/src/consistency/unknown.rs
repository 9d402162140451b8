//! Writes that name what was made by another call, and what AWS says where it does not know that yet. Reads are in
//! `kinds`: a read misses what it looks for, a write is refused.

use super::{Asked, Kind};
use crate::gateway::naming::Name;

/// A thing that writes of one service name by one parameter.
#[derive(Debug)]
pub(super) struct Unknown {
    service: &'static str,
    /// The call that makes it.
    create: &'static str,
    /// The parameter that names it, without numbers; without a parameter, the request's own resource does.
    param: &'static str,
    pub(super) code: &'static str,
    /// `{}` is the id.
    pub(super) text: &'static str,
    /// The writes that name it.
    actions: &'static [&'static str],
}

impl Unknown {
    /// The id by which a call names this thing; all of them, in a list.
    fn named(&self, name: &Name, asked: &Asked) -> Vec<String> {
        if self.service != name.service || !self.actions.contains(&&*name.action) {
            return Vec::new();
        }
        if self.param.is_empty() {
            return name.resource.clone().into_iter().collect();
        }
        let is_meant = |key: &str| {
            key.rsplit('.')
                .find(|part| !part.is_empty() && !part.bytes().all(|it| it.is_ascii_digit()) && *part != "member")
                == Some(self.param)
        };
        let values = asked.form.iter().filter(|(key, _)| is_meant(key)).map(|(_, value)| value);
        // Auto Scaling takes several subnets in one text.
        values.flat_map(|value| value.split(',')).map(str::to_owned).collect()
    }
}

/// What a write is told that names something of this kind by this id; nothing where it does not.
pub(super) fn refusal(kind: &Kind, id: &str, name: &Name, asked: &Asked) -> Option<&'static Unknown> {
    // A name may be given as an ARN that ends in it, a family with its revision.
    let is = |value: &String| value == id || value.ends_with(&format!("/{id}"));
    UNKNOWN
        .iter()
        .filter(|unknown| unknown.create == kind.create)
        .find(|unknown| unknown.named(name, asked).iter().any(is))
}

/// The first thing that a call names, whenever that was made, and what AWS says where it does not know it.
pub(super) fn first(name: &Name, asked: &Asked) -> Option<(&'static Unknown, String)> {
    UNKNOWN.iter().find_map(|unknown| Some((unknown, unknown.named(name, asked).into_iter().next()?)))
}

/// Whether calls of this action name anything.
pub(super) fn names_something(service: &str, action: &str) -> bool {
    UNKNOWN.iter().any(|unknown| unknown.service == service && unknown.actions.contains(&action))
}

const fn of(
    service: &'static str,
    (create, param): (&'static str, &'static str),
    (code, text): (&'static str, &'static str),
    actions: &'static [&'static str],
) -> Unknown {
    Unknown { service, create, param, code, text, actions }
}

const VPC: (&str, &str) = ("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist");
const SUBNET: (&str, &str) = ("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist");
const GATEWAY: (&str, &str) = ("InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist");
const TABLE: (&str, &str) = ("InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist");
const GROUP: (&str, &str) = ("InvalidGroup.NotFound", "The security group '{}' does not exist");
const TEMPLATE: (&str, &str) =
    ("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID {}, does not exist.");
const TEMPLATE_OF_GROUP: (&str, &str) = (
    "ValidationError",
    "You must use a valid fully-formed launch template. The specified launch template, with template ID {}, does not \
     exist.",
);
const SUBNET_OF_GROUP: (&str, &str) = ("ValidationError", "The subnet ID '{}' does not exist");
const SUBNET_OF_FUNCTION: (&str, &str) = (
    "InvalidParameterValueException",
    "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: The subnet ID \
     '{}' does not exist",
);
const GROUP_OF_FUNCTION: (&str, &str) = (
    "InvalidParameterValueException",
    "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: The security \
     group '{}' does not exist",
);
const FUNCTION: (&str, &str) = ("ResourceNotFoundException", "Function not found: {}");
const BALANCER: (&str, &str) = ("LoadBalancerNotFound", "One or more load balancers not found");
const TARGETS: (&str, &str) = ("TargetGroupNotFound", "One or more target groups not found");
const LISTENER: (&str, &str) = ("ListenerNotFound", "One or more listeners not found");
const RULE: (&str, &str) = ("RuleNotFound", "One or more rules not found");
const ROLE: (&str, &str) = ("NoSuchEntity", "The role with name {} cannot be found.");
const PROFILE: (&str, &str) = ("NoSuchEntity", "Instance Profile {} cannot be found.");
const CLUSTER: (&str, &str) = ("ClusterNotFoundException", "Cluster not found.");
const SERVICE: (&str, &str) = ("ServiceNotFoundException", "Service not found.");
const DEFINITION: (&str, &str) = ("ClientException", "TaskDefinition not found.");
const PROVIDER: (&str, &str) = (
    "InvalidParameterException",
    "The specified capacity provider '{}' was not found. Specify a valid name or ARN and try again.",
);
const AUTO_SCALING: (&str, &str) =
    ("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup '{}' not found");
const AUTO_SCALING_OF_ECS: (&str, &str) =
    ("ClientException", "The specified Auto Scaling group ARN '{}' does not exist. Specify a valid ARN and try again.");
const TARGETS_OF_SERVICE: (&str, &str) =
    ("InvalidParameterException", "The target group with targetGroupArn {} does not exist.");
const LOGS: (&str, &str) = ("ResourceNotFoundException", "The specified log group does not exist.");
const REPOSITORY: (&str, &str) = (
    "RepositoryNotFoundException",
    "The repository with name '{}' does not exist in the registry with id '000000000000'",
);
const BUCKET: (&str, &str) = ("NoSuchBucket", "The specified bucket does not exist");

const UNKNOWN: &[Unknown] = &[
    of(
        "ec2",
        ("CreateVpc", "VpcId"),
        VPC,
        &["CreateSubnet", "CreateRouteTable", "CreateSecurityGroup", "ModifyVpcAttribute", "DeleteVpc"],
    ),
    of("ec2", ("CreateSubnet", "SubnetId"), SUBNET, &["ModifySubnetAttribute", "DeleteSubnet"]),
    of(
        "ec2",
        ("CreateInternetGateway", "InternetGatewayId"),
        GATEWAY,
        &["AttachInternetGateway", "DetachInternetGateway", "DeleteInternetGateway"],
    ),
    of("ec2", ("CreateVpc", "VpcId"), VPC, &["AttachInternetGateway"]),
    of(
        "ec2",
        ("CreateRouteTable", "RouteTableId"),
        TABLE,
        &["CreateRoute", "ReplaceRoute", "AssociateRouteTable", "DeleteRouteTable"],
    ),
    of("ec2", ("CreateInternetGateway", "GatewayId"), GATEWAY, &["CreateRoute", "ReplaceRoute"]),
    of("ec2", ("CreateSubnet", "SubnetId"), SUBNET, &["AssociateRouteTable"]),
    of(
        "ec2",
        ("CreateSecurityGroup", "GroupId"),
        GROUP,
        &[
            "AuthorizeSecurityGroupIngress",
            "AuthorizeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
            "DeleteSecurityGroup",
        ],
    ),
    of(
        "ec2",
        ("CreateLaunchTemplate", "LaunchTemplateId"),
        TEMPLATE,
        &["CreateLaunchTemplateVersion", "ModifyLaunchTemplate", "DeleteLaunchTemplate"],
    ),
    of(
        "autoscaling",
        ("CreateLaunchTemplate", "LaunchTemplateId"),
        TEMPLATE_OF_GROUP,
        &["CreateAutoScalingGroup", "UpdateAutoScalingGroup"],
    ),
    of(
        "autoscaling",
        ("CreateSubnet", "VPCZoneIdentifier"),
        SUBNET_OF_GROUP,
        &["CreateAutoScalingGroup", "UpdateAutoScalingGroup"],
    ),
    of(
        "autoscaling",
        ("CreateAutoScalingGroup", "AutoScalingGroupName"),
        AUTO_SCALING,
        &["UpdateAutoScalingGroup", "StartInstanceRefresh", "DeleteAutoScalingGroup"],
    ),
    of("lambda", ("CreateSubnet", "SubnetIds"), SUBNET_OF_FUNCTION, &["CreateFunction", "UpdateFunctionConfiguration"]),
    of(
        "lambda",
        ("CreateSecurityGroup", "SecurityGroupIds"),
        GROUP_OF_FUNCTION,
        &["CreateFunction", "UpdateFunctionConfiguration"],
    ),
    of(
        "lambda",
        ("CreateFunction", ""),
        FUNCTION,
        &["UpdateFunctionCode", "UpdateFunctionConfiguration", "DeleteFunction"],
    ),
    of(
        "elasticloadbalancing",
        ("CreateSubnet", "Subnets"),
        ("SubnetNotFound", "The subnet ID '{}' does not exist"),
        &["CreateLoadBalancer", "SetSubnets"],
    ),
    of(
        "elasticloadbalancing",
        ("CreateSecurityGroup", "SecurityGroups"),
        ("InvalidSecurityGroup", "One or more security groups are invalid"),
        &["CreateLoadBalancer", "SetSecurityGroups"],
    ),
    of(
        "elasticloadbalancing",
        ("CreateVpc", "VpcId"),
        ("ValidationError", "The VPC ID '{}' is not found"),
        &["CreateTargetGroup"],
    ),
    of(
        "elasticloadbalancing",
        ("CreateLoadBalancer", "LoadBalancerArn"),
        BALANCER,
        &["CreateListener", "ModifyLoadBalancerAttributes", "SetSubnets", "SetSecurityGroups", "DeleteLoadBalancer"],
    ),
    of(
        "elasticloadbalancing",
        ("CreateListener", "ListenerArn"),
        LISTENER,
        &["CreateRule", "ModifyListener", "DeleteListener"],
    ),
    of("elasticloadbalancing", ("CreateRule", "RuleArn"), RULE, &["ModifyRule", "SetRulePriorities", "DeleteRule"]),
    of(
        "elasticloadbalancing",
        ("CreateTargetGroup", "TargetGroupArn"),
        TARGETS,
        &[
            "CreateListener",
            "ModifyListener",
            "CreateRule",
            "ModifyRule",
            "ModifyTargetGroup",
            "ModifyTargetGroupAttributes",
            "DeleteTargetGroup",
        ],
    ),
    of(
        "iam",
        ("CreateRole", "RoleName"),
        ROLE,
        &[
            "AttachRolePolicy",
            "PutRolePolicy",
            "UpdateAssumeRolePolicy",
            "TagRole",
            "AddRoleToInstanceProfile",
            "RemoveRoleFromInstanceProfile",
            "DetachRolePolicy",
            "DeleteRolePolicy",
            "DeleteRole",
        ],
    ),
    of(
        "iam",
        ("CreateInstanceProfile", "InstanceProfileName"),
        PROFILE,
        &["AddRoleToInstanceProfile", "TagInstanceProfile", "RemoveRoleFromInstanceProfile", "DeleteInstanceProfile"],
    ),
    of(
        "ecs",
        ("CreateCluster", "cluster"),
        CLUSTER,
        &[
            "PutClusterCapacityProviders",
            "UpdateClusterSettings",
            "CreateService",
            "UpdateService",
            "DeleteService",
            "DeleteCluster",
        ],
    ),
    of("ecs", ("CreateService", "service"), SERVICE, &["UpdateService", "DeleteService"]),
    of("ecs", ("CreateAutoScalingGroup", "autoScalingGroupArn"), AUTO_SCALING_OF_ECS, &["CreateCapacityProvider"]),
    of("ecs", ("CreateCapacityProvider", "capacityProviders"), PROVIDER, &["PutClusterCapacityProviders"]),
    of(
        "ecs",
        ("CreateCapacityProvider", "capacityProvider"),
        PROVIDER,
        &["PutClusterCapacityProviders", "CreateService", "UpdateService"],
    ),
    of("ecs", ("RegisterTaskDefinition", "taskDefinition"), DEFINITION, &["CreateService", "UpdateService"]),
    of("ecs", ("CreateTargetGroup", "targetGroupArn"), TARGETS_OF_SERVICE, &["CreateService", "UpdateService"]),
    of("logs", ("CreateLogGroup", "logGroupName"), LOGS, &["PutRetentionPolicy", "DeleteLogGroup"]),
    of(
        "ecr",
        ("CreateRepository", "repositoryName"),
        REPOSITORY,
        &[
            "PutImageTagMutability",
            "PutImageScanningConfiguration",
            "PutLifecyclePolicy",
            "DeleteRepository",
            "PutImage",
            "BatchDeleteImage",
        ],
    ),
    of(
        "s3",
        ("CreateBucket", ""),
        BUCKET,
        &[
            "PutBucketTagging",
            "PutBucketVersioning",
            "PutBucketEncryption",
            "PutPublicAccessBlock",
            "PutBucketCors",
            "DeleteBucketCors",
            "DeleteBucket",
        ],
    ),
];
