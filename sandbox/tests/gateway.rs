//! The gateway, as real SDK clients see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use skydeck_sandbox::{Call, FOREIGN_ACCOUNT, Fault, FaultKind, Sandbox};

fn last(sandbox: &Sandbox) -> Call {
    sandbox.calls().pop().unwrap()
}

#[tokio::test]
async fn calls_are_named_recorded_and_delayed() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let s3 = aws_sdk_s3::Client::new(&config);
    let location = aws_sdk_s3::types::BucketLocationConstraint::ApSouth1;
    let location = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(location).build();
    s3.create_bucket().bucket("bkt").create_bucket_configuration(location).send().await.unwrap();
    let body = ByteStream::from_static(b"hello");
    s3.put_object().bucket("bkt").key("k/e y").body(body).if_none_match("*").send().await.unwrap();
    let put = last(&sandbox);
    assert_eq!((&*put.service, &*put.action, put.resource.as_deref()), ("s3", "PutObject", Some("bkt/k/e y")));
    assert_eq!((&*put.caller, put.write, put.status), ("skydeck-test", true, Some(200)));
    let again = s3.put_object().bucket("bkt").key("k/e y").body(ByteStream::from_static(b"x")).if_none_match("*");
    assert_eq!(again.send().await.unwrap_err().code(), Some("PreconditionFailed"));
    assert_eq!(last(&sandbox).error.as_deref(), Some("PreconditionFailed"));
    let read = s3.get_object().bucket("bkt").key("k/e y").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes().as_ref(), b"hello");
    assert!(!last(&sandbox).write);
    s3.head_object().bucket("bkt").key("k/e y").send().await.unwrap();
    assert_eq!(last(&sandbox).action, "HeadObject");

    sandbox.set_latency(Duration::from_millis(50));
    let zones = aws_sdk_ec2::Client::new(&config).describe_availability_zones().send().await.unwrap();
    assert_eq!(zones.availability_zones().len(), 3);
    let call = last(&sandbox);
    assert_eq!((&*call.service, &*call.action), ("ec2", "DescribeAvailabilityZones"));
    assert!(call.millis >= 50.0, "{call:?}");

    let seen = sandbox.admin().calls(call.seq - 1).await.unwrap();
    assert_eq!(seen.len(), 1);
    sandbox.admin().clear_calls().await.unwrap();
    assert!(sandbox.calls().is_empty());
    assert_eq!(sandbox.admin().status().await.unwrap().last_call, call.seq);
}

#[tokio::test]
async fn each_fault_is_seen_as_aws_would_show_it() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let iam = aws_sdk_iam::Client::new(&config);
    let ssm = aws_sdk_ssm::Client::new(&config);
    let s3 = aws_sdk_s3::Client::new(&config);
    let lambda = aws_sdk_lambda::Client::new(&config);
    let ecs = aws_sdk_ecs::Client::new(&config);

    for (kind, codes) in [
        (
            FaultKind::Throttle,
            ["RequestLimitExceeded", "Throttling", "ThrottlingException", "SlowDown", "TooManyRequestsException"],
        ),
        (
            FaultKind::Deny,
            ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AccessDenied", "AccessDeniedException"],
        ),
    ] {
        let inject = |service: &str, action: &str| sandbox.inject(Fault::next(service, action, kind.clone()));
        inject("ec2", "DescribeVpcs");
        assert_eq!(ec2.describe_vpcs().send().await.unwrap_err().code(), Some(codes[0]));
        inject("iam", "ListRoles");
        assert_eq!(iam.list_roles().send().await.unwrap_err().code(), Some(codes[1]));
        inject("ssm", "GetParameter");
        assert_eq!(ssm.get_parameter().name("x").send().await.unwrap_err().code(), Some(codes[2]));
        inject("s3", "ListBuckets");
        assert_eq!(s3.list_buckets().send().await.unwrap_err().code(), Some(codes[3]));
        inject("lambda", "ListFunctions");
        assert_eq!(lambda.list_functions().send().await.unwrap_err().code(), Some(codes[4]));
        inject("ecs", "ListClusters");
        assert_eq!(ecs.list_clusters().send().await.unwrap_err().code(), Some(codes[2]));
    }

    let vpcs = || async { ec2.describe_vpcs().send().await.unwrap().vpcs().len() };
    let before = vpcs().await;
    let create = || ec2.create_vpc().cidr_block("10.0.0.0/16").send();
    sandbox.inject(Fault::next("ec2", "CreateVpc", FaultKind::Refuse));
    assert!(create().await.unwrap_err().as_service_error().is_none());
    assert_eq!(vpcs().await, before);
    sandbox.inject(Fault::next("ec2", "CreateVpc", FaultKind::LoseAnswer));
    assert!(create().await.unwrap_err().as_service_error().is_none());
    assert_eq!(vpcs().await, before + 1);
    sandbox.inject(Fault::next("ec2", "CreateVpc", FaultKind::ServerErrorAfter));
    assert_eq!(create().await.unwrap_err().code(), Some("InternalError"));
    assert_eq!(vpcs().await, before + 2);
    let call = sandbox.calls().into_iter().rfind(|call| call.action == "CreateVpc").unwrap();
    assert_eq!((call.status, call.fault.as_deref()), (Some(500), Some("server_error_after")));
}

#[tokio::test]
async fn a_call_that_hangs_can_be_given_up_with_its_effect_or_without_it() {
    let sandbox = common::sandbox().await;
    let ec2 = aws_sdk_ec2::Client::new(&common::person(&sandbox).await);
    let count = async || ec2.describe_internet_gateways().send().await.unwrap().internet_gateways().len();
    let before = count().await;
    for (kind, made) in [(FaultKind::Hang, 0), (FaultKind::HangAfter, 1)] {
        let strikes = sandbox.strikes();
        sandbox.inject(Fault::next("ec2", "CreateInternetGateway", kind));
        tokio::select! {
            answer = ec2.create_internet_gateway().send() => panic!("{answer:?}"),
            () = sandbox.strike_after(strikes) => {}
        }
        sandbox.quiet().await;
        assert_eq!(count().await, before + made);
    }
}

#[tokio::test]
async fn what_is_unseen_is_told_as_before_until_the_faults_are_taken_back() {
    let sandbox = common::sandbox().await;
    let ec2 = aws_sdk_ec2::Client::new(&common::person(&sandbox).await);
    let seen = async || ec2.describe_internet_gateways().send().await.unwrap().internet_gateways().len();
    sandbox.inject(Fault::next("ec2", "CreateInternetGateway", FaultKind::Unseen).from(2, 1));
    let before = seen().await;
    for _ in 0..3 {
        ec2.create_internet_gateway().send().await.unwrap();
    }
    assert_eq!(seen().await, before + 1, "what was there before the call that lags");
    let anew = ec2.describe_internet_gateways().max_results(50).send().await.unwrap();
    assert_eq!(anew.internet_gateways().len(), before + 3, "who asks for the first time is told the truth");
    sandbox.clear_faults();
    assert_eq!(seen().await, before + 3);
}

#[tokio::test]
async fn a_fault_strikes_only_whom_it_is_meant_for() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let ssm = aws_sdk_ssm::Client::new(&config);
    let get = |name: &str| ssm.get_parameter().name(name).send();
    let admin = sandbox.admin();
    admin.inject(&Fault::next("ssm", "*", FaultKind::Deny).by("somebody-else")).await.unwrap();
    admin.inject(&Fault::next("ssm", "GetParameter", FaultKind::Throttle).on("mine").from(2, 2)).await.unwrap();
    let mut codes = Vec::new();
    for name in ["/mine", "/other", "/mine", "/mine", "/mine"] {
        codes.push(get(name).await.unwrap_err().code().unwrap().to_owned());
    }
    let (none, throttled) = ("ParameterNotFound", "ThrottlingException");
    assert_eq!(codes, [none, none, throttled, throttled, none]);
    assert_eq!(admin.status().await.unwrap().faults.len(), 1);
    admin.clear_faults().await.unwrap();
    assert!(admin.status().await.unwrap().faults.is_empty());
}

#[tokio::test]
async fn the_emulator_has_the_facts_that_the_platform_needs() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let ssm = aws_sdk_ssm::Client::new(&config);
    let name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended";
    let image = ssm.get_parameter().name(format!("{name}/image_id")).send().await.unwrap().parameter.unwrap();
    assert!(image.value().unwrap().starts_with("ami-"));
    let found = ssm.get_parameters().names(name).send().await.unwrap();
    assert!(found.parameters()[0].value().unwrap().contains(image.value().unwrap()));

    let iam = aws_sdk_iam::Client::new(&config);
    iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    for policy in [
        "service-role/AmazonEC2ContainerServiceforEC2Role",
        "service-role/AmazonECSTaskExecutionRolePolicy",
        "service-role/AWSLambdaVPCAccessExecutionRole",
        "AmazonSSMManagedInstanceCore",
    ] {
        let arn = format!("arn:aws:iam::aws:policy/{policy}");
        iam.get_policy().policy_arn(&arn).send().await.unwrap();
        iam.attach_role_policy().role_name("r").policy_arn(&arn).send().await.unwrap();
    }
    let role = || iam.create_service_linked_role().aws_service_name("ecs.amazonaws.com").send();
    assert_eq!(role().await.unwrap().role().unwrap().role_name(), "AWSServiceRoleForECS");
    assert_eq!(role().await.unwrap_err().code(), Some("InvalidInput"));
    let found = iam.get_role().role_name("AWSServiceRoleForECS").send().await.unwrap();
    assert_eq!(found.role().unwrap().path(), "/aws-service-role/ecs.amazonaws.com/");
    let unknown = iam.get_policy().policy_arn("arn:aws:iam::aws:policy/AmazonEC2Typo");
    assert_eq!(unknown.send().await.unwrap_err().code(), Some("NoSuchEntity"));
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;

/// Policies are enforced, for what the sandbox answers itself too.
#[tokio::test]
async fn a_role_may_do_what_its_policy_says() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let iam = aws_sdk_iam::Client::new(&config);
    let role = iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Action":["ecs:ListClusters","autoscaling:Describe*","s3:PutObject"],"Resource":"*"}]}"#;
    iam.put_role_policy().role_name("r").policy_name("p").policy_document(policy).send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(&config);
    let arn = role.role().unwrap().arn().to_owned();
    let keys = sts.assume_role().role_arn(arn).role_session_name("session").send().await.unwrap().credentials.unwrap();
    let with = |secret: &str| {
        let token = Some(keys.session_token().to_owned());
        let credentials = Credentials::new(keys.access_key_id(), secret, token, None, "test");
        common::config(sandbox.endpoint(), "skydeck-role", credentials)
    };
    let (good, bad) = (with(keys.secret_access_key()).await, with("wrong").await);

    let ecs = aws_sdk_ecs::Client::new(&good);
    ecs.list_clusters().send().await.unwrap();
    assert_eq!(ecs.create_cluster().send().await.unwrap_err().code(), Some("AccessDeniedException"));
    let asg = aws_sdk_autoscaling::Client::new(&good);
    asg.describe_auto_scaling_groups().send().await.unwrap();
    let denied = asg.set_desired_capacity().auto_scaling_group_name("g").desired_capacity(1).send().await.unwrap_err();
    assert_eq!(denied.code(), Some("AccessDenied"));
    let refused = aws_sdk_ecs::Client::new(&bad).list_clusters().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidSignatureException"));
}

#[tokio::test]
async fn accounts_see_nothing_of_each_other() {
    let sandbox = common::sandbox().await;
    let keys = sandbox.credentials_of(FOREIGN_ACCOUNT);
    let keys = Credentials::new(keys.access_key_id, keys.secret_access_key, None, None, "test");
    let foreign = common::config(sandbox.endpoint(), "somebody", keys).await;
    let own = common::person(&sandbox).await;
    let cluster = aws_sdk_ecs::Client::new(&foreign).create_cluster().cluster_name("c").send().await.unwrap();
    assert!(cluster.cluster().unwrap().cluster_arn().unwrap().contains(FOREIGN_ACCOUNT));
    assert!(aws_sdk_ecs::Client::new(&own).list_clusters().send().await.unwrap().cluster_arns().is_empty());
    let location = aws_sdk_s3::types::BucketLocationConstraint::ApSouth1;
    let location = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(location).build();
    let create = |config| {
        aws_sdk_s3::Client::new(config)
            .create_bucket()
            .bucket("bkt")
            .create_bucket_configuration(location.clone())
            .send()
    };
    create(&foreign).await.unwrap();
    assert_eq!(create(&own).await.unwrap_err().code(), Some("BucketAlreadyExists"));
}

#[tokio::test]
async fn a_share_of_calls_is_throttled() {
    let sandbox = common::sandbox().await;
    let ec2 = aws_sdk_ec2::Client::new(&common::person(&sandbox).await);
    let mut runs = Vec::new();
    for _ in 0..2 {
        sandbox.inject(Fault::next("ec2", "DescribeVpcs", FaultKind::Throttle).by_chance(50, 7));
        let mut failed = Vec::new();
        for _ in 0..20 {
            failed.push(ec2.describe_vpcs().send().await.is_err());
        }
        sandbox.clear_faults();
        runs.push(failed);
    }
    assert!(runs[0].contains(&true) && runs[0].contains(&false), "{runs:?}");
    assert_eq!(runs[0], runs[1]);
}
