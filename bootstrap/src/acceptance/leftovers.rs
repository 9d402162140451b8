//! What is left of a run: each service is asked for what has one of its names or tags. Nothing of the installer's own looks is used.

use aws_sdk_ec2::types::Filter;
use aws_sdk_iam::types::PolicyScopeType;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Result};
use skydeck_core::scope::TAG_INSTALLATION;

use super::clean::MARK;
use super::plan::PREFIX;
use crate::context::Account;

/// The beginnings of all names: of skydeck's own things, and of the platform's.
const BEGINNINGS: [&str; 2] = ["skydeck-", PREFIX];

/// What is left, with AWS's word for it.
pub(super) async fn find(clients: &Clients, account: &Account) -> Result<Vec<String>> {
    let mut left = Vec::new();
    network(clients, account, &mut left).await?;
    identity(clients, account, &mut left).await?;
    containers(clients, &mut left).await?;
    data(clients, account, &mut left).await?;
    runs(clients, &mut left).await?;
    Ok(left)
}

/// Adds what has one of the run's names.
fn add<'a>(left: &mut Vec<String>, kind: &str, names: impl IntoIterator<Item = Option<&'a str>>) {
    let is_ours = |name: &&str| BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    left.extend(names.into_iter().flatten().filter(is_ours).map(|name| format!("{kind} {name}")));
}

/// All pages of a list.
macro_rules! all {
    ($request:expr, $what:literal) => {
        $request
            .into_paginator()
            .items()
            .send()
            .collect::<std::result::Result<Vec<_>, _>>()
            .await
            .during("list", $what)?
    };
}

/// EC2's things have ids: they are known by the tag that skydeck gives all of them.
async fn network(clients: &Clients, account: &Account, left: &mut Vec<String>) -> Result<()> {
    let ec2 = clients.ec2();
    let ours = Filter::builder().name(format!("tag:{TAG_INSTALLATION}")).values(&account.region).build();
    let mut tagged = |kind: &str, id: Option<&str>| left.push(format!("{kind} {}", id.unwrap_or_default()));
    let found = ec2.describe_vpcs().filters(ours.clone()).send().await.during("list", "VPCs")?;
    found.vpcs().iter().for_each(|vpc| tagged("VPC", vpc.vpc_id()));
    let found = ec2.describe_subnets().filters(ours.clone()).send().await.during("list", "subnets")?;
    found.subnets().iter().for_each(|subnet| tagged("subnet", subnet.subnet_id()));
    let found = ec2.describe_security_groups().filters(ours.clone()).send().await.during("list", "security groups")?;
    found.security_groups().iter().for_each(|group| tagged("security group", group.group_id()));
    let found = ec2.describe_internet_gateways().filters(ours.clone()).send().await.during("list", "gateways")?;
    found.internet_gateways().iter().for_each(|gateway| tagged("internet gateway", gateway.internet_gateway_id()));
    let found = ec2.describe_route_tables().filters(ours.clone()).send().await.during("list", "route tables")?;
    found.route_tables().iter().for_each(|table| tagged("route table", table.route_table_id()));
    let found = ec2.describe_volumes().filters(ours.clone()).send().await.during("list", "volumes")?;
    found.volumes().iter().for_each(|volume| tagged("volume", volume.volume_id()));
    // Those that have ended are told for an hour.
    let alive = ["pending", "running", "stopping", "stopped", "shutting-down"].map(String::from).to_vec();
    let alive = Filter::builder().name("instance-state-name").set_values(Some(alive)).build();
    let found = ec2.describe_instances().filters(ours).filters(alive).send().await.during("list", "instances")?;
    let instances = found.reservations().iter().flat_map(|reservation| reservation.instances());
    instances.for_each(|instance| tagged("instance", instance.instance_id()));
    let found = ec2.describe_launch_templates().send().await.during("list", "launch templates")?;
    add(left, "launch template", found.launch_templates().iter().map(|one| one.launch_template_name()));
    let found = clients.elb().describe_load_balancers().send().await.during("list", "load balancers")?;
    add(left, "load balancer", found.load_balancers().iter().map(|one| one.load_balancer_name()));
    let found = clients.elb().describe_target_groups().send().await.during("list", "target groups")?;
    add(left, "target group", found.target_groups().iter().map(|one| one.target_group_name()));
    Ok(())
}

/// The regions of an account share IAM: ours have the region's name in theirs, or lie under it.
async fn identity(clients: &Clients, account: &Account, left: &mut Vec<String>) -> Result<()> {
    let iam = clients.iam();
    let here = |name: &str| name.ends_with(&account.region);
    let found = all!(iam.list_roles(), "roles");
    add(left, "role", found.iter().map(|one| Some(one.role_name()).filter(|name| here(name))));
    let found = all!(iam.list_policies().scope(PolicyScopeType::Local), "policies");
    add(left, "policy", found.iter().map(|one| one.policy_name().filter(|name| here(name))));
    let found = all!(iam.list_instance_profiles(), "instance profiles");
    add(left, "instance profile", found.iter().map(|one| Some(one.instance_profile_name()).filter(|name| here(name))));
    Ok(())
}

async fn containers(clients: &Clients, left: &mut Vec<String>) -> Result<()> {
    let ecs = clients.ecs();
    let found = ecs.describe_clusters().clusters(PREFIX).send().await.during("describe cluster", PREFIX)?;
    let alive = found.clusters().iter().filter(|cluster| cluster.status() != Some("INACTIVE"));
    add(left, "cluster", alive.map(|cluster| cluster.cluster_name()));
    let found = ecs.list_task_definition_families().family_prefix(PREFIX);
    let found = found.status(aws_sdk_ecs::types::TaskDefinitionFamilyStatus::Active).send().await;
    let found = found.during("list", "task definitions")?;
    add(left, "task definition", found.families().iter().map(|name| Some(name.as_str())));
    let found = all!(clients.autoscaling().describe_auto_scaling_groups(), "Auto Scaling groups");
    add(left, "Auto Scaling group", found.iter().map(|one| one.auto_scaling_group_name()));
    let found = all!(clients.ecr().describe_repositories(), "repositories");
    add(left, "repository", found.iter().map(|one| one.repository_name()));
    Ok(())
}

async fn data(clients: &Clients, account: &Account, left: &mut Vec<String>) -> Result<()> {
    let found = all!(clients.s3().list_buckets().bucket_region(&account.region), "buckets");
    add(left, "bucket", found.iter().map(|one| one.name().filter(|name| name.contains(&account.region))));
    let found = all!(clients.logs().describe_log_groups(), "log groups");
    // Lambda's have the function's name behind a path, and those of containers the platform's.
    let names = found.iter().map(|one| one.log_group_name().and_then(|name| name.rsplit('/').next()));
    add(left, "log group", names);
    let found = clients.ssm().get_parameter().name(MARK).send().await;
    left.extend(found.find(&["ParameterNotFound"], "read parameter", MARK)?.map(|_| format!("parameter {MARK}")));
    Ok(())
}

/// What runs, and what starts it.
async fn runs(clients: &Clients, left: &mut Vec<String>) -> Result<()> {
    let found = all!(clients.lambda().list_functions(), "functions");
    add(left, "function", found.iter().map(|one| one.function_name()));
    let found = all!(clients.sfn().list_state_machines(), "state machines");
    add(left, "state machine", found.iter().map(|one| Some(one.name())));
    let found = clients.events().list_rules().send().await.during("list", "rules")?;
    add(left, "rule", found.rules().iter().map(|one| one.name()));
    let found = all!(clients.sqs().list_queues(), "queues");
    add(left, "queue", found.iter().map(|url| url.rsplit('/').next()));
    Ok(())
}
