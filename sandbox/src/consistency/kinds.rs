//! What can be seen late: which call creates it, which calls look for it, and which cannot use it yet.

use std::collections::BTreeMap;

use crate::gateway::naming::Name;

/// Where its id stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Id {
    /// In an element of the answer.
    Answered(&'static str),
    /// In a parameter of the request.
    Asked(&'static str),
}

/// A kind of thing.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) service: &'static str,
    pub(super) create: &'static str,
    pub(super) id: Id,
    pub(super) readings: &'static [Reading],
}

/// A call that looks for it.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) action: &'static str,
    /// The list in the answer, and what identifies a member of it.
    pub(super) list: &'static str,
    pub(super) key: &'static str,
    /// The parameter by which it is asked for: alone, or numbered.
    param: &'static str,
    /// What AWS says to who asks for it by that, `{}` being the id; without, the answer just lacks it.
    pub(super) error: Option<(&'static str, &'static str)>,
}

impl Reading {
    pub(super) fn is(&self, kind: &Kind, name: &Name) -> bool {
        kind.service == name.service && self.action == name.action
    }

    pub(super) fn is_named(&self, form: &BTreeMap<String, String>, id: &str) -> bool {
        let named = |key: &str| key == self.param || key.strip_prefix(self.param).is_some_and(|n| n.starts_with('.'));
        !self.param.is_empty() && form.iter().any(|(key, value)| value == id && named(key))
    }
}

const fn reading(
    action: &'static str,
    (list, key): (&'static str, &'static str),
    param: &'static str,
    error: Option<(&'static str, &'static str)>,
) -> Reading {
    Reading { action, list, key, param, error }
}

const fn kind(service: &'static str, create: &'static str, id: Id, readings: &'static [Reading]) -> Kind {
    Kind { service, create, id, readings }
}

pub(super) const KINDS: &[Kind] = &[
    kind(
        "ec2",
        "CreateVpc",
        Id::Answered("vpcId"),
        &[reading(
            "DescribeVpcs",
            ("vpcSet", "vpcId"),
            "VpcId",
            Some(("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist")),
        )],
    ),
    kind(
        "ec2",
        "CreateSubnet",
        Id::Answered("subnetId"),
        &[reading(
            "DescribeSubnets",
            ("subnetSet", "subnetId"),
            "SubnetId",
            Some(("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist")),
        )],
    ),
    kind(
        "ec2",
        "CreateInternetGateway",
        Id::Answered("internetGatewayId"),
        &[reading(
            "DescribeInternetGateways",
            ("internetGatewaySet", "internetGatewayId"),
            "InternetGatewayId",
            Some(("InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist")),
        )],
    ),
    kind(
        "ec2",
        "CreateRouteTable",
        Id::Answered("routeTableId"),
        &[reading(
            "DescribeRouteTables",
            ("routeTableSet", "routeTableId"),
            "RouteTableId",
            Some(("InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist")),
        )],
    ),
    kind(
        "ec2",
        "CreateSecurityGroup",
        Id::Answered("groupId"),
        &[reading(
            "DescribeSecurityGroups",
            ("securityGroupInfo", "groupId"),
            "GroupId",
            Some(("InvalidGroup.NotFound", "The security group '{}' does not exist")),
        )],
    ),
    kind(
        "ec2",
        "CreateLaunchTemplate",
        Id::Asked("LaunchTemplateName"),
        &[reading(
            "DescribeLaunchTemplates",
            ("launchTemplates", "launchTemplateName"),
            "LaunchTemplateName",
            Some((
                "InvalidLaunchTemplateName.NotFoundException",
                "At least one of the launch templates specified in the request does not exist.",
            )),
        )],
    ),
    kind("iam", "CreateRole", Id::Asked("RoleName"), ROLE),
    kind(
        "iam",
        "CreateInstanceProfile",
        Id::Asked("InstanceProfileName"),
        &[reading(
            "GetInstanceProfile",
            ("", ""),
            "InstanceProfileName",
            Some(("NoSuchEntity", "Instance Profile {} cannot be found.")),
        )],
    ),
    kind("iam", "CreateServiceLinkedRole", Id::Asked("AWSServiceName"), &[]),
    kind(
        "autoscaling",
        "CreateAutoScalingGroup",
        Id::Asked("AutoScalingGroupName"),
        &[reading("DescribeAutoScalingGroups", ("AutoScalingGroups", "AutoScalingGroupName"), "", None)],
    ),
    kind(
        "ecs",
        "CreateCluster",
        Id::Asked("clusterName"),
        &[reading("DescribeClusters", ("clusters", "clusterName"), "", None)],
    ),
    kind(
        "ecs",
        "CreateCapacityProvider",
        Id::Asked("name"),
        &[reading("DescribeCapacityProviders", ("capacityProviders", "name"), "", None)],
    ),
    kind(
        "ecs",
        "CreateService",
        Id::Asked("serviceName"),
        &[reading("DescribeServices", ("services", "serviceName"), "", None)],
    ),
    // What reads see at once, and writes do not.
    kind("ec2", "CreateLaunchTemplate", Id::Answered("launchTemplateId"), &[]),
    kind("elasticloadbalancing", "CreateLoadBalancer", Id::Answered("LoadBalancerArn"), &[]),
    kind("elasticloadbalancing", "CreateTargetGroup", Id::Answered("TargetGroupArn"), &[]),
    kind("elasticloadbalancing", "CreateListener", Id::Answered("ListenerArn"), &[]),
    kind("elasticloadbalancing", "CreateRule", Id::Answered("RuleArn"), &[]),
    kind("ecs", "RegisterTaskDefinition", Id::Answered("taskDefinitionArn"), &[]),
    kind("lambda", "CreateFunction", Id::Asked("FunctionName"), &[]),
    kind("logs", "CreateLogGroup", Id::Asked("logGroupName"), &[]),
    kind("ecr", "CreateRepository", Id::Asked("repositoryName"), &[]),
];

const ROLE: &[Reading] = &[
    reading("GetRole", ("", ""), "RoleName", Some(("NoSuchEntity", "The role with name {} cannot be found."))),
    reading("ListRoles", ("Roles", "RoleName"), "", None),
    reading("GetAccountAuthorizationDetails", ("RoleDetailList", "RoleName"), "", None),
];

/// A call that cannot use it yet.
#[derive(Debug)]
pub(super) struct Use {
    /// The call that created it.
    create: &'static str,
    /// Only this one.
    only: Option<&'static str>,
    /// Whether the call names it; where not, every call of the kind is refused.
    named: bool,
    service: &'static str,
    action: &'static str,
    pub(super) code: &'static str,
    pub(super) text: &'static str,
}

impl Use {
    pub(super) fn is(&self, kind: &Kind, name: &Name) -> bool {
        self.create == kind.create && self.service == name.service && self.action == name.action
    }

    pub(super) fn concerns(&self, id: &str, text: &str) -> bool {
        self.only.is_none_or(|only| only == id) && (!self.named || text.contains(&format!("/{id}\"")))
    }
}

const fn role_in(service: &'static str, action: &'static str, code: &'static str, text: &'static str) -> Use {
    Use { create: "CreateRole", only: None, named: true, service, action, code, text }
}

const fn linked_role_in(action: &'static str) -> Use {
    let text = "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
    let (create, only) = ("CreateServiceLinkedRole", Some("ecs.amazonaws.com"));
    Use { create, only, named: false, service: "ecs", action, code: "InvalidParameterException", text }
}

const fn profile_in(action: &'static str) -> Use {
    let text = "You must use a valid fully-formed launch template. Value ({}) for parameter iamInstanceProfile.name is \
                invalid. Invalid IAM Instance Profile name";
    let create = "CreateInstanceProfile";
    Use { create, only: None, named: false, service: "autoscaling", action, code: "ValidationError", text }
}

const LAMBDA: &str = "The role defined for the function cannot be assumed by Lambda.";
const STATES: &str = "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to \
                      assume the provided role.";

pub(super) const USES: &[Use] = &[
    role_in("lambda", "CreateFunction", "InvalidParameterValueException", LAMBDA),
    role_in("lambda", "UpdateFunctionConfiguration", "InvalidParameterValueException", LAMBDA),
    role_in("states", "CreateStateMachine", "AccessDeniedException", STATES),
    role_in("states", "UpdateStateMachine", "AccessDeniedException", STATES),
    role_in("ecs", "RegisterTaskDefinition", "ClientException", "Role is not valid"),
    role_in(
        "scheduler",
        "CreateSchedule",
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    ),
    linked_role_in("CreateCluster"),
    linked_role_in("CreateService"),
    Use {
        create: "CreateServiceLinkedRole",
        only: Some("autoscaling.amazonaws.com"),
        named: false,
        service: "autoscaling",
        action: "CreateAutoScalingGroup",
        code: "ServiceLinkedRoleFailure",
        text: "Service-Linked Role AWSServiceRoleForAutoScaling does not exist or is not ready to use yet.",
    },
    profile_in("CreateAutoScalingGroup"),
    profile_in("UpdateAutoScalingGroup"),
];
