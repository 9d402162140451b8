//! What AWS refuses, the sandbox refuses too: with AWS's codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_config::SdkConfig;
use aws_sdk_ec2::client::Waiters as _;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{AttributeBooleanValue, InstanceType, IpPermission, IpRange, UserIdGroupPair};
use aws_sdk_elasticloadbalancingv2::types::{
    Certificate, LoadBalancerSchemeEnum, ProtocolEnum, RuleCondition, RulePriorityPair,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime, VpcConfig};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use common::stack::{Spec, Stack, forward, not_found};
use skydeck_sandbox::Sandbox;

/// The code of a refusal, and a part of its words.
macro_rules! refused {
    ($call:expr, $code:literal, $words:literal) => {
        let error = $call.send().await.unwrap_err();
        assert_eq!(error.code(), Some($code), "{error:?}");
        let message = error.message().unwrap_or_default();
        assert!(message.contains($words), "{message}");
    };
}

/// A VPC of 10.0.0.0/16 with two subnets and a gateway.
struct Net {
    _sandbox: Sandbox,
    config: SdkConfig,
    ec2: aws_sdk_ec2::Client,
    vpc: String,
    gateway: String,
    subnets: Vec<String>,
}

impl Net {
    async fn new() -> Self {
        let sandbox = common::sandbox().await;
        let config = common::person(&sandbox).await;
        let ec2 = aws_sdk_ec2::Client::new(&config);
        let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
        let gateway = ec2.create_internet_gateway().send().await.unwrap().internet_gateway.unwrap();
        let gateway = gateway.internet_gateway_id.unwrap();
        ec2.attach_internet_gateway().vpc_id(&vpc).internet_gateway_id(&gateway).send().await.unwrap();
        let mut net = Self { _sandbox: sandbox, config, ec2, vpc, gateway, subnets: Vec::new() };
        for (block, zone) in [("10.0.0.0/24", "ap-south-1a"), ("10.0.1.0/24", "ap-south-1b")] {
            let subnet = net.subnet(block, zone).send().await.unwrap().subnet.unwrap();
            net.subnets.push(subnet.subnet_id.unwrap());
        }
        net
    }

    fn subnet(
        &self,
        block: &str,
        zone: &str,
    ) -> aws_sdk_ec2::operation::create_subnet::builders::CreateSubnetFluentBuilder {
        self.ec2.create_subnet().vpc_id(&self.vpc).cidr_block(block).availability_zone(zone)
    }

    async fn group(&self, name: &str) -> String {
        let create = self.ec2.create_security_group().group_name(name).description(name).vpc_id(&self.vpc);
        create.send().await.unwrap().group_id.unwrap()
    }
}

fn port(port: i32) -> aws_sdk_ec2::types::builders::IpPermissionBuilder {
    IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port)
}

fn block(cidr: &str) -> IpRange {
    IpRange::builder().cidr_ip(cidr).build()
}

#[tokio::test]
async fn subnets_lie_apart_and_inside_their_vpc() {
    let net = Net::new().await;
    refused!(net.subnet("10.0.1.128/25", "ap-south-1b"), "InvalidSubnet.Conflict", "conflicts with another subnet");
    refused!(net.subnet("10.0.0.0/20", "ap-south-1c"), "InvalidSubnet.Conflict", "10.0.0.0/20");
    refused!(net.subnet("10.1.0.0/24", "ap-south-1a"), "InvalidSubnet.Range", "The CIDR '10.1.0.0/24' is invalid.");
    refused!(net.subnet("10.0.9.0/30", "ap-south-1a"), "InvalidSubnet.Range", "invalid");
    refused!(net.subnet("10.0.9.0/24", "ap-south-1x"), "InvalidParameterValue", "availabilityZone");
    let elsewhere = net.ec2.create_subnet().vpc_id("vpc-0").cidr_block("10.0.9.0/24");
    refused!(elsewhere, "InvalidVpcID.NotFound", "vpc-0");
    net.subnet("10.0.9.0/24", "ap-south-1c").send().await.unwrap();
}

#[tokio::test]
async fn a_network_in_use_is_not_deleted() {
    let net = Net::new().await;
    let ec2 = &net.ec2;
    let group = net.group("instances").await;
    let public = ec2.modify_subnet_attribute().subnet_id(&net.subnets[0]);
    let public = public.map_public_ip_on_launch(AttributeBooleanValue::builder().value(true).build());
    public.send().await.unwrap();
    let run = ec2.run_instances().image_id("ami-1").instance_type(InstanceType::T4gSmall).min_count(1).max_count(1);
    let run = run.subnet_id(&net.subnets[0]).security_group_ids(&group).send().await.unwrap();
    let instance = run.instances()[0].instance_id().unwrap().to_owned();
    let detach = || ec2.detach_internet_gateway().vpc_id(&net.vpc).internet_gateway_id(&net.gateway);
    let delete = || ec2.delete_subnet().subnet_id(&net.subnets[0]);
    refused!(delete(), "DependencyViolation", "has dependencies and cannot be deleted.");
    refused!(ec2.delete_security_group().group_id(&group), "DependencyViolation", "has a dependent object");
    refused!(detach(), "DependencyViolation", "mapped public address(es)");
    refused!(ec2.delete_vpc().vpc_id(&net.vpc), "DependencyViolation", "has dependencies");
    ec2.terminate_instances().instance_ids(&instance).send().await.unwrap();
    let wait = std::time::Duration::from_secs(10);
    ec2.wait_until_instance_terminated().instance_ids(&instance).wait(wait).await.unwrap();

    let table = ec2.create_route_table().vpc_id(&net.vpc).send().await.unwrap().route_table.unwrap();
    let table = table.route_table_id.unwrap();
    let route =
        || ec2.create_route().route_table_id(&table).destination_cidr_block("0.0.0.0/0").gateway_id(&net.gateway);
    route().send().await.unwrap();
    refused!(route(), "RouteAlreadyExists", "0.0.0.0/0");
    let associate = || ec2.associate_route_table().route_table_id(&table).subnet_id(&net.subnets[0]);
    let association = associate().send().await.unwrap().association_id;
    assert_eq!(associate().send().await.unwrap().association_id, association);
    refused!(ec2.delete_route_table().route_table_id(&table), "DependencyViolation", "The routeTable");
    let gateway = ec2.delete_internet_gateway().internet_gateway_id(&net.gateway);
    refused!(gateway, "DependencyViolation", "The internetGateway");
    // The association goes with its subnet.
    for subnet in &net.subnets {
        ec2.delete_subnet().subnet_id(subnet).send().await.unwrap();
    }
    ec2.delete_security_group().group_id(&group).send().await.unwrap();
    detach().send().await.unwrap();
    refused!(detach(), "Gateway.NotAttached", "is not attached to network");
    ec2.delete_internet_gateway().internet_gateway_id(&net.gateway).send().await.unwrap();
    refused!(ec2.delete_vpc().vpc_id(&net.vpc), "DependencyViolation", "has dependencies");
    ec2.delete_route_table().route_table_id(&table).send().await.unwrap();
    ec2.delete_vpc().vpc_id(&net.vpc).send().await.unwrap();
}

#[tokio::test]
async fn what_is_unknown_is_not_deleted() {
    let net = Net::new().await;
    let ec2 = &net.ec2;
    refused!(ec2.delete_vpc().vpc_id("vpc-0"), "InvalidVpcID.NotFound", "vpc-0");
    refused!(ec2.delete_subnet().subnet_id("subnet-0"), "InvalidSubnetID.NotFound", "subnet-0");
    refused!(ec2.delete_security_group().group_id("sg-0"), "InvalidGroup.NotFound", "sg-0");
    refused!(ec2.delete_route_table().route_table_id("rtb-0"), "InvalidRouteTableID.NotFound", "rtb-0");
    let association = ec2.disassociate_route_table().association_id("rtbassoc-0");
    refused!(association, "InvalidAssociationID.NotFound", "rtbassoc-0");
    let gateway = ec2.delete_internet_gateway().internet_gateway_id("igw-0");
    refused!(gateway, "InvalidInternetGatewayID.NotFound", "igw-0");
    let detach = ec2.detach_internet_gateway().internet_gateway_id("igw-0").vpc_id(&net.vpc);
    refused!(detach, "InvalidInternetGatewayID.NotFound", "igw-0");
    let iam = aws_sdk_iam::Client::new(&net.config);
    refused!(iam.delete_role().role_name("r"), "NoSuchEntity", "r");
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&net.config);
    refused!(elb.delete_rule().rule_arn("arn:x"), "RuleNotFound", "rules not found");
    refused!(elb.delete_listener().listener_arn("arn:x"), "ListenerNotFound", "arn:x");
    let ecs = aws_sdk_ecs::Client::new(&net.config);
    refused!(ecs.delete_cluster().cluster("c"), "ClusterNotFoundException", "Cluster not found.");
    refused!(ecs.list_services().cluster("c"), "ClusterNotFoundException", "Cluster not found.");
    let asg = aws_sdk_autoscaling::Client::new(&net.config);
    let group = asg.delete_auto_scaling_group().auto_scaling_group_name("g");
    refused!(group, "ValidationError", "not found");
}

#[tokio::test]
async fn a_rule_stands_once_and_its_group_stays() {
    let net = Net::new().await;
    let ec2 = &net.ec2;
    let (first, second) = (net.group("first").await, net.group("second").await);
    let again = ec2.create_security_group().group_name("first").description("d").vpc_id(&net.vpc);
    refused!(again, "InvalidGroup.Duplicate", "already exists");
    let allow = |rule: IpPermission| ec2.authorize_security_group_ingress().group_id(&first).ip_permissions(rule);
    let revoke = |rule: IpPermission| ec2.revoke_security_group_ingress().group_id(&first).ip_permissions(rule);
    let both = || port(80).ip_ranges(block("10.0.0.0/24")).ip_ranges(block("10.0.1.0/24")).build();
    let one = || port(80).ip_ranges(block("10.0.1.0/24")).build();
    allow(both()).send().await.unwrap();
    refused!(allow(one()), "InvalidPermission.Duplicate", "peer: 10.0.1.0/24, TCP, from port: 80, to port: 80, ALLOW");
    let twice = port(81).ip_ranges(block("10.0.0.0/24")).ip_ranges(block("10.0.0.0/24")).build();
    refused!(allow(twice), "InvalidParameterValue", "must not appear multiple times");
    revoke(one()).send().await.unwrap();
    refused!(revoke(one()), "InvalidPermission.NotFound", "does not exist in this security group");
    allow(one()).send().await.unwrap();
    // A new group lets everything out.
    let all = IpPermission::builder().ip_protocol("-1").ip_ranges(block("0.0.0.0/0")).build();
    let out = ec2.authorize_security_group_egress().group_id(&first).ip_permissions(all);
    refused!(out, "InvalidPermission.Duplicate", "peer: 0.0.0.0/0, ALL, ALLOW");

    let peer = |id: &str| port(443).user_id_group_pairs(UserIdGroupPair::builder().group_id(id).build()).build();
    refused!(allow(peer("sg-0")), "InvalidGroup.NotFound", "sg-0");
    allow(peer(&second)).send().await.unwrap();
    refused!(ec2.delete_security_group().group_id(&second), "DependencyViolation", "has a dependent object");
    ec2.delete_security_group().group_id(&first).send().await.unwrap();
    ec2.delete_security_group().group_id(&second).send().await.unwrap();
}

#[tokio::test]
async fn a_functions_interfaces_hold_its_network() {
    let net = Net::new().await;
    let group = net.group("probe").await;
    let iam = aws_sdk_iam::Client::new(&net.config);
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let role = iam.create_role().role_name("r").assume_role_policy_document(trust).send().await.unwrap().role.unwrap();
    let lambda = aws_sdk_lambda::Client::new(&net.config);
    let vpc = VpcConfig::builder().subnet_ids(&net.subnets[1]).security_group_ids(&group).build();
    let create = lambda.create_function().function_name("f").role(role.arn()).vpc_config(vpc);
    let create = create.runtime(Runtime::Providedal2023).handler("bootstrap");
    let empty_zip = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    create.code(FunctionCode::builder().zip_file(Blob::new(empty_zip)).build()).send().await.unwrap();
    let subnet = || net.ec2.delete_subnet().subnet_id(&net.subnets[1]);
    refused!(subnet(), "DependencyViolation", "has dependencies");
    refused!(net.ec2.delete_security_group().group_id(&group), "DependencyViolation", "has a dependent object");
    // Its interfaces stay after it.
    lambda.delete_function().function_name("f").send().await.unwrap();
    refused!(subnet(), "DependencyViolation", "has dependencies");
    refused!(net.ec2.delete_security_group().group_id(&group), "DependencyViolation", "has a dependent object");
}

#[tokio::test]
async fn a_load_balancer_spans_zones_and_holds_its_network() {
    let net = Net::new().await;
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&net.config);
    let group = net.group("balancer").await;
    let third = net.subnet("10.0.2.0/24", "ap-south-1a").send().await.unwrap().subnet.unwrap().subnet_id.unwrap();
    let create = || elb.create_load_balancer().name("a");
    let [first, second] = [&net.subnets[0], &net.subnets[1]];
    refused!(create().subnets(first), "ValidationError", "At least two subnets in two different Availability Zones");
    let same = create().subnets(first).subnets(&third);
    refused!(same, "InvalidConfigurationRequest", "multiple subnets in the same Availability Zone");
    refused!(create().subnets(first).subnets("subnet-0"), "SubnetNotFound", "subnet-0");
    let unknown = create().subnets(first).subnets(second).security_groups("sg-0");
    refused!(unknown, "InvalidSecurityGroup", "security groups are invalid");
    let made = create().subnets(first).subnets(second).security_groups(&group).send().await.unwrap();
    let arn = made.load_balancers()[0].load_balancer_arn().unwrap();
    let found = elb.describe_load_balancers().send().await.unwrap();
    let zones = found.load_balancers()[0].availability_zones().iter();
    let zones: Vec<_> = zones.map(|zone| (zone.zone_name().unwrap(), zone.subnet_id().unwrap())).collect();
    let other = create().subnets(first).subnets(second).scheme(LoadBalancerSchemeEnum::Internal);
    refused!(other, "DuplicateLoadBalancerName", "exists, but with different settings");
    assert_eq!(zones, [("ap-south-1a", first.as_str()), ("ap-south-1b", second.as_str())]);

    let subnet = || net.ec2.delete_subnet().subnet_id(second);
    let detach = || net.ec2.detach_internet_gateway().vpc_id(&net.vpc).internet_gateway_id(&net.gateway);
    refused!(subnet(), "DependencyViolation", "has dependencies");
    refused!(net.ec2.delete_security_group().group_id(&group), "DependencyViolation", "has a dependent object");
    refused!(detach(), "DependencyViolation", "mapped public address(es)");
    elb.delete_load_balancer().load_balancer_arn(arn).send().await.unwrap();
    refused!(detach(), "DependencyViolation", "mapped public address(es)");
    common::until("the load balancer's interfaces go", || async { detach().send().await.is_ok() }).await;
    refused!(create().subnets(first).subnets(second), "InvalidSubnet", "has no internet gateway");
    subnet().send().await.unwrap();
    net.ec2.delete_security_group().group_id(&group).send().await.unwrap();
}

#[tokio::test]
async fn rules_and_target_groups_are_checked() {
    let mut stack = Stack::new(0, 1, false).await;
    let group = stack.target_group(&Spec::payment()).await;
    let (listener, _) = stack.balancer("a", true, not_found()).await;
    let (other, _) = stack.balancer("b", true, not_found()).await;
    let elb = &stack.elb;
    let found = elb.describe_listeners().listener_arns(&listener).send().await.unwrap();
    let balancer = found.listeners()[0].load_balancer_arn().unwrap();
    let again = elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Http).port(80);
    refused!(again.default_actions(forward(&group)), "DuplicateListener", "already exists on this port");
    let secure = elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Https).port(443);
    let unknown = Certificate::builder().certificate_arn("arn:aws:acm:ap-south-1:000000000000:certificate/1").build();
    refused!(
        secure.certificates(unknown).default_actions(forward(&group)),
        "CertificateNotFound",
        "certificate/1' not found"
    );
    let again = elb.create_target_group().name("payment-service").protocol(ProtocolEnum::Http).port(1);
    refused!(again, "DuplicateTargetGroupName", "exists, but with different settings");
    // What is created again with the same settings is told as the first.
    assert_eq!(stack.balancer("a", true, not_found()).await.0, listener);
    assert_eq!(stack.target_group(&Spec::payment()).await, group);
    let elb = &stack.elb;
    let rule = |listener: &str, priority, group: &str| {
        let condition = RuleCondition::builder().field("path-pattern").values("/a").build();
        let create = elb.create_rule().listener_arn(listener).priority(priority);
        create.conditions(condition).actions(forward(group))
    };
    let first = rule(&listener, 100, &group).send().await.unwrap().rules()[0].rule_arn().unwrap().to_owned();
    refused!(rule(&listener, 100, &group), "PriorityInUse", "Priority '100' is currently in use");
    refused!(rule(&listener, 101, "arn:x"), "TargetGroupNotFound", "target groups not found");
    refused!(rule(&other, 100, &group), "TargetGroupAssociationLimit", "more than one load balancer");
    let second = rule(&listener, 200, &group).send().await.unwrap().rules()[0].rule_arn().unwrap().to_owned();
    let pair = |rule: &str, priority| RulePriorityPair::builder().rule_arn(rule).priority(priority).build();
    let order = elb.set_rule_priorities().rule_priorities(pair(&first, 200));
    refused!(order, "PriorityInUse", "Priority '200' is currently in use");
    // Two rules change places in one call.
    let order = elb.set_rule_priorities().rule_priorities(pair(&first, 200)).rule_priorities(pair(&second, 100));
    order.send().await.unwrap();

    let delete = || elb.delete_target_group().target_group_arn(&group);
    refused!(delete(), "ResourceInUse", "is currently in use by a listener or a rule");
    let users = async || {
        let found = elb.describe_target_groups().target_group_arns(&group).send().await.unwrap();
        found.target_groups()[0].load_balancer_arns().to_vec()
    };
    assert_eq!(users().await, [balancer]);
    elb.delete_rule().rule_arn(&first).send().await.unwrap();
    refused!(delete(), "ResourceInUse", "is currently in use by a listener or a rule");
    // Its listeners and their rules go with a load balancer.
    elb.delete_load_balancer().load_balancer_arn(balancer).send().await.unwrap();
    assert!(users().await.is_empty());
    delete().send().await.unwrap();
}

#[tokio::test]
async fn roles_and_buckets_in_use_are_not_deleted() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let iam = aws_sdk_iam::Client::new(&config);
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    iam.create_role().role_name("r").assume_role_policy_document(trust).send().await.unwrap();
    let attach = |arn: &str| iam.attach_role_policy().role_name("r").policy_arn(arn);
    let typo = attach("arn:aws:iam::aws:policy/service-role/AmazonECSTypo");
    refused!(typo, "NoSuchEntity", "does not exist or is not attachable");
    refused!(attach("arn:aws:iam::000000000000:policy/p"), "NoSuchEntity", "does not exist or is not attachable");
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    attach(policy).send().await.unwrap();
    let delete = || iam.delete_role().role_name("r");
    refused!(delete(), "DeleteConflict", "must detach all policies first");
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    iam.detach_role_policy().role_name("r").policy_arn(policy).send().await.unwrap();
    iam.put_role_policy().role_name("r").policy_name("p").policy_document(allow).send().await.unwrap();
    refused!(delete(), "DeleteConflict", "must delete all inline policies first");
    iam.delete_role_policy().role_name("r").policy_name("p").send().await.unwrap();
    iam.create_instance_profile().instance_profile_name("i").send().await.unwrap();
    iam.add_role_to_instance_profile().instance_profile_name("i").role_name("r").send().await.unwrap();
    refused!(delete(), "DeleteConflict", "must remove role");
    refused!(iam.delete_instance_profile().instance_profile_name("i"), "DeleteConflict", "must remove all roles");

    let s3 = aws_sdk_s3::Client::new(&config);
    let place = BucketLocationConstraint::ApSouth1;
    let place = CreateBucketConfiguration::builder().location_constraint(place).build();
    s3.create_bucket().bucket("b-12345").create_bucket_configuration(place).send().await.unwrap();
    s3.put_object().bucket("b-12345").key("k").body(b"1".to_vec().into()).send().await.unwrap();
    refused!(s3.delete_bucket().bucket("b-12345"), "BucketNotEmpty", "not empty");
}

#[tokio::test]
async fn a_group_under_a_capacity_provider_is_bound() {
    let stack = Stack::new(1, 1, true).await;
    let group = stack.asg.delete_auto_scaling_group().auto_scaling_group_name("g");
    refused!(group, "ResourceInUse", "while there are instances");
    refused!(stack.ecs.delete_capacity_provider().capacity_provider("p"), "ResourceInUseException", "is in use");
    let cluster = stack.ecs.delete_cluster().cluster("c");
    refused!(cluster, "ClusterContainsContainerInstancesException", "Container Instances");
}
