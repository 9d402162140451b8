//! The S3 bucket, and the parameter that skydeck writes.

use aws_sdk_s3::types::{BucketVersioningStatus, ServerSideEncryption};
use aws_sdk_ssm::types::ParameterType;
use skydeck_aws::Clients;

const BUCKET: &str = "skyfox-devprod-profile-images";

pub(crate) async fn assert_as_the_reference_says(aws: &Clients) {
    let versioning = aws.s3().get_bucket_versioning().bucket(BUCKET).send().await.expect("versioning");
    assert_eq!(versioning.status(), Some(&BucketVersioningStatus::Enabled));

    let encryption = aws.s3().get_bucket_encryption().bucket(BUCKET).send().await.expect("encryption");
    let rules = encryption.server_side_encryption_configuration().expect("rules").rules();
    let default = rules[0].apply_server_side_encryption_by_default().expect("a default");
    assert_eq!(*default.sse_algorithm(), ServerSideEncryption::Aes256);

    let access = aws.s3().get_public_access_block().bucket(BUCKET).send().await.expect("the public access block");
    let access = access.public_access_block_configuration().expect("a configuration");
    let switches = [
        access.block_public_acls(),
        access.ignore_public_acls(),
        access.block_public_policy(),
        access.restrict_public_buckets(),
    ];
    assert_eq!(switches, [Some(true); 4]);

    let cors = aws.s3().get_bucket_cors().bucket(BUCKET).send().await.expect("CORS");
    let [rule] = cors.cors_rules() else { panic!("one CORS rule: {cors:?}") };
    let mut methods: Vec<&str> = rule.allowed_methods().iter().map(String::as_str).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["DELETE", "GET", "POST", "PUT"]);
    assert_eq!(rule.expose_headers(), ["ETag"]);
    assert_eq!(rule.max_age_seconds(), Some(3000));
    assert_eq!(rule.allowed_origins(), ["https://skyfox.example"], "never everybody");

    let tags = aws.s3().get_bucket_tagging().bucket(BUCKET).send().await.expect("tags");
    let tags: Vec<(&str, &str)> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    for tag in [("Name", BUCKET), ("Project", "skyfox"), ("Environment", "devprod")] {
        assert!(tags.contains(&tag), "{tag:?}: {tags:?}");
    }

    let written = aws.ssm().get_parameter().name("/skyfox-backend/s3-bucket").with_decryption(true);
    let written = written.send().await.expect("the parameter");
    let parameter = written.parameter().expect("a parameter");
    assert_eq!((parameter.r#type(), parameter.value()), (Some(&ParameterType::SecureString), Some(BUCKET)));
    for name in super::SECRETS {
        let name = format!("/skyfox-backend/{name}");
        let kept = aws.ssm().get_parameter().name(&name).with_decryption(true).send().await.expect("the parameter");
        assert_eq!(kept.parameter().and_then(|parameter| parameter.value()), Some(super::SECRET_VALUE), "{name}");
    }
}
