//! What others have put into the platform's VPC, cluster and load balancers: a destroy names each of it, and deletes nothing.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, IpPermission, ResourceType, Tag, TagSpecification, UserIdGroupPair, VpcEndpointType};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, ProtocolEnum, RuleCondition,
};
use skydeck_aws::{Clients, foreign};
use skydeck_core::Scope;
use skydeck_core::run::Layer;
use skydeck_tests::account::Account;
use skydeck_tests::skyfox;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_of_others_that_a_destroy_would_meet_is_named_with_its_tags() {
    let mut account = Account::start(skyfox::scope("guests")).await;
    for layer in Layer::ALL {
        account.apply_layer(layer).await.expect("applied");
    }
    let (aws, scope) = (account.clients.clone(), account.scope.clone());
    foreign::refuse(&aws, &scope).await.expect("nothing of others is there");

    let mut guests = in_the_network(&aws, &scope).await;
    guests.extend(running(&aws, &scope).await);
    guests.extend(on_the_load_balancer(&aws, &scope).await);
    let told = foreign::refuse(&aws, &scope).await.expect_err("all of them are in the way").to_string();
    for (what, id) in &guests {
        assert!(told.contains(id), "{what} {id} is not named: {told}");
    }
    assert!(told.contains("owner=somebody-else"), "with tags: {told}");
    let lines = told.lines().filter(|line| line.starts_with("- ")).count();
    // The group that names ours is told of for that too.
    assert_eq!(lines, guests.len() + 2, "and nothing of ours: {told}");

    let told = foreign::refuse_leaving(&aws, &scope).await;
    told.expect("an apply that keeps the load balancers leaves what others have put on them");
    let mut without = scope.clone();
    without.platform.load_balancers.remove("external");
    let told = foreign::refuse_leaving(&aws, &without).await.expect_err("the load balancer would go").to_string();
    assert!(told.contains(&guests["listener"]) && told.contains(&guests["rule"]), "{told}");
}

fn theirs(kind: ResourceType) -> TagSpecification {
    let owner = Tag::builder().key("owner").value("somebody-else").build();
    TagSpecification::builder().resource_type(kind).tags(owner).build()
}

fn id(id: Option<&str>) -> String {
    id.expect("an id").to_owned()
}

/// Network resources in our VPC, and one group in it that names ours; by what they are.
async fn in_the_network(aws: &Clients, scope: &Scope) -> BTreeMap<&'static str, String> {
    let vpc = scope.facts.network.as_ref().expect("a network").vpc_id.clone();
    let mut made = BTreeMap::new();
    let subnet = aws.ec2().create_subnet().vpc_id(&vpc).cidr_block("10.0.200.0/24");
    let subnet = subnet.tag_specifications(theirs(ResourceType::Subnet)).send().await.expect("a subnet");
    let subnet = id(subnet.subnet().and_then(|subnet| subnet.subnet_id()));
    let table = aws.ec2().create_route_table().vpc_id(&vpc).send().await.expect("a route table");
    made.insert("route table", id(table.route_table().and_then(|table| table.route_table_id())));
    let group = aws.ec2().create_security_group().group_name("theirs").description("theirs").vpc_id(&vpc);
    let group = id(group.send().await.expect("a group").group_id());
    open(aws, scope, &group).await;
    // The VPC's own group is nobody's to delete, and a rule of it keeps ours all the same.
    let named = [("vpc-id", vpc.as_str()), ("group-name", "default")];
    let named = named.map(|(name, value)| Filter::builder().name(name).values(value).build());
    let default = aws.ec2().describe_security_groups().set_filters(Some(named.to_vec())).send().await.expect("groups");
    open(aws, scope, default.security_groups()[0].group_id().expect("an id")).await;
    let acl = aws.ec2().create_network_acl().vpc_id(&vpc).send().await.expect("a network ACL");
    made.insert("network ACL", id(acl.network_acl().and_then(|acl| acl.network_acl_id())));
    let interface = aws.ec2().create_network_interface().subnet_id(&subnet).groups(&group).send().await;
    let interface = interface.expect("an interface");
    made.insert("interface", id(interface.network_interface().and_then(|found| found.network_interface_id())));
    let nat = aws.ec2().create_nat_gateway().subnet_id(&subnet).connectivity_type("private".into());
    let nat = nat.send().await.expect("a NAT gateway");
    made.insert("NAT gateway", id(nat.nat_gateway().and_then(|nat| nat.nat_gateway_id())));
    let endpoint = aws.ec2().create_vpc_endpoint().vpc_id(&vpc).service_name("com.amazonaws.ap-south-1.s3");
    let endpoint = endpoint.vpc_endpoint_type(VpcEndpointType::Gateway).send().await.expect("an endpoint");
    made.insert("endpoint", id(endpoint.vpc_endpoint().and_then(|found| found.vpc_endpoint_id())));
    let other = aws.ec2().create_vpc().cidr_block("10.9.0.0/16").send().await.expect("another VPC");
    let other = id(other.vpc().and_then(|vpc| vpc.vpc_id()));
    let peering = aws.ec2().create_vpc_peering_connection().vpc_id(&other).peer_vpc_id(&vpc).send().await;
    let peering = peering.expect("a peering connection");
    let peering = peering.vpc_peering_connection().and_then(|found| found.vpc_peering_connection_id());
    made.insert("peering", id(peering));
    made.insert("subnet", subnet);
    made.insert("group", group);
    made
}

/// Lets our instances in, by the name of their group.
async fn open(aws: &Clients, scope: &Scope, group: &str) {
    let ours = &scope.facts.network.as_ref().expect("a network").security_group_ids["instances"];
    let pair = UserIdGroupPair::builder().group_id(ours).build();
    let rule = IpPermission::builder().ip_protocol("tcp").from_port(80).to_port(80).user_id_group_pairs(pair).build();
    let request = aws.ec2().authorize_security_group_ingress().group_id(group).ip_permissions(rule);
    request.send().await.expect("opened");
}

/// An instance in our subnets, a service in our cluster, and an instance profile that holds a role of ours.
async fn running(aws: &Clients, scope: &Scope) -> BTreeMap<&'static str, String> {
    let mut made = BTreeMap::new();
    let subnet = scope.facts.network.as_ref().expect("a network").subnet_ids.values().next().expect("a subnet");
    let instance = aws.ec2().run_instances().image_id("ami-0123456789abcdef0").min_count(1).max_count(1);
    let instance = instance.subnet_id(subnet).tag_specifications(theirs(ResourceType::Instance));
    let instance = instance.send().await.expect("an instance");
    made.insert("instance", id(instance.instances()[0].instance_id()));
    let container =
        aws_sdk_ecs::types::ContainerDefinition::builder().name("theirs").image("theirs").memory(64).build();
    let definition = aws.ecs().register_task_definition().family("theirs").container_definitions(container);
    definition.send().await.expect("a task definition");
    let service = aws.ecs().create_service().cluster(scope.prefix()).service_name("their-service");
    service.task_definition("theirs").desired_count(0).send().await.expect("a service");
    made.insert("service", "their-service".into());
    aws.iam().create_instance_profile().instance_profile_name("their-profile").send().await.expect("a profile");
    let role = scope.global_name("instance");
    let request = aws.iam().add_role_to_instance_profile().instance_profile_name("their-profile").role_name(role);
    request.send().await.expect("with our role");
    made.insert("profile", "their-profile".into());
    made
}

/// A listener beside ours, and a rule of ours.
async fn on_the_load_balancer(aws: &Clients, scope: &Scope) -> BTreeMap<&'static str, String> {
    let facts = scope.facts.balancer.as_ref().expect("load balancers");
    let balancer = &facts.load_balancers["external"].arn;
    let gone = FixedResponseActionConfig::builder().status_code("410").build();
    let answer = Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(gone);
    let answer = answer.build();
    let found = aws.elb().describe_listeners().load_balancer_arn(balancer).send().await.expect("listeners");
    let ours = found.listeners()[0].listener_arn().expect("an ARN").to_owned();
    let listener = aws.elb().create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Http).port(8080);
    let listener = listener.default_actions(answer.clone()).send().await.expect("a listener");
    let path = RuleCondition::builder().field("path-pattern").values("/theirs*").build();
    let rule = aws.elb().create_rule().listener_arn(ours).priority(4000).conditions(path).actions(answer);
    let rule = rule.send().await.expect("a rule");
    BTreeMap::from([("listener", id(listener.listeners()[0].listener_arn())), ("rule", id(rule.rules()[0].rule_arn()))])
}
