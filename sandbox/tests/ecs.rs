//! ECS and Auto Scaling, as the real SDK clients read them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_config::SdkConfig;
use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{
    AutoScalingGroupProvider, CapacityProviderStrategyItem, ClusterField, ContainerDefinition, DeploymentRolloutState,
    ManagedScaling, ManagedScalingStatus, NetworkMode, PortMapping, ServiceField, Tag, TransportProtocol,
};

/// A group of two instances whose user data names the cluster `c`; its ARN.
async fn group(config: &SdkConfig) -> String {
    let ec2 = aws_sdk_ec2::Client::new(config);
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap();
    let mut subnets = Vec::new();
    for (number, zone) in ["ap-south-1a", "ap-south-1b"].iter().enumerate() {
        let subnet = ec2.create_subnet().vpc_id(vpc.vpc_id().unwrap()).availability_zone(*zone);
        let subnet = subnet.cidr_block(format!("10.0.{number}.0/24")).send().await.unwrap().subnet.unwrap();
        subnets.push(subnet.subnet_id.unwrap());
    }
    // echo ECS_CLUSTER=c >> /etc/ecs/ecs.config
    let data = RequestLaunchTemplateData::builder()
        .image_id("ami-1")
        .instance_type(InstanceType::T4gSmall)
        .user_data("ZWNobyBFQ1NfQ0xVU1RFUj1jID4+IC9ldGMvZWNzL2Vjcy5jb25maWc=")
        .build();
    ec2.create_launch_template().launch_template_name("template").launch_template_data(data).send().await.unwrap();
    let asg = aws_sdk_autoscaling::Client::new(config);
    let template = LaunchTemplateSpecification::builder().launch_template_name("template").version("$Latest").build();
    let tag = aws_sdk_autoscaling::types::Tag::builder().key("Name").value("g").propagate_at_launch(true).build();
    let create = asg.create_auto_scaling_group().auto_scaling_group_name("g").min_size(0).max_size(4);
    let create = create.desired_capacity(2).launch_template(template).vpc_zone_identifier(subnets.join(","));
    create.tags(tag).send().await.unwrap();
    let filter = aws_sdk_autoscaling::types::Filter::builder().name("tag:Name").values("g").build();
    let found = asg.describe_auto_scaling_groups().filters(filter).send().await.unwrap();
    let group = &found.auto_scaling_groups()[0];
    assert_eq!(group.availability_zones(), ["ap-south-1a", "ap-south-1b"]);
    assert_eq!(group.instances().len(), 2);
    group.auto_scaling_group_arn().unwrap().to_owned()
}

#[tokio::test]
async fn a_cluster_with_its_capacity_and_a_service_comes_and_goes() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let ecs = aws_sdk_ecs::Client::new(&config);
    let asg = aws_sdk_autoscaling::Client::new(&config);
    let arn = group(&config).await;

    let tag = Tag::builder().key("skydeck:platform").value("skyfox").build();
    ecs.create_cluster().cluster_name("c").tags(tag.clone()).send().await.unwrap();
    let clusters = ecs.describe_clusters().clusters("c").include(ClusterField::Tags).include(ClusterField::Settings);
    let clusters = clusters.send().await.unwrap();
    assert_eq!(clusters.clusters()[0].tags(), std::slice::from_ref(&tag));
    assert_eq!(clusters.clusters()[0].settings()[0].value(), Some("disabled"));
    common::until("joining", || async {
        let listed = ecs.list_container_instances().cluster("c").send().await.unwrap();
        listed.container_instance_arns().len() == 2
    })
    .await;

    let scaling = ManagedScaling::builder().status(ManagedScalingStatus::Enabled).target_capacity(100).build();
    let provider = AutoScalingGroupProvider::builder().auto_scaling_group_arn(&arn).managed_scaling(scaling).build();
    ecs.create_capacity_provider().name("p").auto_scaling_group_provider(provider.unwrap()).send().await.unwrap();
    let item = CapacityProviderStrategyItem::builder().capacity_provider("p").weight(1).build().unwrap();
    let put = ecs.put_cluster_capacity_providers().cluster("c").capacity_providers("p");
    put.default_capacity_provider_strategy(item.clone()).send().await.unwrap();
    let listed = ecs.list_container_instances().cluster("c").send().await.unwrap();
    let instances = ecs.describe_container_instances().cluster("c");
    let instances = instances.set_container_instances(listed.container_instance_arns).send().await.unwrap();
    let instance = &instances.container_instances()[0];
    let memory = instance.registered_resources().iter().find(|resource| resource.name() == Some("MEMORY")).unwrap();
    assert_eq!((memory.integer_value(), instance.capacity_provider_name()), (1846, Some("p")));

    let port = PortMapping::builder().container_port(8080).build();
    let container = ContainerDefinition::builder().name("backend").image("i").memory(819).port_mappings(port).build();
    let register = ecs.register_task_definition().family("f").network_mode(NetworkMode::Bridge);
    let definition = register.container_definitions(container).tags(tag.clone()).send().await.unwrap();
    let definition = definition.task_definition.unwrap();
    let port = &definition.container_definitions()[0].port_mappings()[0];
    assert_eq!((port.host_port(), port.protocol()), (Some(0), Some(&TransportProtocol::Tcp)));
    assert!(definition.registered_at().is_some());

    let create = || {
        let create = ecs.create_service().cluster("c").service_name("s").task_definition("f").desired_count(0);
        create.capacity_provider_strategy(item.clone()).tags(tag.clone()).send()
    };
    create().await.unwrap();
    assert_eq!(create().await.unwrap_err().code(), Some("InvalidParameterException"));
    let services = ecs.describe_services().cluster("c").services("s").include(ServiceField::Tags).send().await.unwrap();
    let service = &services.services()[0];
    assert_eq!(service.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::Completed));
    assert_eq!((service.tags().len(), service.running_count()), (1, 0));

    ecs.delete_service().cluster("c").service("s").send().await.unwrap();
    let put = ecs.put_cluster_capacity_providers().cluster("c").set_capacity_providers(Some(Vec::new()));
    put.set_default_capacity_provider_strategy(Some(Vec::new())).send().await.unwrap();
    ecs.delete_capacity_provider().capacity_provider("p").send().await.unwrap();
    let refused = ecs.delete_cluster().cluster("c").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ClusterContainsContainerInstancesException"));
    let delete = || asg.delete_auto_scaling_group().auto_scaling_group_name("g").send();
    assert_eq!(delete().await.unwrap_err().code(), Some("ResourceInUse"));
    let update = asg.update_auto_scaling_group().auto_scaling_group_name("g").min_size(0).max_size(0);
    update.desired_capacity(0).send().await.unwrap();
    common::until("leaving", || async {
        let groups = asg.describe_auto_scaling_groups().send().await.unwrap();
        groups.auto_scaling_groups()[0].instances().is_empty()
    })
    .await;
    delete().await.unwrap();
    ecs.delete_cluster().cluster("c").send().await.unwrap();
    assert!(asg.describe_auto_scaling_groups().send().await.unwrap().auto_scaling_groups().is_empty());
}

#[tokio::test]
async fn instances_of_a_group_stand_in_ec2() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    group(&config).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let found = ec2.describe_instances().send().await.unwrap();
    let instances: Vec<_> = found.reservations().iter().flat_map(|reservation| reservation.instances()).collect();
    assert_eq!(instances.len(), 2);
    assert_eq!(instances[0].instance_type(), Some(&InstanceType::T4gSmall));
    assert!(instances[0].tags().iter().any(|tag| tag.key() == Some("Name") && tag.value() == Some("g")));
    // What the sandbox asks for itself is nobody's call.
    assert!(sandbox.calls().iter().all(|call| call.action != "RunInstances"));
}
