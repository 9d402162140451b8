"""Asks of each call whether the caller may do it to all that it touches, and with the condition keys that AWS gives it.

The emulator knows one resource of a call, often none, and leaves out passed roles and most keys. What AWS asks for stands in the
service authorization reference; here are the calls that skydeck makes. What does not exist yet is `*` in its place, as in
`vpc/*`; a role that is not there has no path.
"""

import contextvars
import json
import threading

import amend_tags

_request = contextvars.ContextVar("request", default=None)

EC2_NAMED = {
    "GroupId": "security-group",
    "InternetGatewayId": "internet-gateway",
    "LaunchTemplateId": "launch-template",
    "RouteTableId": "route-table",
    "SubnetId": "subnet",
    "VpcId": "vpc",
}
EC2_IDS = {
    "i": "instance",
    "igw": "internet-gateway",
    "lt": "launch-template",
    "rtb": "route-table",
    "sg": "security-group",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
EC2_NEW = {
    "CreateInternetGateway": "internet-gateway",
    "CreateLaunchTemplate": "launch-template",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateSubnet": "subnet",
    "CreateVpc": "vpc",
}
# What is new of what an Auto Scaling group launches by its template.
LAUNCHED = ("instance", "network-interface", "volume")
ELB_NAMED = ("LoadBalancerArn", "TargetGroupArn", "ListenerArn", "RuleArn")
TAGGING = ("ListTagsForResource", "TagResource", "UntagResource")
ECS_CLUSTER = (
    "DeleteCluster",
    "ListContainerInstances",
    "PutClusterCapacityProviders",
    "UpdateClusterSettings",
)
ECS_ANY = (
    "DeregisterTaskDefinition",
    "DescribeTaskDefinition",
    "ListClusters",
    "ListServices",
    "ListTaskDefinitionFamilies",
    "ListTaskDefinitions",
    "ListTasks",
)
# Calls to a role that IAM asks its boundary of.
BOUNDED = (
    "AttachRolePolicy",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "UpdateAssumeRolePolicy",
)


class Call:
    """A call, with what it says of itself."""

    def __init__(self, action, request):
        self.service, self.action = action.split(":", 1)
        params, body, self.region, self.account, self.told, self.tagging = request
        first = lambda value: value[0] if isinstance(value, list) and value else value
        self.params = {name: first(value) for name, value in params.items()}
        try:
            said = json.loads(body or b"{}")
        except (ValueError, UnicodeDecodeError):
            said = {}
        self.body = said if isinstance(said, dict) else {}

    def arn(self, resource, service=None):
        return f"arn:aws:{service or self.service}:{self.region}:{self.account}:{resource}"

    def members(self, name, end=""):
        """The values of a list in a form, such as `ResourceId.1`, `ResourceId.2`."""
        found = []
        while f"{name}.{len(found) + 1}{end}" in self.params:
            found.append(self.params[f"{name}.{len(found) + 1}{end}"])
        return found


def last(name):
    """The name at the end of an ARN, or the name itself."""
    return str(name).rsplit("/", 1)[-1]


def ec2(call):
    if call.action.startswith("Describe") and call.action != "DescribeVpcAttribute":
        return ["*"]
    if call.action == "CreateTags":
        return [call.arn(f"{EC2_IDS.get(one.split('-')[0], '*')}/{one}") for one in call.members("ResourceId")]
    named = EC2_NAMED if "Route" not in call.action or "Associate" in call.action else {"RouteTableId": "route-table"}
    if call.action == "CreateRouteTable":
        named = {"VpcId": "vpc"}
    found = [call.arn(f"{kind}/{call.params[name]}") for name, kind in named.items() if name in call.params]
    new = EC2_NEW.get(call.action)
    if new == "launch-template":
        return [call.arn("launch-template/*")]
    return ([call.arn(f"{new}/*")] if new else []) + found


def elasticloadbalancing(call):
    if call.action.startswith("Describe"):
        return ["*"]
    name = call.params.get("Name")
    if call.action == "CreateLoadBalancer":
        return [call.arn(f"loadbalancer/app/{name}/*")]
    if call.action == "CreateTargetGroup":
        return [call.arn(f"targetgroup/{name}/*")]
    named = [call.params[one] for one in ELB_NAMED if one in call.params]
    return named + call.members("ResourceArns.member") + call.members("RulePriorities.member", ".RuleArn")


def autoscaling(call):
    if call.action.startswith("Describe"):
        return ["*"]
    named = [call.params["AutoScalingGroupName"]] if "AutoScalingGroupName" in call.params else []
    groups = named + call.members("Tags.member", ".ResourceId")
    return [call.arn(f"autoScalingGroup:*:autoScalingGroupName/{group}") for group in dict.fromkeys(groups)]


def ecs(call):
    said, action = call.body, call.action
    cluster = last(said.get("cluster", "default"))
    many = lambda kind, names: [call.arn(f"{kind}/{last(name)}") for name in names or ["*"]]
    inside = lambda kind, names: [call.arn(f"{kind}/{cluster}/{last(name)}") for name in names or ["*"]]
    if action in ECS_ANY:
        return ["*"]
    if action == "TagResource":
        return [said.get("resourceArn")]
    if action == "CreateCluster":
        return many("cluster", [said.get("clusterName", "default")])
    if action == "DescribeClusters":
        return many("cluster", said.get("clusters"))
    if action in ECS_CLUSTER:
        return many("cluster", [cluster])
    if action == "RegisterTaskDefinition":
        return [call.arn(f"task-definition/{said.get('family')}:*")]
    if action == "DeleteTaskDefinitions":
        return many("task-definition", said.get("taskDefinitions"))
    if "CapacityProvider" in action:
        one = "capacityProvider" if action == "DeleteCapacityProvider" else "name"
        named = said.get("capacityProviders") if action == "DescribeCapacityProviders" else [said.get(one)]
        return many("capacity-provider", named)
    if action == "DescribeServices":
        return inside("service", said.get("services"))
    if action.endswith("Service"):
        return inside("service", [said.get("serviceName" if action == "CreateService" else "service")])
    if action == "DescribeTasks":
        return inside("task", said.get("tasks"))
    if action == "DescribeContainerInstances":
        return inside("container-instance", said.get("containerInstances"))
    return None


def ecr(call):
    if call.action in TAGGING:
        return [call.body.get("resourceArn")]
    if call.action == "GetAuthorizationToken":
        return ["*"]
    many = call.action == "DescribeRepositories"
    names = (call.body.get("repositoryNames") or ["*"]) if many else [call.body.get("repositoryName")]
    return [call.arn(f"repository/{name}") for name in names]


def ssm(call):
    if call.action == "DescribeParameters":
        return ["*"]
    # One member names the resource, whatever others a call has.
    tags = call.action in ("AddTagsToResource", "ListTagsForResource", "RemoveTagsFromResource")
    many = call.action in ("DeleteParameters", "GetParameters")
    named = call.body.get("Names") or [None] if many else [call.body.get("ResourceId" if tags else "Name")]
    if None in named:
        return None
    # A public parameter is nobody's.
    owner = lambda name: "" if name.startswith("/aws/") else call.account
    return [f"arn:aws:ssm:{call.region}:{owner(name)}:parameter/{name.lstrip('/')}" for name in named]


def logs(call):
    if call.action == "DescribeLogGroups":
        return ["*"]
    if call.action in TAGGING:
        return [call.body.get("resourceArn")]
    group = f"log-group:{call.body.get('logGroupName')}"
    stream = call.body.get("logStreamName")
    return [call.arn(f"{group}:log-stream:{stream}" if stream else group)]


def named_lambda(call):
    # All other calls name the function in their address, which the emulator reads.
    return [call.arn(f"function:{call.body.get('FunctionName')}")] if call.action == "CreateFunction" else None


def keys_of_groups(call):
    said = call.params
    keys = {"autoscaling:LaunchConfigurationName": said.get("LaunchConfigurationName")}
    if any(name.startswith("LaunchTemplate.") for name in said):
        numbered = said.get("LaunchTemplate.Version", "$Default").isdecimal()
        keys["autoscaling:LaunchTemplateVersionSpecified"] = "true" if numbered else "false"
    return keys


def keys_of_ecs(call):
    said = call.body
    network = (said.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    containers = said.get("containerDefinitions") or []
    privileged = any(one.get("privileged") for one in containers if isinstance(one, dict))
    return {"ecs:subnet": network.get("subnets"), "ecs:privileged": "true" if privileged else None}


def keys_of_parameters(call):
    return {"ssm:Overwrite": "true" if call.body.get("Overwrite") else "false"} if call.action == "PutParameter" else {}


class Permissions:
    """What AWS asks of a call, by what the emulator has."""

    def __init__(self, iam, ec2_service):
        self.iam, self.templates, self.tables = iam, ec2_service._launch_templates, ec2_service._route_tables
        self.of = {f.__name__: f for f in (ec2, elasticloadbalancing, autoscaling, ecs, ecr, ssm, logs)}
        self.of["lambda"] = named_lambda

    def resources(self, call):
        if call.service == "iam":
            return self.identities(call)
        if call.action == "DisassociateRouteTable":
            return self.association(call)
        found = self.of.get(call.service, lambda _call: None)(call)
        if call.service == "ec2" and "LaunchTemplateName" in call.params and call.action != "CreateLaunchTemplate":
            template = self.template(call, "")
            found.append(call.arn(f"launch-template/{template['LaunchTemplateId'] if template else '*'}"))
        return found or None

    def association(self, call):
        """The route table and the subnet of an association."""
        number = call.params.get("AssociationId")
        of = [(table["RouteTableId"], one.get("SubnetId")) for table in self.tables.values() for one in table["Associations"]
              if one["RouteTableAssociationId"] == number]
        table, subnet = of[0] if of else ("*", "*")
        return [call.arn(f"route-table/{table}"), call.arn(f"subnet/{subnet}")]

    def identities(self, call):
        said = call.params
        if call.action == "ListRoles":
            return ["*"]
        if call.action == "CreateServiceLinkedRole":
            return [f"arn:aws:iam::{call.account}:role/aws-service-role/{said.get('AWSServiceName')}/*"]
        for kind, name in (("instance-profile", "InstanceProfileName"), ("role", "RoleName")):
            if name in said:
                return [self.identity(call, kind, said[name])]
        return None

    def identity(self, call, kind, name):
        there = self.iam._roles if kind == "role" else self.iam._instance_profiles
        found = there.get(name)
        if found:
            return found["Arn"]
        path = call.params.get("Path", "/") if call.action in ("CreateRole", "CreateInstanceProfile") else "/"
        return f"arn:aws:iam::{call.account}:{kind}{path}{name}"

    def keys(self, call):
        of = {"iam": self.keys_of_iam, "autoscaling": keys_of_groups, "ecs": keys_of_ecs, "ssm": keys_of_parameters}
        found = of.get(call.service, lambda _call: {})(call)
        return {key: value for key, value in found.items() if value}

    def keys_of_iam(self, call):
        said, keys = call.params, {}
        if call.action in ("CreateRole", "PutRolePermissionsBoundary"):
            keys["iam:PermissionsBoundary"] = said.get("PermissionsBoundary")
        elif call.action in BOUNDED:
            role = self.iam._roles.get(said.get("RoleName")) or {}
            keys["iam:PermissionsBoundary"] = role.get("PermissionsBoundary")
        if "PolicyArn" in said:
            keys["iam:PolicyARN"] = said["PolicyArn"]
        if call.action == "CreateServiceLinkedRole":
            keys["iam:AWSServiceName"] = said.get("AWSServiceName")
        return keys

    def beside(self, call):
        """What a caller has to be allowed as well: to hand roles to a service, and to launch what a group launches."""
        what, said = (call.service, call.action), call.body
        if what == ("ecs", "RegisterTaskDefinition"):
            roles = [said.get("executionRoleArn"), said.get("taskRoleArn")]
            return self.passed(roles, "ecs-tasks.amazonaws.com")
        if what in (("ecs", "CreateService"), ("ecs", "UpdateService")):
            return self.passed(call.told.get("roles", []), "ecs-tasks.amazonaws.com")
        if what in (("lambda", "CreateFunction"), ("lambda", "UpdateFunctionConfiguration")):
            return self.passed([said.get("Role")], "lambda.amazonaws.com")
        if what == ("iam", "AddRoleToInstanceProfile"):
            return self.passed([self.identity(call, "role", call.params.get("RoleName"))], "ec2.amazonaws.com")
        if what in (("autoscaling", "CreateAutoScalingGroup"), ("autoscaling", "UpdateAutoScalingGroup")):
            template = self.template(call, "LaunchTemplate.")
            return self.launched(call, template) if template else []
        if what == ("ecs", "CreateCapacityProvider"):
            # ECS tags the group in the caller's name.
            group = said.get("autoScalingGroupProvider", {}).get("autoScalingGroupArn", "*")
            return [("autoscaling:CreateOrUpdateTags", group, {"aws:RequestTag/AmazonECSManaged": ""})]
        return []

    def launched(self, call, template):
        """What a group launches is launched with the rights of whoever makes or changes the group."""
        data = self.data(call, template)
        tags = {spec["ResourceType"]: spec["Tags"] for spec in data.get("TagSpecifications", [])}
        given = {kind: amend_tags.keys(amend_tags.GIVEN, amend_tags.pairs(of)) for kind, of in tags.items()}
        run = lambda what, keys: ("ec2:RunInstances", call.arn(what, "ec2"), keys)
        asked = [run(f"{kind}/*", given.get(kind, {})) for kind in LAUNCHED]
        groups = data.get("SecurityGroupIds", []) + [g for one in data.get("NetworkInterfaces", []) for g in one.get("Groups", [])]
        subnets = [one for one in call.params.get("VPCZoneIdentifier", "").split(",") if one]
        asked += [run(f"launch-template/{template['LaunchTemplateId']}", {})]
        asked += [run(f"security-group/{group}", {}) for group in groups] + [run(f"subnet/{one}", {}) for one in subnets]
        made = {"ec2:CreateAction": "RunInstances"}
        asked += [("ec2:CreateTags", call.arn(f"{kind}/*", "ec2"), {**keys, **made}) for kind, keys in given.items()]
        return asked + self.passed(self.launched_with(template), "ec2.amazonaws.com")

    def data(self, call, template):
        """What the version of a template says that a group names."""
        said = call.params.get("LaunchTemplate.Version", "$Default")
        version = {"$Latest": template["LatestVersionNumber"], "$Default": template["DefaultVersionNumber"]}.get(said, said)
        found = [one for one in template["Versions"] if str(one["VersionNumber"]) == str(version)]
        return found[0]["LaunchTemplateData"] if found else {}

    def passed(self, roles, service):
        return [("iam:PassRole", role, {"iam:PassedToService": service}) for role in roles if role]

    def template(self, call, prefix):
        name, number = (call.params.get(f"{prefix}LaunchTemplate{end}") for end in ("Name", "Id"))
        same = lambda one: one["LaunchTemplateId"] == number or (name and one["LaunchTemplateName"] == name)
        return next(filter(same, self.templates.values()), None)

    def launched_with(self, template):
        """The roles in the instance profiles that a template names."""
        text = json.dumps(template, default=str)
        profiles = [one for one in self.iam._instance_profiles.values() if f'"{one["Arn"]}"' in text]
        names = [role if isinstance(role, str) else role["RoleName"] for one in profiles for role in one.get("Roles", [])]
        return [self.iam._roles[name]["Arn"] for name in names if name in self.iam._roles]


def writing_down(evaluator, path):
    """Asks as the emulator does, and writes down which role was asked for which action, and whether it may: each once."""
    enforce, known, lock = evaluator.enforce, set(), threading.Lock()

    def asked(access_key_id, iam_action, *more):
        refused = enforce(access_key_id, iam_action, *more)
        arn = getattr(evaluator.resolve_credential(access_key_id or ""), "principal_arn", "")
        role = arn.split(":assumed-role/")[-1].split("/")[0] if ":assumed-role/" in arn else ""
        # What is refused for its signature, and what AWS denies nobody, was not asked of a policy.
        if role and iam_action not in evaluator._ALWAYS_ALLOWED_ACTIONS and (refused is None or isinstance(refused, evaluator.EvalResult)):
            line = f"{role}\t{iam_action}\t{'denied' if refused else 'allowed'}\n"
            with lock:
                if line not in known:
                    known.add(line)
                    with open(path, "a", encoding="utf-8") as file:
                        file.write(line)
        return refused

    return asked


def amend(actions, evaluator, iam, ec2_service, tags, path):
    permissions = Permissions(iam, ec2_service)
    extract, enforce = actions.extract_resource_arn, writing_down(evaluator, path)

    def extracted(service, method, path, headers, body, query_params, region, account_id):
        told, tagging = amend_tags.told(headers), headers.get("x-amz-tagging")
        _request.set((query_params or {}, body, region, account_id, told, tagging))
        return extract(service, method, path, headers, body, query_params, region, account_id)

    def enforced(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        request = _request.get()
        _request.set(None)
        if request is None:
            return enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        call = Call(iam_action, request)
        asked = lambda action, arn, keys: enforce(access_key_id, action, service, region, arn, {**tags.had(call, arn), **keys})
        keys = {**(service_context or {}), **permissions.keys(call), **tags.given(call)}
        arns = permissions.resources(call) or [resource_arn]
        rights = [(iam_action, arn, keys) for arn in arns] + permissions.beside(call) + tags.beside(call, arns, keys)
        return next(filter(None, (asked(*right) for right in rights)), None)

    actions.extract_resource_arn, evaluator.enforce = extracted, enforced
