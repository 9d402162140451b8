"""Refuses, in load balancing, what the emulator accepts and AWS refuses: with AWS's codes and words."""

import re

from refuse_ec2 import guard


def refuse(alb, ec2, acm):
    create_once(alb)
    weigh_groups(alb)

    def guarded(name, check):
        guard(alb._ACTION_MAP, name, alb._error, check)

    guarded("CreateLoadBalancer", lambda params: bad_subnets(alb, ec2, params) or bad_groups(alb, ec2, params))
    guarded("SetSubnets", lambda params: bad_subnets(alb, ec2, params))
    guarded("SetSecurityGroups", lambda params: bad_groups(alb, ec2, params))
    guarded("DeleteLoadBalancer", lambda params: protected(alb, alb._p(params, "LoadBalancerArn")))
    guarded("CreateListener", lambda params: bad_forward(alb, params) or unknown_certificate(alb, acm, params))
    guarded("ModifyListener", lambda params: bad_forward(alb, params) or unknown_certificate(alb, acm, params))
    guarded("CreateRule", lambda params: taken_priority(alb, params) or bad_forward(alb, params))
    guarded("ModifyRule", lambda params: bad_forward(alb, params))
    guarded("SetRulePriorities", lambda params: taken_priorities(alb, params))
    guarded("DeleteRule", lambda params: unknown_rule(alb, alb._p(params, "RuleArn")))
    guarded("DeleteTargetGroup", lambda params: used(alb, alb._p(params, "TargetGroupArn")))
    name_zones(alb, ec2)
    forget_listeners(alb)
    tell_users(alb)


def weigh_groups(alb):
    """Keeps the target groups of a forward with their weights, which the emulator forgets."""
    parse, tell = alb._parse_actions, alb._action_xml

    def tuples(params, prefix):
        number = 1
        while group := alb._p(params, f"{prefix}.member.{number}.TargetGroupArn"):
            yield group, int(alb._p(params, f"{prefix}.member.{number}.Weight", "1"))
            number += 1

    def parsed(params, prefix="DefaultActions"):
        actions = parse(params, prefix)
        for number, action in enumerate(actions, 1):
            groups = list(tuples(params, f"{prefix}.member.{number}.ForwardConfig.TargetGroups"))
            if len(groups) == 1:
                action["TargetGroupArn"] = groups[0][0]
            elif groups:
                action["ForwardConfig"] = groups
        return actions

    def told(action):
        if "ForwardConfig" not in action:
            return tell(action)
        member = "<member><TargetGroupArn>{}</TargetGroupArn><Weight>{}</Weight></member>"
        groups = "".join(member.format(*group) for group in action["ForwardConfig"])
        config = f"<ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig>"
        return tell(action).removesuffix("</member>") + f"{config}</member>"

    alb._parse_actions, alb._action_xml = parsed, told


def to(action):
    """The target groups that an action forwards to."""
    return [group for group, _ in action.get("ForwardConfig", [])] or [action.get("TargetGroupArn")]


def create_once(alb):
    """Tells what is created again with the same settings as the first, and refuses it with others."""

    def amend(action, plural, find, tell, same, code, message):
        create = alb._ACTION_MAP[action]

        def amended(params):
            found = find(params)
            if found is None:
                return create(params)
            if not same(found, params):
                return alb._error(code, message(params))
            return alb._xml(200, action, f"<{plural}>{tell(found)}</{plural}>")

        alb._ACTION_MAP[action] = amended

    def named(kept, key):
        return lambda params: next((one for one in kept.values() if one[key] == alb._p(params, "Name")), None)

    def at_port(params):
        wanted = alb._p(params, "LoadBalancerArn"), alb._p(params, "Port")
        kept = alb._listeners.values()
        return next((one for one in kept if (one["LoadBalancerArn"], str(one["Port"])) == wanted), None)

    def other(kind):
        return lambda params: (
            f"A {kind} with the same name '{alb._p(params, 'Name')}' exists, but with different settings"
        )

    def taken_port(params):
        balancer = alb._p(params, "LoadBalancerArn")
        return f"A listener already exists on this port for this load balancer '{balancer}'"

    balancer = named(alb._lbs, "LoadBalancerName"), lambda one: alb._lb_xml(one), lambda *a: same_balancer(alb, *a)
    amend("CreateLoadBalancer", "LoadBalancers", *balancer, "DuplicateLoadBalancerName", other("load balancer"))
    group = named(alb._tgs, "TargetGroupName"), lambda one: alb._tg_xml(one), lambda *a: same_group(alb, *a)
    amend("CreateTargetGroup", "TargetGroups", *group, "DuplicateTargetGroupName", other("target group"))
    listener = at_port, lambda one: alb._listener_xml(one), lambda *a: same_listener(alb, *a)
    amend("CreateListener", "Listeners", *listener, "DuplicateListener", taken_port)


def same_balancer(alb, found, params):
    usual = {"Scheme": "internet-facing", "Type": "application", "IpAddressType": "ipv4"}
    lists = all(
        sorted(found[key]) == sorted(alb._parse_member_list(params, key)) for key in ("Subnets", "SecurityGroups")
    )
    return lists and all(found[key] == alb._p(params, key, value) for key, value in usual.items())


def same_group(alb, found, params):
    usual = {
        "Protocol": "HTTP",
        "Port": "80",
        "VpcId": "",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": "True",
        "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": "30",
        "HealthCheckTimeoutSeconds": "5",
        "HealthyThresholdCount": "5",
        "UnhealthyThresholdCount": "2",
        "TargetType": "instance",
    }
    plain = all(str(found[key]).lower() == alb._p(params, key, value).lower() for key, value in usual.items())
    return plain and found["Matcher"]["HttpCode"] == alb._p(params, "Matcher.HttpCode", "200")


def same_listener(alb, found, params):
    policy = alb._p(params, "SslPolicy")
    return (
        found["Protocol"] == alb._p(params, "Protocol", "HTTP")
        and found["DefaultActions"] == alb._parse_actions(params, "DefaultActions")
        and found.get("Certificates", []) == alb._parse_certificate_arns(params)
        and policy in ("", found.get("SslPolicy"))
    )


def name_zones(alb, ec2):
    """Tells each subnet's own zone; the emulator says of all that they lie in the first."""

    def named(text):
        def zone(found):
            name = ec2._subnets.get(found[1], {}).get("AvailabilityZone", "")
            return f"<ZoneName>{name}</ZoneName><SubnetId>{found[1]}</SubnetId>"

        return re.sub("<ZoneName>[^<]*</ZoneName><SubnetId>([^<]*)</SubnetId>", zone, text)

    tell, set_subnets = alb._lb_xml, alb._ACTION_MAP["SetSubnets"]

    def amended(params):
        status, headers, body = set_subnets(params)
        return status, headers, named(body.decode()).encode()

    alb._lb_xml = lambda balancer: named(tell(balancer))
    alb._ACTION_MAP["SetSubnets"] = amended


def bad_subnets(alb, ec2, params):
    names = alb._parse_member_list(params, "Subnets")
    subnets = [ec2._subnets.get(name) for name in names]
    for name, subnet in zip(names, subnets):
        if subnet is None:
            return "SubnetNotFound", f"The subnet ID '{name}' does not exist"
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    balancer = alb._lbs.get(alb._p(params, "LoadBalancerArn")) or {}
    kind = balancer.get("Type") or alb._p(params, "Type", "application")
    if kind == "application" and len(names) < 2:
        return "ValidationError", "At least two subnets in two different Availability Zones must be specified"
    if len(zones) < len(names):
        message = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        return "InvalidConfigurationRequest", message
    scheme = balancer.get("Scheme") or alb._p(params, "Scheme", "internet-facing")
    for vpc in {subnet["VpcId"] for subnet in subnets}:
        gateways = [a for gateway in ec2._internet_gateways.values() for a in gateway.get("Attachments", [])]
        if scheme == "internet-facing" and not any(attachment.get("VpcId") == vpc for attachment in gateways):
            return "InvalidSubnet", f"VPC {vpc} has no internet gateway"
    return None


def bad_groups(alb, ec2, params):
    if any(group not in ec2._security_groups for group in alb._parse_member_list(params, "SecurityGroups")):
        return "InvalidSecurityGroup", "One or more security groups are invalid"
    return None


def protected(alb, arn):
    wanted = {"Key": "deletion_protection.enabled", "Value": "true"}
    if wanted in alb._lb_attrs.get(arn, []):
        message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        return "OperationNotPermitted", message
    return None


def users(alb, group):
    """The load balancers of which a listener or rule forwards to a target group."""
    actions = [(l["ListenerArn"], a) for l in alb._listeners.values() for a in l["DefaultActions"]]
    actions += [(r["ListenerArn"], a) for r in alb._rules.values() for a in r["Actions"]]
    listeners = [alb._listeners.get(listener) for listener, action in actions if group in to(action)]
    return sorted({listener["LoadBalancerArn"] for listener in listeners if listener})


def used(alb, group):
    if users(alb, group):
        return "ResourceInUse", f"Target group '{group}' is currently in use by a listener or a rule"
    return None


def forwards(alb, params):
    actions = alb._parse_actions(params, "DefaultActions") + alb._parse_actions(params, "Actions")
    return [group for action in actions for group in to(action) if group]


def bad_forward(alb, params):
    listener = alb._p(params, "ListenerArn")
    listener = listener or alb._rules.get(alb._p(params, "RuleArn"), {}).get("ListenerArn", "")
    given = alb._p(params, "LoadBalancerArn")
    balancer = given or alb._listeners.get(listener, {}).get("LoadBalancerArn")
    for group in forwards(alb, params):
        if group not in alb._tgs:
            return "TargetGroupNotFound", "One or more target groups not found"
        if balancer and any(user != balancer for user in users(alb, group)):
            message = f"The following target groups cannot be associated with more than one load balancer: {group}"
            return "TargetGroupAssociationLimit", message
    return None


def taken(alb, listener, priority, but=()):
    rules = [rule for rule in alb._rules.values() if rule["ListenerArn"] == listener and rule["RuleArn"] not in but]
    return any(str(rule["Priority"]) == priority for rule in rules)


def taken_priority(alb, params):
    priority = alb._p(params, "Priority")
    if taken(alb, alb._p(params, "ListenerArn"), priority):
        return "PriorityInUse", f"Priority '{priority}' is currently in use"
    return None


def taken_priorities(alb, params):
    wanted, number = {}, 1
    while arn := alb._p(params, f"RulePriorities.member.{number}.RuleArn"):
        wanted[arn] = alb._p(params, f"RulePriorities.member.{number}.Priority")
        number += 1
    for arn, priority in wanted.items():
        if arn not in alb._rules:
            return "RuleNotFound", "One or more rules not found"
        twice = list(wanted.values()).count(priority) > 1
        if twice or taken(alb, alb._rules[arn]["ListenerArn"], priority, but=wanted):
            return "PriorityInUse", f"Priority '{priority}' is currently in use"
    return None


def unknown_certificate(alb, acm, params):
    for arn in alb._parse_certificate_arns(params):
        if acm._get_local_certificate(arn) is None:
            return "CertificateNotFound", f"Certificate '{arn}' not found"
    return None


def unknown_rule(alb, arn):
    if arn not in alb._rules:
        return "RuleNotFound", "One or more rules not found"
    return None


def forget_listeners(alb):
    """A deleted load balancer's listeners and rules go with it."""
    delete = alb._ACTION_MAP["DeleteLoadBalancer"]

    def amended(params):
        answer = delete(params)
        gone = alb._p(params, "LoadBalancerArn")
        if gone not in alb._lbs:
            for arn in [arn for arn, listener in alb._listeners.items() if listener["LoadBalancerArn"] == gone]:
                alb._delete_listener({"ListenerArn": arn})
        return answer

    alb._ACTION_MAP["DeleteLoadBalancer"] = amended


def tell_users(alb):
    """Tells of target groups which load balancers use them now; the emulator tells who ever did by a listener."""
    describe = alb._ACTION_MAP["DescribeTargetGroups"]

    def amended(params):
        for arn, group in list(alb._tgs.items()):
            group["LoadBalancerArns"] = users(alb, arn)
        return describe(params)

    alb._ACTION_MAP["DescribeTargetGroups"] = amended
