//! Signatures, as real SDK clients make them, and as nobody may.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, ChecksumAlgorithm, CreateBucketConfiguration};
use common::raw::{self, Raw};
use skydeck_sandbox::{ACCOUNT, Sandbox};

/// The codes with which services of each protocol refuse somebody: EC2, IAM, S3, Lambda, ECS.
async fn refused(sandbox: &Sandbox, keys: Credentials) -> [String; 5] {
    let config = common::config(sandbox.endpoint(), "somebody", keys).await;
    macro_rules! code {
        ($call:expr) => {
            $call.send().await.unwrap_err().code().unwrap_or_default().to_owned()
        };
    }
    [
        code!(aws_sdk_ec2::Client::new(&config).describe_vpcs()),
        code!(aws_sdk_iam::Client::new(&config).list_roles()),
        code!(aws_sdk_s3::Client::new(&config).list_buckets()),
        code!(aws_sdk_lambda::Client::new(&config).list_functions()),
        code!(aws_sdk_ecs::Client::new(&config).list_clusters()),
    ]
}

// fidelity: F-IAM-2
#[tokio::test]
async fn another_secret_and_an_unknown_key_are_refused_as_each_protocol_does() {
    let sandbox = common::sandbox().await;
    let before = sandbox.last_call();
    let other = Credentials::new(ACCOUNT, "test", None, None, "test");
    let mismatch = "SignatureDoesNotMatch";
    let invalid = "InvalidSignatureException";
    assert_eq!(refused(&sandbox, other).await, ["AuthFailure", mismatch, mismatch, invalid, invalid]);
    let secret = sandbox.credentials().secret_access_key;
    let unrecognized = "UnrecognizedClientException";
    for key in ["AKIAIOSFODNN7EXAMPLE", "test", "00000000000"] {
        let unknown = Credentials::new(key, &secret, None, None, "test");
        let expected = ["AuthFailure", "InvalidClientTokenId", "InvalidAccessKeyId", unrecognized, unrecognized];
        assert_eq!(refused(&sandbox, unknown).await, expected);
    }
    assert_eq!(sandbox.last_call(), before, "what nobody has signed is no call");
}

#[tokio::test]
async fn what_was_signed_is_all_that_is_done() {
    let sandbox = common::sandbox().await;
    let (port, keys) = (raw::port(&sandbox), sandbox.credentials());
    let create = |cidr: &str| format!("Action=CreateVpc&Version=2016-11-15&CidrBlock={cidr}");
    let signed = Raw::new("POST", "/", &create("10.0.0.0%2F16")).signed(&keys, "ec2");
    let before = sandbox.last_call();
    let (status, answer) = signed.send_instead(port, &create("10.9.0.0%2F16")).await;
    assert!(status == 401 && answer.contains("AuthFailure"), "{answer}");
    let put = Raw::new("PUT", "/bkt/key", "one").signed(&keys, "s3");
    let (status, answer) = put.send_instead(port, "two").await;
    assert!(status == 400 && answer.contains("XAmzContentSHA256Mismatch"), "{answer}");
    for (back, codes) in [(true, "RequestTimeTooSkewed"), (false, "RequestTimeTooSkewed")] {
        let hour = Duration::from_secs(3600);
        let time = if back { SystemTime::now() - hour } else { SystemTime::now() + hour };
        let (status, answer) = Raw::new("GET", "/", "").signed_at(&keys, "s3", time).send(port).await;
        assert!(status == 403 && answer.contains(codes), "{answer}");
    }
    let unsigned = Raw::new("GET", "/bkt/key", "").send(port).await;
    assert!(unsigned.0 == 403 && unsigned.1.contains("<Code>AccessDenied</Code>"), "{unsigned:?}");
    assert_eq!(sandbox.last_call(), before);
    assert_eq!(signed.send(port).await.0, 200);
}

async fn bucket(s3: &aws_sdk_s3::Client) {
    let location = BucketLocationConstraint::ApSouth1;
    let location = CreateBucketConfiguration::builder().location_constraint(location).build();
    s3.create_bucket().bucket("bkt").create_bucket_configuration(location).send().await.unwrap();
}

/// Method, path with query, and headers of a presigned request.
fn presigned(request: &aws_sdk_s3::presigning::PresignedRequest) -> Raw {
    let (_, path) = request.uri().split_once("://").unwrap().1.split_once('/').unwrap();
    let raw = Raw::new(request.method(), &format!("/{path}"), "hello");
    request.headers().filter(|(name, _)| *name != "host").fold(raw, |raw, (name, value)| raw.with(name, value))
}

#[tokio::test]
async fn an_address_that_was_signed_in_advance_holds_for_what_it_says_and_as_long() {
    let sandbox = common::sandbox().await;
    let s3 = aws_sdk_s3::Client::new(&common::person(&sandbox).await);
    let port = raw::port(&sandbox);
    bucket(&s3).await;
    let key = "a key/ü+&=~/../(1)";
    let holds = || PresigningConfig::expires_in(Duration::from_secs(600)).unwrap();
    let put = presigned(&s3.put_object().bucket("bkt").key(key).presigned(holds()).await.unwrap());
    let (status, answer) = put.send(port).await;
    assert_eq!(status, 200, "{answer}");
    let get = presigned(&s3.get_object().bucket("bkt").key(key).presigned(holds()).await.unwrap());
    assert_eq!(get.send_instead(port, "").await, (200, "hello".to_owned()));
    let long_ago = SystemTime::now() - Duration::from_secs(700);
    let past = PresigningConfig::builder().start_time(long_ago).expires_in(Duration::from_secs(600)).build().unwrap();
    let past = presigned(&s3.get_object().bucket("bkt").key(key).presigned(past).await.unwrap());
    let (status, answer) = past.send_instead(port, "").await;
    assert!(status == 403 && answer.contains("Request has expired"), "{answer}");
    for (what, with) in [("bkt/a", "bkt/b"), ("X-Amz-Expires=600", "X-Amz-Expires=601"), ("GetObject", "DeleteObject")]
    {
        let mut other = get.clone();
        other.path = get.path.replacen(what, with, 1);
        assert_ne!(other.path, get.path);
        assert_eq!(other.send_instead(port, "").await.0, 403, "{other:?}");
    }
    let mut other = get.clone();
    "DELETE".clone_into(&mut other.method);
    assert_eq!(other.send_instead(port, "").await.0, 403);
    assert_eq!(get.send_instead(port, "").await.0, 200);
}

/// A file goes in chunks; over plain HTTP each of them is signed.
#[tokio::test]
async fn a_file_is_taken_in_chunks() {
    let sandbox = common::sandbox().await;
    let s3 = aws_sdk_s3::Client::new(&common::person(&sandbox).await);
    bucket(&s3).await;
    let file = sandbox.dir().join("file");
    let text: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    std::fs::write(&file, &text).unwrap();
    for algorithm in [None, Some(ChecksumAlgorithm::Sha256)] {
        let body = ByteStream::from_path(&file).await.unwrap();
        let put = s3.put_object().bucket("bkt").key("file").set_checksum_algorithm(algorithm).body(body);
        put.send().await.unwrap();
        let read = s3.get_object().bucket("bkt").key("file").send().await.unwrap();
        assert_eq!(read.body.collect().await.unwrap().into_bytes().as_ref(), text.as_bytes());
    }
    let config = s3.config().to_builder().request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    let body = ByteStream::from_path(&file).await.unwrap();
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    s3.put_object().bucket("bkt").key("other").body(body).send().await.unwrap();
}

#[tokio::test]
async fn issued_keys_hold_until_they_are_taken_back() {
    let sandbox = common::sandbox().await;
    let iam = aws_sdk_iam::Client::new(&common::person(&sandbox).await);
    iam.create_user().user_name("u").send().await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    iam.put_user_policy().user_name("u").policy_name("p").policy_document(policy).send().await.unwrap();
    let issued = iam.create_access_key().user_name("u").send().await.unwrap().access_key.unwrap();
    let keys = |secret: &str| Credentials::new(issued.access_key_id(), secret, None, None, "test");
    let config = common::config(sandbox.endpoint(), "somebody", keys(issued.secret_access_key())).await;
    let ecs = aws_sdk_ecs::Client::new(&config);
    ecs.list_clusters().send().await.unwrap();
    let invalid = "InvalidSignatureException";
    let mismatch = "SignatureDoesNotMatch";
    let secret = sandbox.credentials().secret_access_key;
    assert_eq!(refused(&sandbox, keys(&secret)).await, ["AuthFailure", mismatch, mismatch, invalid, invalid]);
    iam.delete_access_key().user_name("u").access_key_id(issued.access_key_id()).send().await.unwrap();
    let code = ecs.list_clusters().send().await.unwrap_err();
    assert_eq!(code.code(), Some("UnrecognizedClientException"));
}
