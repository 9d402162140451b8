"""Refuses, in EC2 and IAM, what the emulator accepts and AWS refuses: with AWS's codes and words."""

import hashlib
import ipaddress
import json
import os
import time

# Seconds of AWS. Lambda says "up to 20 minutes"; a load balancer's interfaces go within some minutes.
FUNCTION_LINGERS = 20 * 60
BALANCER_LINGERS = 3 * 60


def guard(actions, name, error, check):
    """Asks `check` before an action; it gives the code and the words of a refusal, or nothing."""
    act = actions[name]

    def guarded(params):
        refusal = check(params)
        return error(*refusal) if refusal else act(params)

    actions[name] = guarded


class Interfaces:
    """Who has network interfaces: each as its subnet, its security groups, whether its address is public, and its owner."""

    def __init__(self, ec2, alb, functions, iam):
        self.ec2, self.alb, self.functions, self.iam = ec2, alb, functions, iam
        # What was deleted and is still there: the interfaces, when they go, and the role by which they do.
        self.lingering = []
        self.follow()

    def follow(self):
        """Notes what deleted functions and load balancers leave, and takes their role's deletion for what it is on AWS."""
        delete_function = self.functions._delete_function
        delete_balancer = self.alb._ACTION_MAP["DeleteLoadBalancer"]
        delete_role = self.iam._IAM_HANDLERS["DeleteRole"]

        def function_gone(name, *rest):
            config = dict((self.functions._functions.get(name) or {}).get("config") or {})
            left = list(self.of_function(config))
            answer = delete_function(name, *rest)
            if name not in self.functions._functions:
                self.linger(left, FUNCTION_LINGERS, config.get("Role", "").rpartition("/")[2])
            return answer

        def balancer_gone(params):
            arn = self.alb._p(params, "LoadBalancerArn")
            left = list(self.of_balancer(self.alb._lbs[arn])) if arn in self.alb._lbs else []
            answer = delete_balancer(params)
            if arn not in self.alb._lbs:
                self.linger(left, BALANCER_LINGERS, None)
            return answer

        def role_gone(params):
            # Lambda takes the interfaces away with the function's own role: what is still there then stays for good.
            name = self.iam._p(params, "RoleName")
            self.forget()
            answer = delete_role(params)
            if name not in self.iam._roles:
                never = float("inf")
                self.lingering = [(left, never if by == name else until, by) for left, until, by in self.lingering]
            return answer

        self.functions._delete_function = function_gone
        self.alb._ACTION_MAP["DeleteLoadBalancer"] = balancer_gone
        self.iam._IAM_HANDLERS["DeleteRole"] = role_gone

    def linger(self, left, seconds, role):
        scale = float(os.environ.get("SFN_WAIT_SCALE", "1"))
        never = role is not None and role not in self.iam._roles
        self.lingering.append((left, float("inf") if never else time.time() + seconds * scale, role))

    def forget(self):
        now = time.time()
        self.lingering = [one for one in self.lingering if one[1] > now]

    def of_function(self, config):
        vpc = config.get("VpcConfig") or {}
        for subnet in vpc.get("SubnetIds") or []:
            yield subnet, vpc.get("SecurityGroupIds") or [], False, config["FunctionArn"]

    def of_balancer(self, balancer):
        for subnet in balancer["Subnets"]:
            yield subnet, balancer["SecurityGroups"], balancer["Scheme"] == "internet-facing", balancer["LoadBalancerArn"]

    def all(self):
        for instance in self.ec2._instances.values():
            if instance["State"]["Name"] != "terminated":
                subnet = instance["SubnetId"]
                public = self.ec2._subnets.get(subnet, {}).get("MapPublicIpOnLaunch", False)
                yield subnet, [group["GroupId"] for group in instance["SecurityGroups"]], public, instance["InstanceId"]
        for balancer in self.alb._lbs.values():
            yield from self.of_balancer(balancer)
        for function in self.functions._functions.values():
            yield from self.of_function(function.get("config") or {})
        self.forget()
        for left, _, _ in self.lingering:
            yield from left
        for interface in self.ec2._network_interfaces.values():
            yield interface["SubnetId"], [group["GroupId"] for group in interface["Groups"]], False, None

    def in_subnet(self, subnet):
        return any(subnet == at for at, _, _, _ in self.all())

    def with_group(self, group):
        return any(group in groups for _, groups, _, _ in self.all())

    def public_in(self, vpc):
        subnets = {subnet["SubnetId"] for subnet in self.ec2._subnets.values() if subnet["VpcId"] == vpc}
        return any(public and at in subnets for at, _, public, _ in self.all())


def show_interfaces(ec2, interfaces):
    """Shows the network interfaces of instances, load balancers and functions too, and looks at the filter for a VPC."""
    show = ec2._ACTION_MAP["DescribeNetworkInterfaces"]

    def describe(owner):
        if ":loadbalancer/" in owner:
            return f"ELB {owner.split(':loadbalancer/')[1]}"
        return f"AWS Lambda VPC ENI-{owner.split(':function:')[1]}" if ":function:" in owner else ""

    def fields(number, subnet, groups, owner):
        mark = hashlib.sha256(f"{owner}/{subnet}".encode()).hexdigest()[:17]
        found = ec2._subnets.get(subnet, {})
        eni = {
            "NetworkInterfaceId": f"eni-{mark}",
            "SubnetId": subnet,
            "VpcId": found.get("VpcId", ""),
            "AvailabilityZone": found.get("AvailabilityZone", ""),
            "Description": describe(owner),
            "OwnerId": ec2.get_account_id(),
            "Status": "in-use",
            "PrivateIpAddress": f"10.0.255.{number % 256}",
            "MacAddress": "02:00:00:00:00:00",
            "Groups": [{"GroupId": group, "GroupName": group} for group in groups],
        }
        if owner.startswith("i-"):
            since = ec2._now_ts()
            eni["Attachment"] = {"AttachmentId": f"eni-attach-{mark}", "InstanceId": owner, "AttachTime": since}
        return ec2._eni_fields_xml(eni)

    def amended(params):
        filters = ec2._parse_filters(params)
        vpcs, subnets, secured = (filters.get(name) for name in ("vpc-id", "subnet-id", "group-id"))

        def wanted(subnet, groups):
            vpc = ec2._subnets.get(subnet, {}).get("VpcId")
            inside = (not vpcs or vpc in vpcs) and (not subnets or subnet in subnets)
            return inside and (not secured or any(group in secured for group in groups))

        if ec2._parse_member_list(params, "NetworkInterfaceId"):
            return show(params)
        own = ec2._network_interfaces.values()
        own = [eni for eni in own if wanted(eni["SubnetId"], [group["GroupId"] for group in eni["Groups"]])]
        items = [ec2._eni_fields_xml(eni) for eni in own]
        others = [one for one in interfaces.all() if one[3] is not None]
        for number, (subnet, groups, _, owner) in enumerate(others):
            if wanted(subnet, groups):
                items.append(fields(number, subnet, groups, owner))
        inner = f"<networkInterfaceSet>{''.join(items)}</networkInterfaceSet>"
        return ec2._xml(200, "DescribeNetworkInterfacesResponse", inner)

    ec2._ACTION_MAP["DescribeNetworkInterfaces"] = amended


def offer_types(ec2, path):
    """Tells in which zones an instance type is offered: in all, but where the file of facts says otherwise."""

    def amended(params):
        with open(path, encoding="utf-8") as file:
            lacking = json.load(file).get("lacking", {})
        types = ec2._parse_filters(params).get("instance-type") or []
        items = [
            f"<item><instanceType>{kind}</instanceType><locationType>availability-zone</locationType>"
            f"<location>{zone}</location></item>"
            for kind in types
            for zone in (f"{ec2.get_region()}{letter}" for letter in "abc")
            if kind not in lacking.get(zone, [])
        ]
        inner = f"<instanceTypeOfferingSet>{''.join(items)}</instanceTypeOfferingSet>"
        return ec2._xml(200, "DescribeInstanceTypeOfferingsResponse", inner)

    ec2._ACTION_MAP["DescribeInstanceTypeOfferings"] = amended


def refuse(ec2, iam, interfaces):
    def guarded(name, check):
        guard(ec2._ACTION_MAP, name, lambda code, message: ec2._error(code, message, 400), check)

    guarded("CreateSubnet", lambda params: bad_subnet(ec2, params))
    guarded("DeleteSubnet", lambda params: used(ec2, params, "SubnetId", "subnet", interfaces.in_subnet))
    forget_associations(ec2)
    guarded("DeleteVpc", lambda params: used(ec2, params, "VpcId", "vpc", lambda vpc: has_tables(ec2, vpc)))
    guarded("DeleteSecurityGroup", lambda params: used_group(ec2, interfaces, ec2._p(params, "GroupId")))
    guarded("DetachInternetGateway", lambda params: kept_gateway(ec2, interfaces, params))

    def attached(gateway):
        return ec2._internet_gateways.get(gateway, {}).get("Attachments")

    guarded("DeleteInternetGateway", lambda params: used(ec2, params, "InternetGatewayId", "internetGateway", attached))

    def associated(table):
        return ec2._route_tables.get(table, {}).get("Associations")

    guarded("DeleteRouteTable", lambda params: used(ec2, params, "RouteTableId", "routeTable", associated))
    guarded("DisassociateRouteTable", lambda params: unknown_association(ec2, ec2._p(params, "AssociationId")))
    associate_once(ec2)
    guarded("CreateRoute", lambda params: repeated_route(ec2, params))
    for way, kept in (("Ingress", "IpPermissions"), ("Egress", "IpPermissionsEgress")):
        # The variables of a loop change under a function.
        guarded(f"AuthorizeSecurityGroup{way}", lambda params, kept=kept: repeated_rule(ec2, kept, params))
        revoke_each(ec2, f"RevokeSecurityGroup{way}", kept)
        guarded(f"RevokeSecurityGroup{way}", lambda params, kept=kept: unknown_rule(ec2, kept, params))
    guard(
        iam._IAM_HANDLERS,
        "AttachRolePolicy",
        lambda code, message: iam._error(404, code, message),
        lambda params: unknown_policy(iam, iam._p(params, "PolicyArn")),
    )


def bad_subnet(ec2, params):
    vpc = ec2._vpcs.get(ec2._p(params, "VpcId"))
    text = ec2._p(params, "CidrBlock")
    if vpc is None:
        return "InvalidVpcID.NotFound", f"The vpc ID '{ec2._p(params, 'VpcId')}' does not exist"
    try:
        block = ipaddress.ip_network(text)
    except ValueError:
        message = f"Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        return "InvalidParameterValue", message
    if not 16 <= block.prefixlen <= 28 or not block.subnet_of(ipaddress.ip_network(vpc["CidrBlock"])):
        return "InvalidSubnet.Range", f"The CIDR '{text}' is invalid."
    for other in ec2._subnets.values():
        if other["VpcId"] == vpc["VpcId"] and block.overlaps(ipaddress.ip_network(other["CidrBlock"])):
            return "InvalidSubnet.Conflict", f"The CIDR '{text}' conflicts with another subnet"
    zone, zones = ec2._p(params, "AvailabilityZone"), [f"{ec2.get_region()}{letter}" for letter in "abc"]
    if zone and zone not in zones:
        message = (
            f"Value ({zone}) for parameter availabilityZone is invalid. "
            f"Subnets can currently only be created in the following availability zones: {', '.join(zones)}."
        )
        return "InvalidParameterValue", message
    return None


def used(ec2, params, key, kind, users):
    name = ec2._p(params, key)
    if users(name):
        return "DependencyViolation", f"The {kind} '{name}' has dependencies and cannot be deleted."
    return None


def has_tables(ec2, vpc):
    """Whether it has route tables beside its own; the emulator would delete them with it."""
    tables = [table for table in ec2._route_tables.values() if table["VpcId"] == vpc]
    return any(not any(a.get("Main") for a in table["Associations"]) for table in tables)


def used_group(ec2, interfaces, group):
    others = [other for other in ec2._security_groups.values() if other["GroupId"] != group]
    rules = [rule for other in others for rule in other["IpPermissions"] + other["IpPermissionsEgress"]]
    named = any(pair.get("GroupId") == group for rule in rules for pair in rule.get("UserIdGroupPairs", []))
    if named or interfaces.with_group(group):
        return "DependencyViolation", f"resource {group} has a dependent object"
    return None


def kept_gateway(ec2, interfaces, params):
    gateway, vpc = ec2._p(params, "InternetGatewayId"), ec2._p(params, "VpcId")
    found = ec2._internet_gateways.get(gateway)
    if found is None:
        return "InvalidInternetGatewayID.NotFound", f"The internetGateway ID '{gateway}' does not exist"
    if not any(attachment.get("VpcId") == vpc for attachment in found.get("Attachments", [])):
        return "Gateway.NotAttached", f"resource {gateway} is not attached to network {vpc}"
    if interfaces.public_in(vpc):
        message = (
            f"Network {vpc} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway."
        )
        return "DependencyViolation", message
    return None


def forget_associations(ec2):
    """A deleted subnet's association with a route table goes with it."""
    delete = ec2._ACTION_MAP["DeleteSubnet"]

    def amended(params):
        answer = delete(params)
        if answer[0] == 200:
            for table in ec2._route_tables.values():
                gone = ec2._p(params, "SubnetId")
                table["Associations"] = [a for a in table["Associations"] if a.get("SubnetId") != gone]
        return answer

    ec2._ACTION_MAP["DeleteSubnet"] = amended


def unknown_association(ec2, association):
    known = (a["RouteTableAssociationId"] for table in ec2._route_tables.values() for a in table["Associations"])
    if association not in known:
        return "InvalidAssociationID.NotFound", f"The association ID '{association}' does not exist"
    return None


def associate_once(ec2):
    """A subnet has one route table; a repeated association is told as the first."""
    associate = ec2._ACTION_MAP["AssociateRouteTable"]

    def amended(params):
        table, subnet = ec2._p(params, "RouteTableId"), ec2._p(params, "SubnetId")
        if subnet and subnet not in ec2._subnets:
            return ec2._error("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist", 400)
        for found in [a for other in ec2._route_tables.values() for a in other["Associations"]]:
            if subnet and found.get("SubnetId") == subnet:
                association = found["RouteTableAssociationId"]
                if found["RouteTableId"] == table:
                    inner = f"<associationId>{association}</associationId>"
                    return ec2._xml(200, "AssociateRouteTableResponse", inner)
                message = (
                    f"the specified association for route table {table} conflicts with an existing association"
                )
                return ec2._error("Resource.AlreadyAssociated", message, 400)
        return associate(params)

    ec2._ACTION_MAP["AssociateRouteTable"] = amended


def repeated_route(ec2, params):
    block = ec2._p(params, "DestinationCidrBlock")
    routes = ec2._route_tables.get(ec2._p(params, "RouteTableId"), {}).get("Routes", [])
    if any(route.get("DestinationCidrBlock") == block for route in routes):
        return "RouteAlreadyExists", f"The route identified by {block} already exists."
    return None


PEERS = (
    ("IpRanges", "CidrIp"),
    ("Ipv6Ranges", "CidrIpv6"),
    ("PrefixListIds", "PrefixListId"),
    ("UserIdGroupPairs", "GroupId"),
)


def head(rule):
    """Protocol and ports."""
    protocol = {"6": "tcp", "17": "udp", "1": "icmp"}.get(rule["IpProtocol"], rule["IpProtocol"])
    return (protocol, None, None) if protocol == "-1" else (protocol, rule.get("FromPort"), rule.get("ToPort"))


def peers(rules):
    """Rules of one peer each, which is what AWS compares."""
    return [
        (*head(rule), entry.get(key)) for rule in rules for kind, key in PEERS for entry in rule.get(kind) or []
    ]


def repeated_rule(ec2, kept, params):
    group = ec2._security_groups.get(ec2._p(params, "GroupId"))
    if group is None:
        return None
    given, known = peers(ec2._parse_ip_permissions(params, "IpPermissions")), peers(group[kept])
    if len(set(given)) < len(given):
        return "InvalidParameterValue", "The same permission must not appear multiple times"
    for protocol, first, last, peer in given:
        if peer and peer.startswith("sg-") and peer not in ec2._security_groups:
            return "InvalidGroup.NotFound", f"The security group '{peer}' does not exist"
        if (protocol, first, last, peer) in known:
            ports = "ALL" if protocol == "-1" else f"{protocol.upper()}, from port: {first}, to port: {last}"
            message = f'the specified rule "peer: {peer}, {ports}, ALLOW" already exists'
            return "InvalidPermission.Duplicate", message
    return None


def unknown_rule(ec2, kept, params):
    group = ec2._security_groups.get(ec2._p(params, "GroupId"))
    if group is None or ec2._p(params, "SecurityGroupRuleId.1"):
        return None
    known = peers(group[kept])
    if any(peer not in known for peer in peers(ec2._parse_ip_permissions(params, "IpPermissions"))):
        return "InvalidPermission.NotFound", "The specified rule does not exist in this security group."
    return None


def revoke_each(ec2, name, kept):
    """Takes single peers out of rules that were given with several; the emulator takes whole rules only."""
    revoke = ec2._ACTION_MAP[name]

    def amended(params):
        answer = revoke(params)
        group = ec2._security_groups.get(ec2._p(params, "GroupId"))
        if answer[0] == 200 and group is not None:
            gone = set(peers(ec2._parse_ip_permissions(params, "IpPermissions")))
            for rule in group[kept]:
                for kind, key in PEERS:
                    rule[kind] = [e for e in rule.get(kind) or [] if (*head(rule), e.get(key)) not in gone]
            group[kept] = [rule for rule in group[kept] if peers([rule])]
        return answer

    ec2._ACTION_MAP[name] = amended


def unknown_policy(iam, arn):
    if iam.policy_known(arn):
        return None
    return "NoSuchEntity", f"Policy {arn} does not exist or is not attachable."
