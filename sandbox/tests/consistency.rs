//! What was just created is seen late, where a test asks for it: as the real SDK clients see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use skydeck_sandbox::Lag;

#[tokio::test]
async fn what_was_just_created_is_missing_from_lists_and_unknown_by_its_id() {
    let sandbox = common::sandbox().await;
    let ec2 = aws_sdk_ec2::Client::new(&common::person(&sandbox).await);
    let create =
        || async { ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap() };
    // But the account's default one.
    let listed = || async {
        let found = ec2.describe_vpcs().send().await.unwrap();
        let made = found.vpcs().iter().filter(|vpc| vpc.cidr_block() == Some("10.0.0.0/16"));
        made.map(|vpc| vpc.vpc_id().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let old = create().await;
    sandbox.lag(Lag::of("ec2", "CreateVpc", 2));
    let new = create().await;
    assert_eq!(listed().await, std::slice::from_ref(&old));
    assert_eq!(sandbox.calls().last().unwrap().fault.as_deref(), Some("stale"));
    let by_id = || ec2.describe_vpcs().vpc_ids(&new).send();
    assert_eq!(by_id().await.unwrap_err().code(), Some("InvalidVpcID.NotFound"));
    // Nothing else is hidden: a subnet of it is there at once, when the writes that name it know it.
    let subnet = || ec2.create_subnet().vpc_id(&new).cidr_block("10.0.0.0/24").send();
    for _ in 0..2 {
        assert_eq!(subnet().await.unwrap_err().code(), Some("InvalidVpcID.NotFound"));
    }
    let subnet = subnet().await.unwrap().subnet.unwrap();
    let found = ec2.describe_subnets().subnet_ids(subnet.subnet_id().unwrap()).send().await.unwrap();
    assert_eq!(found.subnets()[0].vpc_id(), Some(&*new));
    assert_eq!(by_id().await.unwrap().vpcs().len(), 1);
    let mut all = vec![old, new];
    all.sort();
    let mut seen = listed().await;
    seen.sort();
    assert_eq!(seen, all);

    sandbox.clear_lags();
    let third = create().await;
    assert!(listed().await.contains(&third));
}

#[tokio::test]
async fn a_new_role_is_unknown_to_iam_and_cannot_be_assumed_yet() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let (iam, lambda) = (aws_sdk_iam::Client::new(&config), aws_sdk_lambda::Client::new(&config));
    sandbox.admin().lag(&Lag::of("iam", "*", 1)).await.unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    for role in ["r", "other"] {
        iam.create_role().role_name(role).assume_role_policy_document(trust).send().await.unwrap();
    }
    let details = || async {
        let details = iam.get_account_authorization_details().send().await.unwrap();
        details.role_detail_list().iter().any(|role| role.role_name() == Some("r"))
    };
    assert_eq!((details().await, details().await), (false, true));
    let get = || iam.get_role().role_name("r").send();
    assert_eq!(get().await.unwrap_err().code(), Some("NoSuchEntity"));
    get().await.unwrap();
    let create = || {
        let code = FunctionCode::builder().zip_file(Blob::new(zip())).build();
        let create = lambda.create_function().function_name("f").runtime(Runtime::Providedal2023).handler("bootstrap");
        create.role("arn:aws:iam::000000000000:role/r").code(code).send()
    };
    let refused = create().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterValueException"));
    assert_eq!(refused.message(), Some("The role defined for the function cannot be assumed by Lambda."));
    create().await.unwrap();
}

fn zip() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn ecs_sees_late_and_needs_its_service_linked_role() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let (ecs, iam) = (aws_sdk_ecs::Client::new(&config), aws_sdk_iam::Client::new(&config));
    sandbox.lag(Lag::of("*", "*", 1));
    iam.create_service_linked_role().aws_service_name("ecs.amazonaws.com").send().await.unwrap();
    let create = || ecs.create_cluster().cluster_name("c").send();
    assert!(create().await.unwrap_err().message().unwrap().starts_with("Unable to assume the service linked role."));
    create().await.unwrap();
    let service = || ecs.create_service().cluster("c").service_name("s").desired_count(0).task_definition("f:1").send();
    assert_eq!(service().await.unwrap_err().code(), Some("InvalidParameterException"), "nor is the role seen here");
    let refused = service().await.unwrap_err();
    assert_ne!(refused.code(), Some("InvalidParameterException"), "{refused:?}");
    let missing = ecs.describe_clusters().clusters("c").send().await.unwrap();
    assert_eq!((missing.clusters().len(), missing.failures()[0].reason()), (0, Some("MISSING")));
    assert!(missing.failures()[0].arn().unwrap().ends_with(":cluster/c"));
    assert_eq!(ecs.describe_clusters().clusters("c").send().await.unwrap().clusters().len(), 1);
}

#[tokio::test]
async fn a_write_that_names_a_new_thing_is_told_that_there_is_none() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let (ec2, elb) = (aws_sdk_ec2::Client::new(&config), aws_sdk_elasticloadbalancingv2::Client::new(&config));
    sandbox.lag(Lag::of("*", "*", 1));
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
    let gateway = ec2.create_internet_gateway().send().await.unwrap().internet_gateway.unwrap();
    let gateway = gateway.internet_gateway_id.unwrap();
    let attach = || ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc).send();
    // Each of the two that it names is unknown once.
    let told = (attach().await.unwrap_err(), attach().await.unwrap_err());
    let codes = (told.0.code(), told.1.code());
    assert_eq!(codes, (Some("InvalidVpcID.NotFound"), Some("InvalidInternetGatewayID.NotFound")));
    attach().await.unwrap();
    let group = || elb.create_target_group().name("t").protocol("HTTP".into()).port(80).vpc_id(&vpc).send();
    let refused = group().await.unwrap_err();
    assert_eq!(refused.message().map(|text| text.contains("is not found")), Some(true), "{refused:?}");
    let group = group().await.unwrap().target_groups.unwrap().remove(0).target_group_arn.unwrap();
    let delete = || elb.delete_target_group().target_group_arn(&group).send();
    assert_eq!(delete().await.unwrap_err().code(), Some("TargetGroupNotFound"));
    delete().await.unwrap();
}
