//! Skydeck's own bucket: versioned, encrypted, private, and reached by TLS only.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::{Clients, Error, Result};
use skydeck_core::run::PASSING;

use super::{Change, TAG, TAG_VALUE, policy, taken};
use crate::context::Account;

/// How long a run's reports, plans and old versions stay: as long as Step Functions tells of an execution.
const KEPT_DAYS: i32 = 90;
/// What was begun to be uploaded and never ended.
const UPLOAD_DAYS: i32 = 1;
/// Names of the lifecycle rules; those of other names are a team's own.
const PASSING_RULE: &str = "skydeck-passing";
const OLD_RULE: &str = "skydeck-old-versions";

/// Makes the bucket what it should be.
pub(super) async fn ensure(clients: &Clients, account: &Account) -> Result<Change> {
    let bucket = account.bucket();
    let created = !exists(clients, &bucket).await?;
    if created {
        create(clients, account, &bucket).await?;
    }
    // First the mark: an installation that ends here is then known as ours.
    let changed = tag(clients, &bucket, created).await?
        | block_public_access(clients, &bucket).await?
        | version(clients, &bucket).await?
        | encrypt(clients, &bucket).await?
        | let_go(clients, &bucket).await?
        | refuse_plain_text(clients, account, &bucket).await?;
    Ok(if created { Change::Created } else { Change::updated_if(changed) })
}

async fn exists(clients: &Clients, bucket: &str) -> Result<bool> {
    let found = clients.s3().head_bucket().bucket(bucket).send().await;
    // A HEAD has no body, so there is no code but the status.
    match found.find(&["NotFound", "NoSuchBucket"], "find bucket", bucket) {
        Err(error) if matches!(error.code(), Some("Forbidden" | "403" | "AccessDenied")) => {
            Err(taken("bucket", bucket))
        }
        found => Ok(found?.is_some()),
    }
}

async fn create(clients: &Clients, account: &Account, bucket: &str) -> Result<()> {
    // us-east-1 is where S3 began, and must not be named.
    let place = (account.region != "us-east-1").then(|| {
        let region = BucketLocationConstraint::from(account.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let request = clients.s3().create_bucket().bucket(bucket).set_create_bucket_configuration(place);
    // The retry of a creation whose answer was lost.
    tolerate(request.send().await.during("create bucket", bucket), &["BucketAlreadyOwnedByYou"])?;
    Ok(())
}

async fn tag(clients: &Clients, bucket: &str, created: bool) -> Result<bool> {
    let request = clients.s3().get_bucket_tagging().bucket(bucket);
    let found = request.send().await.find(&["NoSuchTagSet"], "read tags of bucket", bucket)?;
    let tags = found.map(|found| found.tag_set).unwrap_or_default();
    if tags.iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE) {
        return Ok(false);
    }
    // An empty bucket without tags is what an installation leaves that ended right after creating it.
    if !(created || tags.is_empty() && is_empty(clients, bucket).await?) {
        return Err(taken("bucket", bucket));
    }
    let ours = Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(built)?;
    let tagging = Tagging::builder().tag_set(ours).build().map_err(built)?;
    let request = clients.s3().put_bucket_tagging().bucket(bucket).tagging(tagging);
    request.send().await.during("tag bucket", bucket)?;
    Ok(true)
}

async fn is_empty(clients: &Clients, bucket: &str) -> Result<bool> {
    let request = clients.s3().list_object_versions().bucket(bucket).max_keys(1);
    let found = request.send().await.during("list bucket", bucket)?;
    Ok(found.versions().is_empty() && found.delete_markers().is_empty())
}

async fn block_public_access(clients: &Clients, bucket: &str) -> Result<bool> {
    let wanted = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let request = clients.s3().get_public_access_block().bucket(bucket);
    let codes = ["NoSuchPublicAccessBlockConfiguration"];
    let found = request.send().await.find(&codes, "read public access block of bucket", bucket)?;
    if found.and_then(|found| found.public_access_block_configuration).as_ref() == Some(&wanted) {
        return Ok(false);
    }
    let request = clients.s3().put_public_access_block().bucket(bucket).public_access_block_configuration(wanted);
    request.send().await.during("block public access to bucket", bucket)?;
    Ok(true)
}

async fn version(clients: &Clients, bucket: &str) -> Result<bool> {
    let request = clients.s3().get_bucket_versioning().bucket(bucket);
    let found = request.send().await.during("read versioning of bucket", bucket)?;
    if found.status() == Some(&BucketVersioningStatus::Enabled) {
        return Ok(false);
    }
    let wanted = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = clients.s3().put_bucket_versioning().bucket(bucket).versioning_configuration(wanted);
    request.send().await.during("version bucket", bucket)?;
    Ok(true)
}

async fn encrypt(clients: &Clients, bucket: &str) -> Result<bool> {
    let request = clients.s3().get_bucket_encryption().bucket(bucket);
    let codes = ["ServerSideEncryptionConfigurationNotFoundError"];
    let found = request.send().await.find(&codes, "read encryption of bucket", bucket)?;
    let rules = found.and_then(|found| found.server_side_encryption_configuration).map(|found| found.rules);
    // Any encryption will do: a team may have put a key of its own.
    if rules.is_some_and(|rules| rules.iter().any(|rule| rule.apply_server_side_encryption_by_default().is_some())) {
        return Ok(false);
    }
    let by_default =
        ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build().map_err(built)?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
    let wanted = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(built)?;
    let request = clients.s3().put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(wanted);
    request.send().await.during("encrypt bucket", bucket)?;
    Ok(true)
}

async fn refuse_plain_text(clients: &Clients, account: &Account, bucket: &str) -> Result<bool> {
    let wanted = policy::bucket(account);
    let request = clients.s3().get_bucket_policy().bucket(bucket);
    let found = request.send().await.find(&["NoSuchBucketPolicy"], "read policy of bucket", bucket)?;
    if found.and_then(|found| found.policy).is_some_and(|found| policy::is_same(&found, &wanted)) {
        return Ok(false);
    }
    let request = clients.s3().put_bucket_policy().bucket(bucket).policy(wanted.to_string());
    request.send().await.during("write policy of bucket", bucket)?;
    Ok(true)
}

/// Lets go what only tells what was, so that the bucket does not grow for ever.
async fn let_go(clients: &Clients, bucket: &str) -> Result<bool> {
    let wanted = rules()?;
    let request = clients.s3().get_bucket_lifecycle_configuration().bucket(bucket);
    let found =
        request.send().await.find(&["NoSuchLifecycleConfiguration"], "read lifecycle rules of bucket", bucket)?;
    let found = found.and_then(|found| found.rules).unwrap_or_default();
    if wanted.iter().all(|rule| found.contains(rule)) {
        return Ok(false);
    }
    let is_ours = |rule: &LifecycleRule| matches!(rule.id(), Some(PASSING_RULE | OLD_RULE));
    let rules = found.into_iter().filter(|rule| !is_ours(rule)).chain(wanted).collect();
    let lifecycle = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(built)?;
    let request = clients.s3().put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(lifecycle);
    request.send().await.during("write lifecycle rules of bucket", bucket)?;
    Ok(true)
}

fn rules() -> Result<Vec<LifecycleRule>> {
    let (key, value) = PASSING;
    let tag = Tag::builder().key(key).value(value).build().map_err(built)?;
    let passing = LifecycleRule::builder()
        .id(PASSING_RULE)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().tag(tag).build())
        .expiration(LifecycleExpiration::builder().days(KEPT_DAYS).build());
    let old = LifecycleRule::builder()
        .id(OLD_RULE)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build())
        .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(KEPT_DAYS).build())
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder().days_after_initiation(UPLOAD_DAYS).build(),
        );
    Ok(vec![passing.build().map_err(built)?, old.build().map_err(built)?])
}

/// A request that lacks what it needs: a fault of this module.
fn built(error: aws_smithy_types::error::operation::BuildError) -> Error {
    Error::Broken(error.to_string())
}
