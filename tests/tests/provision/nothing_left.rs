//! After a destroy: lists every kind of resource, and finds none of ours.

use aws_sdk_ecs::types::TaskDefinitionStatus;
use skydeck_aws::Clients;

use super::network::ours;

pub(crate) async fn assert_nothing_is_left(aws: &Clients) {
    assert_no_network(aws).await;
    assert_no_compute(aws).await;
    let none = |kind: &str, names: Vec<String>| {
        let left: Vec<&String> = names.iter().filter(|name| is_ours(name)).collect();
        assert!(left.is_empty(), "{kind} left: {left:?}");
    };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let roles = aws.iam().list_roles().send().await.expect("roles");
    none("roles", roles.roles().iter().map(|role| role.role_name().to_owned()).collect());
    let profiles = aws.iam().list_instance_profiles().send().await.expect("profiles");
    none(
        "profiles",
        profiles.instance_profiles().iter().map(|found| found.instance_profile_name().to_owned()).collect(),
    );
    let repositories = aws.ecr().describe_repositories().send().await.expect("repositories");
    none("repositories", repositories.repositories().iter().map(|found| text(found.repository_name())).collect());
    let buckets = aws.s3().list_buckets().send().await.expect("buckets");
    none("buckets", buckets.buckets().iter().map(|bucket| text(bucket.name())).collect());
    let balancers = aws.elb().describe_load_balancers().send().await.expect("load balancers");
    none("load balancers", balancers.load_balancers().iter().map(|found| text(found.load_balancer_name())).collect());
    let groups = aws.elb().describe_target_groups().send().await.expect("target groups");
    none("target groups", groups.target_groups().iter().map(|found| text(found.target_group_name())).collect());
    let functions = aws.lambda().list_functions().send().await.expect("functions");
    let functions: Vec<String> = functions.functions().iter().map(|found| text(found.function_name())).collect();
    assert!(!functions.iter().any(|name| name.contains("skyfox")), "{functions:?}");
    let logs = aws.logs().describe_log_groups().send().await.expect("log groups");
    let logs: Vec<String> = logs.log_groups().iter().map(|found| text(found.log_group_name())).collect();
    assert!(!logs.iter().any(|name| name.contains("skyfox")), "{logs:?}");
    let written = aws.ssm().get_parameters().names("/skyfox-backend/s3-bucket").send().await.expect("parameters");
    assert!(written.parameters().is_empty(), "the parameter that skydeck wrote goes");
    let given = super::SECRETS.map(|name| format!("/skyfox-backend/{name}"));
    let kept = aws.ssm().get_parameters().set_names(Some(given.to_vec())).send().await.expect("parameters");
    assert_eq!(kept.parameters().len(), given.len(), "the parameters that a person wrote stay");
}

/// By name; what the tests place beside it has names of its own.
fn is_ours(name: &str) -> bool {
    name.starts_with("skyfox-devprod") && !name.contains("foreign")
}

async fn assert_no_network(aws: &Clients) {
    let vpcs = aws.ec2().describe_vpcs().filters(ours()).send().await.expect("VPCs");
    assert!(vpcs.vpcs().is_empty(), "{vpcs:?}");
    let subnets = aws.ec2().describe_subnets().filters(ours()).send().await.expect("subnets");
    assert!(subnets.subnets().is_empty(), "{subnets:?}");
    let tables = aws.ec2().describe_route_tables().filters(ours()).send().await.expect("route tables");
    assert!(tables.route_tables().is_empty(), "{tables:?}");
    let gateways = aws.ec2().describe_internet_gateways().filters(ours()).send().await.expect("gateways");
    assert!(gateways.internet_gateways().is_empty(), "{gateways:?}");
    let groups = aws.ec2().describe_security_groups().filters(ours()).send().await.expect("groups");
    assert!(groups.security_groups().is_empty(), "{groups:?}");
}

async fn assert_no_compute(aws: &Clients) {
    let templates = aws.ec2().describe_launch_templates().send().await.expect("launch templates");
    assert!(templates.launch_templates().is_empty(), "{templates:?}");
    let groups = aws.autoscaling().describe_auto_scaling_groups().send().await.expect("Auto Scaling groups");
    assert!(groups.auto_scaling_groups().is_empty(), "{groups:?}");
    let clusters = aws.ecs().list_clusters().send().await.expect("clusters");
    assert!(clusters.cluster_arns().is_empty(), "{clusters:?}");
    let providers = aws.ecs().describe_capacity_providers().send().await.expect("capacity providers");
    let ours = providers.capacity_providers().iter().filter_map(|found| found.name()).any(is_ours);
    assert!(!ours, "{providers:?}");
    for status in [TaskDefinitionStatus::Active, TaskDefinitionStatus::Inactive] {
        let request = aws.ecs().list_task_definitions().status(status.clone());
        let definitions = request.send().await.expect("task definitions");
        assert!(definitions.task_definition_arns().is_empty(), "{status:?}: {definitions:?}");
    }
}
