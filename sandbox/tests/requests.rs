//! Each request is checked against its service's own model; what AWS would refuse is refused, and fails the test that
//! did not say so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_lambda::types::Environment;
use aws_sdk_s3::types::{CorsConfiguration, CorsRule};
use serde_json::json;

/// The code of a refusal, and a part of its words.
macro_rules! refused {
    ($call:expr, $code:literal, $words:literal) => {
        let error = $call.send().await.unwrap_err();
        assert_eq!(error.code(), Some($code), "{error:?}");
        let message = error.message().unwrap_or_default();
        assert!(message.contains($words), "{message}");
    };
}

// fidelity: F-GATE-7
#[tokio::test]
async fn each_protocol_refuses_what_its_model_does_not_admit() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let iam = aws_sdk_iam::Client::new(&config);
    refused!(
        iam.create_role().role_name("a b").assume_role_policy_document("{}"),
        "ValidationError",
        "'RoleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"
    );
    let long = "a".repeat(65);
    refused!(iam.get_role().role_name(&long), "ValidationError", "less than or equal to 64, has 65");
    let ec2 = aws_sdk_ec2::Client::new(&config);
    refused!(ec2.describe_vpcs().max_results(1), "InvalidParameterValue", "greater than or equal to 5");
    let lambda = aws_sdk_lambda::Client::new(&config);
    refused!(lambda.get_function().function_name("a b"), "ValidationException", "'FunctionName'");
    refused!(
        lambda.update_function_configuration().function_name("f").memory_size(64),
        "ValidationException",
        "value greater than or equal to 128"
    );
    let ecr = aws_sdk_ecr::Client::new(&config);
    refused!(ecr.create_repository().repository_name("Upper"), "InvalidParameterException", "'repositoryName'");
    let ssm = aws_sdk_ssm::Client::new(&config);
    let names = (0..11).map(|number| format!("/a/{number}")).collect();
    refused!(ssm.get_parameters().set_names(Some(names)), "ValidationException", "less than or equal to 10");
    let refusals = sandbox.expect_refused();
    assert_eq!(refusals.len(), 7, "{refusals:#?}");
    assert!(refusals[0].starts_with("skydeck-test: iam CreateRole: 1 validation error detected"), "{refusals:#?}");
}

// fidelity: F-GATE-7
#[tokio::test]
async fn members_that_are_missing_unknown_or_of_another_type_are_refused() {
    let sandbox = common::sandbox().await;
    let target = |action: &str| format!("AmazonEC2ContainerServiceV20141113.{action}");
    let register = json!({"family": "f", "containerDefinitions": [{"memory": "much", "colour": "red"}]});
    let (status, answer) = common::send(&sandbox, "ecs", "/", Some(&target("RegisterTaskDefinition")), register).await;
    assert_eq!((status, answer["__type"].as_str()), (400, Some("InvalidParameterException")));
    let message = answer["message"].as_str().unwrap();
    assert!(message.starts_with("2 validation errors detected: "), "{message}");
    assert!(message.contains("'containerDefinitions.1.member.memory' is no integer"), "{message}");
    assert!(
        message.contains("'containerDefinitions.1.member.colour' is no member of ContainerDefinition"),
        "{message}"
    );
    let (_, answer) = common::send(&sandbox, "ecs", "/", Some(&target("DescribeServices")), json!({})).await;
    assert!(answer["message"].as_str().unwrap().contains("null at 'services'"), "{answer}");
    let (_, answer) = common::send(&sandbox, "ecs", "/", Some(&target("DescribeNothing")), json!({})).await;
    assert!(answer["message"].as_str().unwrap().contains("no operation DescribeNothing"), "{answer}");
    assert_eq!(sandbox.expect_refused().len(), 3);
}

#[tokio::test]
async fn good_requests_are_counted_and_pass() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    let origins = CorsRule::builder().allowed_methods("GET").allowed_origins("*").build().unwrap();
    let cors = CorsConfiguration::builder().cors_rules(origins).build().unwrap();
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::ApSouth1)
        .build();
    s3.create_bucket().bucket("a-bucket").create_bucket_configuration(place).send().await.unwrap();
    s3.put_bucket_cors().bucket("a-bucket").cors_configuration(cors).send().await.unwrap();
    s3.put_object().bucket("a-bucket").key("a/b c").body("text".as_bytes().to_vec().into()).send().await.unwrap();
    s3.list_objects_v2().bucket("a-bucket").prefix("a/").send().await.unwrap();
    aws_sdk_ec2::Client::new(&config).describe_vpcs().send().await.unwrap();
    let checked = sandbox.checked();
    println!("{checked}");
    assert_eq!((checked.requests, checked.actions.len()), (5, 5), "{checked:#?}");
    assert!(checked.refused.is_empty() && checked.unknown.is_empty(), "{checked:#?}");
}

// fidelity: F-GATE-9
#[tokio::test]
async fn a_refusal_that_nobody_expected_fails_the_test() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    let call = aws_sdk_iam::Client::new(&config).get_role().role_name("a b").send().await;
    assert!(call.is_err());
    let panic = catch_unwind(AssertUnwindSafe(|| drop(sandbox))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("skydeck-test: iam GetRole: 1 validation error detected"), "{text}");
}

// fidelity: F-GATE-9
#[tokio::test]
async fn no_value_of_a_secret_is_told() {
    let sandbox = common::sandbox().await;
    let config = common::person(&sandbox).await;
    // The names of a function's variables count as sensitive, and this one has a sign that is not admitted.
    let variables = Environment::builder().variables("hunter-2", "x").build();
    let update = aws_sdk_lambda::Client::new(&config).update_function_configuration().function_name("f");
    let refused = update.environment(variables).send().await.unwrap_err();
    assert!(refused.message().unwrap().contains("regular expression"), "{refused:?}");
    let refused = sandbox.expect_refused();
    assert!(refused.len() == 1 && !refused[0].contains("hunter"), "{refused:#?}");
}
