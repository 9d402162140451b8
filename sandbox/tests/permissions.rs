//! What a call is asked of: all that it touches, the roles that it hands on, and under which conditions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_ec2::types::{
    LaunchTemplateIamInstanceProfileSpecificationRequest as InstanceProfile, RequestLaunchTemplateData,
};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use serde_json::{Value, json};
use skydeck_sandbox::Sandbox;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;

/// A sandbox with a role, and the person who gives it its policy.
struct Stage {
    sandbox: Sandbox,
    person: SdkConfig,
    role: SdkConfig,
}

impl Stage {
    async fn new() -> Self {
        let sandbox = common::sandbox().await;
        let person = common::person(&sandbox).await;
        let iam = aws_sdk_iam::Client::new(&person);
        let made = iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
        let arn = made.role().unwrap().arn();
        let sts = aws_sdk_sts::Client::new(&person);
        let keys =
            sts.assume_role().role_arn(arn).role_session_name("session").send().await.unwrap().credentials.unwrap();
        let token = Some(keys.session_token().to_owned());
        let keys = Credentials::new(keys.access_key_id(), keys.secret_access_key(), token, None, "test");
        let role = common::config(sandbox.endpoint(), "skydeck-role", keys).await;
        Stage { sandbox, person, role }
    }

    /// Gives the role just these rights: of each the action, the resource, and the condition.
    async fn may(&self, rights: &[(&str, &str, Value)]) {
        let statement = |(action, resource, condition): &(&str, &str, Value)| {
            let mut said = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
            if !condition.is_null() {
                said["Condition"] = condition.clone();
            }
            said
        };
        let statements: Vec<Value> = rights.iter().map(statement).collect();
        let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let iam = aws_sdk_iam::Client::new(&self.person);
        iam.put_role_policy().role_name("r").policy_name("p").policy_document(document).send().await.unwrap();
    }
}

/// Whether a call was denied; any other failure is none.
fn is_denied<T, E: ProvideErrorMetadata, R>(answer: &Result<T, SdkError<E, R>>) -> bool {
    let code = answer.as_ref().err().and_then(|error| error.as_service_error()?.code());
    code.is_some_and(|code| ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"].contains(&code))
}

#[tokio::test]
async fn a_call_needs_a_right_to_all_that_it_touches() {
    let stage = Stage::new().await;
    let vpc = aws_sdk_ec2::Client::new(&stage.person).create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let vpc = vpc.vpc().unwrap().vpc_id().unwrap().to_owned();
    let ec2 = aws_sdk_ec2::Client::new(&stage.role);
    let subnet = || ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/24").send();
    let in_vpc = format!("arn:aws:ec2:ap-south-1:000000000000:vpc/{vpc}");
    let subnets = "arn:aws:ec2:ap-south-1:000000000000:subnet/*";
    stage.may(&[("ec2:CreateSubnet", subnets, Value::Null)]).await;
    assert!(is_denied(&subnet().await), "the VPC is touched too");
    stage.may(&[("ec2:CreateSubnet", &in_vpc, Value::Null)]).await;
    assert!(is_denied(&subnet().await), "and the subnet");
    stage.may(&[("ec2:CreateSubnet", subnets, Value::Null), ("ec2:CreateSubnet", &in_vpc, Value::Null)]).await;
    assert!(subnet().await.is_ok());

    let ecs = aws_sdk_ecs::Client::new(&stage.role);
    stage.may(&[("ecs:DescribeServices", "arn:aws:ecs:ap-south-1:000000000000:service/c/ours", Value::Null)]).await;
    let described = |service: &str| ecs.describe_services().cluster("c").services(service).send();
    assert!(!is_denied(&described("ours").await));
    assert!(is_denied(&described("theirs").await));

    let ssm = aws_sdk_ssm::Client::new(&stage.role);
    stage.may(&[("ssm:GetParameters", "arn:aws:ssm:ap-south-1:000000000000:parameter/ours/*", Value::Null)]).await;
    assert!(!is_denied(&ssm.get_parameters().names("/ours/a").send().await));
    assert!(is_denied(&ssm.get_parameters().names("/ours/a").names("/theirs/b").send().await), "each of them");
}

#[tokio::test]
async fn a_role_is_handed_on_by_who_may_and_to_whom() {
    let stage = Stage::new().await;
    let ecs = aws_sdk_ecs::Client::new(&stage.role);
    let role = "arn:aws:iam::000000000000:role/task";
    let container = aws_sdk_ecs::types::ContainerDefinition::builder().name("c").image("i").memory(64).build();
    let register = || {
        let request = ecs.register_task_definition().family("f").task_role_arn(role);
        request.container_definitions(container.clone()).send()
    };
    let own = ("ecs:RegisterTaskDefinition", "arn:aws:ecs:ap-south-1:000000000000:task-definition/f:*", Value::Null);
    let to = |service: &str| json!({ "StringEquals": { "iam:PassedToService": service } });
    stage.may(std::slice::from_ref(&own)).await;
    assert!(is_denied(&register().await), "no right to hand a role on");
    stage.may(&[own.clone(), ("iam:PassRole", role, to("lambda.amazonaws.com"))]).await;
    assert!(is_denied(&register().await), "to another service");
    stage
        .may(&[own.clone(), ("iam:PassRole", "arn:aws:iam::000000000000:role/other", to("ecs-tasks.amazonaws.com"))])
        .await;
    assert!(is_denied(&register().await), "another role");
    stage.may(&[own, ("iam:PassRole", role, to("ecs-tasks.amazonaws.com"))]).await;
    assert!(!is_denied(&register().await));

    // Whoever gives a service a task definition hands on its roles.
    let person = aws_sdk_ecs::Client::new(&stage.person);
    person.create_cluster().cluster_name("c").send().await.unwrap();
    person
        .create_service()
        .cluster("c")
        .service_name("s")
        .task_definition("f:1")
        .desired_count(0)
        .send()
        .await
        .unwrap();
    let own = ("ecs:UpdateService", "arn:aws:ecs:ap-south-1:000000000000:service/c/s", Value::Null);
    stage.may(std::slice::from_ref(&own)).await;
    let update = || ecs.update_service().cluster("c").service("s");
    assert!(!is_denied(&update().desired_count(0).send().await), "no definition, no role");
    assert!(is_denied(&update().task_definition("f:1").send().await), "no right to hand a role on");
    stage.may(&[own, ("iam:PassRole", role, to("ecs-tasks.amazonaws.com"))]).await;
    assert!(!is_denied(&update().task_definition("f:1").send().await));
}

#[tokio::test]
async fn a_role_is_changed_where_its_path_and_its_boundary_say() {
    let stage = Stage::new().await;
    let (person, iam) = (aws_sdk_iam::Client::new(&stage.person), aws_sdk_iam::Client::new(&stage.role));
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let made = person.create_policy().policy_name("most").policy_document(policy).send().await.unwrap();
    let boundary = made.policy().unwrap().arn().unwrap().to_owned();
    let bounded = json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } });
    let ours = "arn:aws:iam::000000000000:role/ours/*";
    stage
        .may(&[
            ("iam:CreateRole", ours, bounded.clone()),
            ("iam:PutRolePolicy", ours, bounded.clone()),
            ("iam:AttachRolePolicy", ours, json!({ "ArnEquals": { "iam:PolicyARN": boundary } })),
        ])
        .await;
    let create = |path: &str, name: &str, boundary: Option<&str>| {
        let request = iam.create_role().path(path).role_name(name).assume_role_policy_document(TRUST);
        request.set_permissions_boundary(boundary.map(ToOwned::to_owned)).send()
    };
    assert!(is_denied(&create("/ours/", "a", None).await), "without the boundary");
    assert!(is_denied(&create("/theirs/", "a", Some(&boundary)).await), "under another path");
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    assert!(is_denied(&create("/ours/", "a", Some(admin)).await), "with another boundary");
    create("/ours/", "a", Some(&boundary)).await.unwrap();

    let put = |name: &str| iam.put_role_policy().role_name(name).policy_name("p").policy_document(policy).send();
    put("a").await.unwrap();
    person.create_role().path("/ours/").role_name("b").assume_role_policy_document(TRUST).send().await.unwrap();
    assert!(is_denied(&put("b").await), "a role that somebody made without the boundary");
    assert!(is_denied(&put("r").await), "the own role");
    let attach = |policy: &str| iam.attach_role_policy().role_name("a").policy_arn(policy).send();
    assert!(is_denied(&attach(admin).await));
    attach(&boundary).await.unwrap();
}

#[tokio::test]
async fn who_makes_a_group_needs_what_its_template_launches_and_hands_on() {
    let stage = Stage::new().await;
    let (person, ec2) = (aws_sdk_iam::Client::new(&stage.person), aws_sdk_ec2::Client::new(&stage.person));
    let role = person.create_role().role_name("instance").assume_role_policy_document(TRUST).send().await.unwrap();
    let role = role.role().unwrap().arn().to_owned();
    let profile = person.create_instance_profile().instance_profile_name("instance").send().await.unwrap();
    let profile = profile.instance_profile().unwrap().arn().to_owned();
    let add = person.add_role_to_instance_profile().instance_profile_name("instance").role_name("instance");
    add.send().await.unwrap();
    let data =
        RequestLaunchTemplateData::builder().iam_instance_profile(InstanceProfile::builder().arn(profile).build());
    let template = ec2.create_launch_template().launch_template_name("template").launch_template_data(data.build());
    template.send().await.unwrap();
    let asg = aws_sdk_autoscaling::Client::new(&stage.role);
    let template = || {
        let template = aws_sdk_autoscaling::types::LaunchTemplateSpecification::builder();
        template.launch_template_name("template").version("1").build()
    };
    let create = || {
        let request = asg.create_auto_scaling_group().auto_scaling_group_name("g").min_size(0).max_size(1);
        request.availability_zones("ap-south-1a").launch_template(template()).send()
    };
    let own = (
        "autoscaling:*",
        "arn:aws:autoscaling:ap-south-1:000000000000:autoScalingGroup:*:autoScalingGroupName/g",
        Value::Null,
    );
    stage.may(std::slice::from_ref(&own)).await;
    let made = create().await;
    assert!(is_denied(&made), "no right to launch: {made:?}");
    let run = ("ec2:RunInstances", "*", Value::Null);
    stage.may(&[own.clone(), run.clone()]).await;
    assert!(is_denied(&create().await), "no right to hand the instances' role on");
    stage.may(&[own, run, ("iam:PassRole", &role, Value::Null)]).await;
    assert!(!is_denied(&create().await));
    drop(stage.sandbox);
}

/// What has these tags in the request, and what has them.
fn requested() -> Value {
    json!({ "StringEquals": { "aws:RequestTag/skydeck:installation": "here" } })
}

fn had() -> Value {
    json!({ "StringEquals": { "aws:ResourceTag/skydeck:installation": "here" } })
}

fn made_by(key: &str, action: &str) -> Value {
    json!({ "StringEquals": { key: action } })
}

#[tokio::test]
async fn tags_of_ec2_are_asked_of_what_is_made_and_what_is_there() {
    use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
    let stage = Stage::new().await;
    let ec2 = aws_sdk_ec2::Client::new(&stage.role);
    let vpcs = "arn:aws:ec2:ap-south-1:000000000000:vpc/*";
    let tag = |value: &str| Tag::builder().key("skydeck:installation").value(value).build();
    let specification =
        |value: &str| TagSpecification::builder().resource_type(ResourceType::Vpc).tags(tag(value)).build();
    let create =
        |value: &str| ec2.create_vpc().cidr_block("10.0.0.0/16").tag_specifications(specification(value)).send();
    stage.may(&[("ec2:CreateVpc", vpcs, requested())]).await;
    assert!(is_denied(&create("here").await), "what is made with tags is tagged");
    let tagging = ("ec2:CreateTags", vpcs, made_by("ec2:CreateAction", "CreateVpc"));
    stage.may(&[("ec2:CreateVpc", vpcs, requested()), tagging.clone()]).await;
    assert!(is_denied(&create("elsewhere").await));
    assert!(is_denied(&ec2.create_vpc().cidr_block("10.0.0.0/16").send().await), "without the tag");
    let made = create("here").await.unwrap();
    let ours = made.vpc().unwrap().vpc_id().unwrap();
    let person = aws_sdk_ec2::Client::new(&stage.person);
    let made = person.create_vpc().cidr_block("10.1.0.0/16").send().await.unwrap();
    let theirs = made.vpc().unwrap().vpc_id().unwrap();
    let take = || ec2.create_tags().resources(theirs).tags(tag("here")).send();
    assert!(is_denied(&take().await), "a tag of what is there makes nothing");
    stage.may(&[("ec2:DeleteVpc", vpcs, had()), ("ec2:CreateTags", vpcs, had())]).await;
    assert!(is_denied(&take().await));
    assert!(is_denied(&ec2.delete_vpc().vpc_id(theirs).send().await));
    assert!(!is_denied(&ec2.create_tags().resources(ours).tags(tag("here")).send().await));
    assert!(!is_denied(&ec2.delete_vpc().vpc_id(ours).send().await));
    assert!(is_denied(&ec2.delete_vpc().vpc_id(ours).send().await), "what is gone has no tags");
}

#[tokio::test]
async fn tags_of_ecs_are_asked_of_what_is_made_and_what_is_there() {
    use aws_sdk_ecs::types::Tag;
    let stage = Stage::new().await;
    let (ecs, person) = (aws_sdk_ecs::Client::new(&stage.role), aws_sdk_ecs::Client::new(&stage.person));
    let clusters = "arn:aws:ecs:ap-south-1:000000000000:cluster/*";
    let tag = || Tag::builder().key("skydeck:installation").value("here").build();
    let create = || ecs.create_cluster().cluster_name("ours").tags(tag()).send();
    stage.may(&[("ecs:CreateCluster", clusters, requested())]).await;
    assert!(is_denied(&create().await), "what is made with tags is tagged");
    let tagging = ("ecs:TagResource", clusters, made_by("ecs:CreateAction", "CreateCluster"));
    stage.may(&[("ecs:CreateCluster", clusters, requested()), tagging]).await;
    assert!(is_denied(&ecs.create_cluster().cluster_name("ours").send().await), "without the tag");
    create().await.unwrap();
    person.create_cluster().cluster_name("theirs").send().await.unwrap();
    let take = || {
        let arn = "arn:aws:ecs:ap-south-1:000000000000:cluster/theirs";
        ecs.tag_resource().resource_arn(arn).tags(tag()).send()
    };
    assert!(is_denied(&take().await), "a tag of what is there makes nothing");
    stage.may(&[("ecs:DeleteCluster", clusters, had()), ("ecs:TagResource", clusters, had())]).await;
    assert!(is_denied(&take().await));
    assert!(is_denied(&ecs.delete_cluster().cluster("theirs").send().await));
    assert!(!is_denied(&ecs.delete_cluster().cluster("ours").send().await));
}

/// Of each service: who may change what has a tag may not change what has none.
#[tokio::test]
async fn each_service_tells_what_tags_there_are() {
    let stage = Stage::new().await;
    let tags = || std::collections::HashMap::from([("skydeck:installation".to_owned(), "here".to_owned())]);
    stage
        .may(&[
            ("logs:DeleteLogGroup", "arn:aws:logs:ap-south-1:000000000000:log-group:*", had()),
            ("ecr:DeleteRepository", "arn:aws:ecr:ap-south-1:000000000000:repository/*", had()),
            ("ssm:DeleteParameter", "*", had()),
        ])
        .await;
    let person = aws_sdk_cloudwatchlogs::Client::new(&stage.person);
    person.create_log_group().log_group_name("/ours").set_tags(Some(tags())).send().await.unwrap();
    person.create_log_group().log_group_name("/theirs").send().await.unwrap();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&stage.role);
    assert!(is_denied(&logs.delete_log_group().log_group_name("/theirs").send().await));
    assert!(!is_denied(&logs.delete_log_group().log_group_name("/ours").send().await));

    let person = aws_sdk_ecr::Client::new(&stage.person);
    let tag = aws_sdk_ecr::types::Tag::builder().key("skydeck:installation").value("here").build().unwrap();
    person.create_repository().repository_name("ours").tags(tag).send().await.unwrap();
    person.create_repository().repository_name("theirs").send().await.unwrap();
    let ecr = aws_sdk_ecr::Client::new(&stage.role);
    assert!(is_denied(&ecr.delete_repository().repository_name("theirs").send().await));
    assert!(!is_denied(&ecr.delete_repository().repository_name("ours").send().await));

    let person = aws_sdk_ssm::Client::new(&stage.person);
    let tag = aws_sdk_ssm::types::Tag::builder().key("skydeck:installation").value("here").build().unwrap();
    let put =
        |name: &str| person.put_parameter().name(name).value("v").r#type(aws_sdk_ssm::types::ParameterType::String);
    put("/ours").tags(tag).send().await.unwrap();
    put("/theirs").send().await.unwrap();
    let ssm = aws_sdk_ssm::Client::new(&stage.role);
    assert!(is_denied(&ssm.delete_parameter().name("/theirs").send().await));
    assert!(!is_denied(&ssm.delete_parameter().name("/ours").send().await));
}

#[tokio::test]
async fn who_gives_a_parameter_another_value_is_asked_whether_it_may_be_overwritten() {
    let stage = Stage::new().await;
    let ssm = aws_sdk_ssm::Client::new(&stage.role);
    let put = |overwrite: bool| {
        let request = ssm.put_parameter().name("/ours").value("v").overwrite(overwrite);
        request.r#type(aws_sdk_ssm::types::ParameterType::String).send()
    };
    let overwriting = |said: &str| ("ssm:PutParameter", "*", json!({ "StringEquals": { "ssm:Overwrite": said } }));
    stage.may(&[overwriting("false")]).await;
    put(false).await.unwrap();
    assert!(is_denied(&put(true).await));
    stage.may(&[overwriting("true")]).await;
    put(true).await.unwrap();
    assert!(is_denied(&put(false).await));
}

#[tokio::test]
async fn tags_of_target_groups_are_asked_of_what_is_made_and_what_is_there() {
    use aws_sdk_elasticloadbalancingv2::operation::create_target_group::CreateTargetGroupOutput as Made;
    use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, Tag};
    let stage = Stage::new().await;
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&stage.role);
    let person = aws_sdk_elasticloadbalancingv2::Client::new(&stage.person);
    let vpc = aws_sdk_ec2::Client::new(&stage.person).create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    let make = |client: &aws_sdk_elasticloadbalancingv2::Client, name: &str| {
        let request = client.create_target_group().name(name).protocol(ProtocolEnum::Http).port(80);
        request.vpc_id(vpc.vpc().unwrap().vpc_id().unwrap())
    };
    let arn = |made: &Made| made.target_groups()[0].target_group_arn().unwrap().to_owned();
    let ours = || make(&elb, "ours").tags(Tag::builder().key("skydeck:installation").value("here").build()).send();
    let create = ("elasticloadbalancing:CreateTargetGroup", "*", requested());
    stage.may(std::slice::from_ref(&create)).await;
    assert!(is_denied(&ours().await), "what is made with tags is tagged");
    let making = made_by("elasticloadbalancing:CreateAction", "CreateTargetGroup");
    let delete = ("elasticloadbalancing:DeleteTargetGroup", "*", had());
    stage.may(&[create, ("elasticloadbalancing:AddTags", "*", making), delete]).await;
    assert!(is_denied(&make(&elb, "ours").send().await), "without the tag");
    let ours = arn(&ours().await.unwrap());
    let theirs = arn(&make(&person, "theirs").send().await.unwrap());
    assert!(is_denied(&elb.delete_target_group().target_group_arn(theirs).send().await));
    assert!(!is_denied(&elb.delete_target_group().target_group_arn(ours).send().await));
}

/// Who puts an object with tags needs the right to tag it with those, and what a role was asked for is written down.
#[tokio::test]
async fn tags_of_objects_are_asked_of_who_puts_them_and_all_that_is_asked_is_written_down() {
    let stage = Stage::new().await;
    let s3 = |config: &SdkConfig| {
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    };
    let (person, role) = (s3(&stage.person), s3(&stage.role));
    let place = aws_sdk_s3::types::BucketLocationConstraint::ApSouth1;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
    person.create_bucket().bucket("ours").create_bucket_configuration(place).send().await.unwrap();
    let put = |tags: &str| role.put_object().bucket("ours").key("k").tagging(tags).send();
    let own = ("s3:PutObject", "arn:aws:s3:::ours/*", Value::Null);
    stage.may(std::slice::from_ref(&own)).await;
    assert!(is_denied(&put("passing=true").await), "no right to tag");
    let keys = json!({ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": ["passing"] } });
    stage.may(&[own, ("s3:PutObjectTagging", "arn:aws:s3:::ours/*", keys)]).await;
    assert!(is_denied(&put("passing=true&other=1").await), "another tag");
    put("passing=true").await.unwrap();

    let asked: Vec<(String, bool)> =
        stage.sandbox.asked().into_iter().map(|asked| (asked.action, asked.allowed)).collect();
    let pair = |action: &str, allowed: bool| (action.to_owned(), allowed);
    assert_eq!(
        asked,
        [pair("s3:PutObject", true), pair("s3:PutObjectTagging", false), pair("s3:PutObjectTagging", true)]
    );
    assert!(stage.sandbox.asked().iter().all(|asked| asked.role == "r"));
}
