//! Signatures, as real SDK clients make them, and as nobody may.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RequestChecksumCalculation, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
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
    let form = Raw::new("POST", "/", &create("10.0.0.0%2F16"));
    let signed = form.with("content-type", "application/x-www-form-urlencoded").signed(&keys, "ec2");
    let before = sandbox.last_call();
    let (status, answer) = signed.send_instead(port, &create("10.9.0.0%2F16")).await;
    assert!(status == 401 && answer.contains("AuthFailure"), "{answer}");
    let put = Raw::new("PUT", "/bkt/key", "one").signed(&keys, "s3");
    let (status, answer) = put.send_instead(port, "two").await;
    assert!(status == 400 && answer.contains("XAmzContentSHA256Mismatch"), "{answer}");
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
    for time in [now - hour, now + hour] {
        let (status, answer) = Raw::new("GET", "/", "").signed_at(&keys, "s3", time).send(port).await;
        assert!(status == 403 && answer.contains("RequestTimeTooSkewed"), "{answer}");
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

/// Whoever has an address, or hears a call, may not make another call of it.
// fidelity: F-GUARD-2
#[tokio::test]
async fn a_header_that_aws_acts_on_is_signed() {
    let sandbox = common::sandbox().await;
    let (port, keys) = (raw::port(&sandbox), sandbox.credentials());
    let s3 = aws_sdk_s3::Client::new(&common::person(&sandbox).await);
    bucket(&s3).await;
    s3.put_object().bucket("bkt").key("hidden").body(ByteStream::from_static(b"hidden")).send().await.unwrap();
    let holds = PresigningConfig::expires_in(Duration::from_secs(600)).unwrap();
    let put = presigned(&s3.put_object().bucket("bkt").key("own").presigned(holds).await.unwrap());
    let copied = put.clone().with("x-amz-copy-source", "/bkt/hidden");
    let before = sandbox.last_call();
    // A header is also there where its value is no text.
    for request in [copied, put.clone().with("x-amz-acl", "\u{fc}")] {
        let (status, answer) = request.send(port).await;
        assert!(status == 403 && answer.contains("headers present in the request which were not signed"), "{answer}");
    }
    let list = Raw::new("GET", "/2015-03-31/functions", "").signed(&keys, "lambda");
    let (status, answer) = list.clone().unsigned("x-amz-security-token", "t").send(port).await;
    assert!(status == 403 && answer.contains("InvalidSignatureException"), "{answer}");
    assert_eq!(sandbox.last_call(), before);
    // What clients never sign in an address.
    assert_eq!(put.with("x-amz-user-agent", "test").send(port).await.0, 200);
    assert_eq!(list.unsigned("x-amzn-trace-id", "t").send(port).await.0, 200);
    let read = s3.get_object().bucket("bkt").key("own").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes().as_ref(), b"hello");
}

/// The emulator would look whether the caller may describe, and delete.
// fidelity: F-GUARD-9
#[tokio::test]
async fn a_form_says_once_what_it_asks_for() {
    let sandbox = common::sandbox().await;
    let (port, keys) = (raw::port(&sandbox), sandbox.credentials());
    let before = sandbox.last_call();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let delete = "Action=DeleteAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName=g";
    for (path, kind) in [("/?Action=DescribeAutoScalingGroups", form.1), ("/", "text/plain")] {
        let request = Raw::new("POST", path, delete).with(form.0, kind).signed(&keys, "autoscaling");
        let (status, answer) = request.send(port).await;
        assert!(status == 400 && answer.contains("<Code>MalformedQueryString</Code>"), "{answer}");
    }
    assert_eq!(sandbox.last_call(), before);
    let (_, answer) = Raw::new("POST", "/", delete).with(form.0, form.1).signed(&keys, "autoscaling").send(port).await;
    assert!(!answer.contains("MalformedQueryString"), "{answer}");
    assert_eq!(sandbox.calls().last().unwrap().action, "DeleteAutoScalingGroup");
}

// fidelity: F-GUARD-1
#[tokio::test]
async fn a_bucket_is_reached_by_its_name_in_the_host() {
    let sandbox = common::sandbox().await;
    let (port, keys) = (raw::port(&sandbox), sandbox.credentials());
    let s3 = aws_sdk_s3::Client::new(&common::person(&sandbox).await);
    bucket(&s3).await;
    let host = format!("bkt.localhost:{port}");
    let (status, answer) = Raw::new("PUT", "/key", "hello").with("host", &host).signed(&keys, "s3").send(port).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(sandbox.calls().last().unwrap().resource.as_deref(), Some("bkt/key"));
    let read = s3.get_object().bucket("bkt").key("key").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes().as_ref(), b"hello");
    let before = sandbox.last_call();
    // The emulator goes by the host, and the gateway by the signature.
    let list = Raw::new("GET", "/2015-03-31/functions", "").with("host", &host).signed(&keys, "lambda");
    let (status, answer) = list.send(port).await;
    assert!(status == 403 && answer.contains("InvalidSignatureException"), "{answer}");
    assert_eq!(sandbox.last_call(), before);
}

/// What a client signs in place of each body.
#[derive(Debug, Clone, Default)]
struct Hashes(Arc<Mutex<Vec<String>>>);

impl Intercept for Hashes {
    fn name(&self) -> &'static str {
        "hashes"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let hash = context.request().headers().get("x-amz-content-sha256").unwrap_or_default();
        self.0.lock().unwrap().push(hash.to_owned());
        Ok(())
    }
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
    let hashes = Hashes::default();
    let config = s3.config().to_builder().interceptor(hashes.clone());
    let writer = aws_sdk_s3::Client::from_conf(config.clone().build());
    for algorithm in [None, Some(ChecksumAlgorithm::Sha256)] {
        let body = ByteStream::from_path(&file).await.unwrap();
        let put = writer.put_object().bucket("bkt").key("file").set_checksum_algorithm(algorithm).body(body);
        put.send().await.unwrap();
        let read = s3.get_object().bucket("bkt").key("file").send().await.unwrap();
        assert_eq!(read.body.collect().await.unwrap().into_bytes().as_ref(), text.as_bytes());
    }
    assert_eq!(*hashes.0.lock().unwrap(), ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"; 2], "else this tries nothing");
    let config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    let body = ByteStream::from_path(&file).await.unwrap();
    let writer = aws_sdk_s3::Client::from_conf(config.build());
    writer.put_object().bucket("bkt").key("other").body(body).send().await.unwrap();
    assert_eq!(hashes.0.lock().unwrap().last().unwrap(), "UNSIGNED-PAYLOAD");
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
