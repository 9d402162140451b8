//! The network interfaces of a function in a VPC stay after it, and go with its role's help only.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime, VpcConfig};

/// More than twenty minutes of AWS.
const LIMIT: Duration = Duration::from_secs(30);

/// A function in a subnet of its own.
async fn function(
    name: &str,
    block: &str,
    vpc: &str,
    clients: &(aws_sdk_ec2::Client, aws_sdk_iam::Client, aws_sdk_lambda::Client),
) -> String {
    let (ec2, iam, lambda) = clients;
    let subnet = ec2.create_subnet().vpc_id(vpc).cidr_block(block).send().await.unwrap().subnet.unwrap();
    let subnet = subnet.subnet_id.unwrap();
    let group = ec2.create_security_group().vpc_id(vpc).group_name(name).description(name).send().await.unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    iam.create_role().role_name(name).assume_role_policy_document(trust).send().await.unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    let code = FunctionCode::builder().zip_file(Blob::new(zip.finish().unwrap().into_inner())).build();
    let inside = VpcConfig::builder().subnet_ids(&subnet).security_group_ids(group.group_id().unwrap()).build();
    let create = lambda.create_function().function_name(name).runtime(Runtime::Providedal2023).handler("bootstrap");
    let create = create.role(format!("arn:aws:iam::000000000000:role/{name}")).code(code).vpc_config(inside);
    create.send().await.unwrap();
    subnet
}

#[tokio::test]
async fn a_functions_interfaces_go_after_a_while_and_never_without_its_role() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let clients =
        (aws_sdk_ec2::Client::new(&config), aws_sdk_iam::Client::new(&config), aws_sdk_lambda::Client::new(&config));
    let (ec2, iam, lambda) = &clients;
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
    let orphan = function("orphan", "10.0.0.0/24", &vpc, &clients).await;
    let orderly = function("orderly", "10.0.1.0/24", &vpc, &clients).await;
    lambda.delete_function().function_name("orphan").send().await.unwrap();
    iam.delete_role().role_name("orphan").send().await.unwrap();
    lambda.delete_function().function_name("orderly").send().await.unwrap();
    let delete = |subnet: &str| ec2.delete_subnet().subnet_id(subnet).send();
    let begun = Instant::now();
    let mut refusals = 0;
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    while let Err(refused) = delete(&orderly).await {
        assert_eq!(refused.code(), Some("DependencyViolation"));
        assert!(begun.elapsed() < LIMIT, "its interface never goes");
        refusals += 1;
        pause.tick().await;
    }
    assert!(refusals > 0, "its interface went with it");
    // The other's was to go earlier.
    assert_eq!(delete(&orphan).await.unwrap_err().code(), Some("DependencyViolation"));
    let interfaces = ec2.describe_network_interfaces().send().await.unwrap();
    let told: Vec<_> = interfaces.network_interfaces().iter().filter_map(|one| one.description()).collect();
    assert!(told.iter().any(|text| text.starts_with("AWS Lambda VPC ENI-orphan")), "{told:?}");
}
