"""Tells of each call which tags it gives and which its resources have, as conditions of policies ask for them, and asks for the
right to tag where something is made with tags.

The emulator knows the tags that are given, but of EC2 and load balancers, and those that are had of a few services. What ECS and Auto Scaling have,
the gateway tells with the call; an object's stand in a header.
"""

import json
from urllib.parse import parse_qsl

GIVEN, HAD = "aws:RequestTag/", "aws:ResourceTag/"
# By which right something is made with tags, and the key that says what is being made.
BESIDE = {
    "autoscaling": ("CreateOrUpdateTags", None),
    "ec2": ("CreateTags", "ec2:CreateAction"),
    "ecr": ("TagResource", None),
    "ecs": ("TagResource", "ecs:CreateAction"),
    "elasticloadbalancing": ("AddTags", "elasticloadbalancing:CreateAction"),
    "lambda": ("TagResource", None),
    "logs": ("TagResource", None),
    "ssm": ("AddTagsToResource", None),
}
# Actions that make something, beside all that begin with `Create`; and those of these that make nothing but tags.
MAKES = ("PutParameter", "RegisterTaskDefinition", "RunInstances")
TAGS = ("CreateOrUpdateTags", "CreateTags")
# What is made inside of the load balancer or the listener that the call names.
INSIDE = {"CreateListener": ("loadbalancer/", "listener/"), "CreateRule": ("listener/", "listener-rule/")}


def pairs(tags):
    """Tags by name, whichever way a service writes them."""
    if isinstance(tags, dict):
        return dict(tags)
    either = lambda tag, name: tag.get(name, tag.get(name.lower(), ""))
    return {either(tag, "Key"): either(tag, "Value") for tag in tags or []}


def keys(prefix, tags):
    return {f"{prefix}{name}": value for name, value in tags.items()}


class Tags:
    def __init__(self, ec2, alb, ecr, logs):
        self.ec2, self.alb, self.ecr, self.logs = ec2, alb, ecr, logs

    def given(self, call):
        """The tags that a call to EC2 or Elastic Load Balancing gives; of the others the emulator knows them."""
        if call.service not in ("ec2", "elasticloadbalancing"):
            return {}
        made = "Tag" if call.action == "CreateTags" else "TagSpecification.1.Tag"
        return keys(GIVEN, self.form(call, made if call.service == "ec2" else "Tags.member"))

    def form(self, call, name):
        return dict(zip(call.members(name, ".Key"), call.members(name, ".Value")))

    def had(self, call, arn):
        """The tags of a resource, where there is one."""
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        find = getattr(self, f"of_{service}", None)
        return keys(HAD, pairs(find(call, arn))) if find else {}

    def of_ec2(self, _call, arn):
        kind, _, number = arn.rsplit(":", 1)[-1].partition("/")
        # The emulator keeps the tags of what has gone.
        there = getattr(self.ec2, "_" + kind.replace("-", "_") + "s", None)
        return self.ec2._tags.get(number) if there is None or number in there else None

    def of_elasticloadbalancing(self, _call, arn):
        return self.alb._tags.get(arn)

    def of_ecr(self, _call, arn):
        return (self.ecr._repositories.get(arn.split(":repository/", 1)[-1]) or {}).get("tags")

    def of_logs(self, call, arn):
        record = self.logs.resolve_tag_resource(arn.removesuffix(":*"), account_id=call.account, region=call.region)
        return (record or {}).get("tags")

    def of_ecs(self, call, arn):
        return call.told.get(arn)

    def of_autoscaling(self, call, arn):
        return call.told.get(arn.rsplit("/", 1)[-1])

    def beside(self, call, arns, given):
        """The right to tag what is made: action, resource and keys."""
        if call.action == "PutObject" and call.tagging:
            return [("s3:PutObjectTagging", arns[0], {"s3:RequestObjectTagKeys": [key for key, _ in parse_qsl(call.tagging)]})]
        given = {key: value for key, value in given.items() if key.lower().startswith(GIVEN.lower())}
        makes = call.action in MAKES or (call.action.startswith("Create") and call.action not in TAGS)
        if not given or not makes or call.service not in BESIDE:
            return []
        action, key = BESIDE[call.service]
        arn = arns[0]
        if call.action in INSIDE:
            outer, inner = INSIDE[call.action]
            arn = arn.replace(outer, inner, 1) + "/*"
        made = {key: call.action} if key else {}
        return [(f"{call.service}:{action}", arn, {**given, **made})]


def told(headers):
    """What the gateway tells: the tags of ECS and Auto Scaling, by ARN or name, and under `roles` those of a task definition."""
    try:
        return json.loads(headers.get("x-sandbox-told") or "{}")
    except ValueError:
        return {}
