//! Cluster, launch template, Auto Scaling group, capacity provider, log group.

use aws_sdk_ec2::types::{HttpTokensState, ResponseLaunchTemplateData};
use aws_sdk_ecs::types::{
    CapacityProviderStatus, ClusterField, ManagedDraining, ManagedScalingStatus, ManagedTerminationProtection,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use skydeck_aws::Clients;

use super::network::{Vpc, assert_tagged};

const INSTANCES: &str = "skyfox-devprod-instances";

pub(crate) async fn assert_as_the_reference_says(aws: &Clients, vpc: &Vpc) {
    assert_cluster(aws).await;
    assert_launch_template(aws, vpc).await;
    assert_group(aws, vpc).await;
    let groups = aws.logs().describe_log_groups().log_group_name_prefix("/ecs/skyfox-devprod").send().await;
    let groups = groups.expect("log groups");
    let [group] = groups.log_groups() else { panic!("one log group: {groups:?}") };
    assert_eq!((group.log_group_name(), group.retention_in_days()), (Some("/ecs/skyfox-devprod"), Some(7)));
}

async fn assert_cluster(aws: &Clients) {
    let request = aws.ecs().describe_clusters().clusters("skyfox-devprod");
    let answer = request.include(ClusterField::Settings).include(ClusterField::Tags).send().await.expect("the cluster");
    let cluster = &answer.clusters()[0];
    assert_eq!(cluster.status(), Some("ACTIVE"));
    let insights =
        cluster.settings().iter().find(|setting| setting.name().is_some_and(|n| n.as_str() == "containerInsights"));
    assert_eq!(insights.and_then(|setting| setting.value()), Some("disabled"));
    assert!(cluster.tags().iter().any(|tag| tag.key() == Some("Project") && tag.value() == Some("skyfox")));
    assert_eq!(cluster.capacity_providers(), [INSTANCES]);
    assert_eq!(cluster.default_capacity_provider_strategy()[0].capacity_provider(), INSTANCES);

    let answer = aws.ecs().describe_capacity_providers().capacity_providers(INSTANCES).send().await;
    let answer = answer.expect("the capacity provider");
    let provider = &answer.capacity_providers()[0];
    assert_eq!(provider.status(), Some(&CapacityProviderStatus::Active));
    let group = provider.auto_scaling_group_provider().expect("an Auto Scaling group");
    let scaling = group.managed_scaling().expect("managed scaling");
    assert_eq!((scaling.status(), scaling.target_capacity()), (Some(&ManagedScalingStatus::Enabled), Some(100)));
    assert_eq!(group.managed_draining(), Some(&ManagedDraining::Enabled));
    assert_eq!(group.managed_termination_protection(), Some(&ManagedTerminationProtection::Disabled));
}

async fn assert_launch_template(aws: &Clients, vpc: &Vpc) {
    let request = aws.ec2().describe_launch_template_versions().launch_template_name(INSTANCES).versions("$Latest");
    let answer = request.send().await.expect("the launch template");
    let data: &ResponseLaunchTemplateData =
        answer.launch_template_versions()[0].launch_template_data().expect("launch template data");
    let name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
    let ami = aws.ssm().get_parameter().name(name).send().await.expect("the public parameter");
    assert_eq!(data.image_id(), ami.parameter().and_then(|parameter| parameter.value()));
    assert_eq!(data.instance_type().map(|found| found.as_str()), Some("t4g.small"));
    let profile = data.iam_instance_profile().expect("an instance profile");
    let named = profile.arn().or(profile.name()).unwrap_or_default();
    assert!(named.ends_with("skyfox-devprod-instance-ap-south-1"), "{named}");
    let metadata = data.metadata_options().expect("metadata options");
    assert_eq!(metadata.http_tokens().map(|found| found.as_str()), Some(HttpTokensState::Required.as_str()), "IMDSv2");
    let volumes = data.block_device_mappings();
    let encrypted =
        volumes.iter().map(|found| (found.device_name(), found.ebs().and_then(|volume| volume.encrypted())));
    assert_eq!(encrypted.collect::<Vec<_>>(), [(Some("/dev/xvda"), Some(true))]);
    assert_eq!(data.security_group_ids(), [vpc.groups[INSTANCES].clone()]);
    let user_data = STANDARD.decode(data.user_data().expect("user data")).expect("base64");
    let user_data = String::from_utf8_lossy(&user_data).into_owned();
    for line in ["ECS_CLUSTER=skyfox-devprod", "ECS_ENABLE_CONTAINER_METADATA=true", "ECS_AWSVPC_BLOCK_IMDS=true"] {
        assert!(user_data.contains(line), "{user_data}");
    }
    let templates = aws.ec2().describe_launch_templates().launch_template_names(INSTANCES).send().await.expect("it");
    assert_tagged(templates.launch_templates()[0].tags(), INSTANCES);
}

async fn assert_group(aws: &Clients, vpc: &Vpc) {
    let request = aws.autoscaling().describe_auto_scaling_groups().auto_scaling_group_names(INSTANCES);
    let answer = request.send().await.expect("the Auto Scaling group");
    let group = &answer.auto_scaling_groups()[0];
    assert_eq!((group.min_size(), group.max_size(), group.desired_capacity()), (Some(2), Some(4), Some(2)));
    assert_eq!((group.health_check_type(), group.health_check_grace_period()), (Some("EC2"), Some(300)));
    assert_eq!(group.termination_policies(), ["OldestInstance"]);
    let subnets = group.vpc_zone_identifier().unwrap_or_default().split(',').map(Into::into).collect();
    assert_eq!(vpc.subnets, subnets);
    for key in ["Name", "Project", "Environment", "skydeck:platform", "skydeck:environment"] {
        let tag = group.tags().iter().find(|tag| tag.key() == Some(key));
        assert_eq!(tag.and_then(|tag| tag.propagate_at_launch()), Some(true), "{key}: {:?}", group.tags());
    }
}
