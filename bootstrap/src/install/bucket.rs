//! Skydeck's own bucket: versioned, encrypted, private, and reached by TLS only.

use std::time::{Duration, Instant};

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use futures::FutureExt;
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::layer::storage::delete_objects;
use skydeck_aws::{Clients, Error, Result};
use skydeck_core::run::PASSING;

use super::step::{Change, Step, Write};
use super::{PROPAGATION_STEP, TAG, TAG_VALUE, policy, propagated, taken};
use crate::context::Account;

const KIND: &str = "bucket";
/// How long a run's reports, plans and old versions stay: as long as Step Functions tells of an execution.
const KEPT_DAYS: i32 = 90;
/// How long it may take to empty the bucket: it deletes 1,000 objects in a call, and a busy installation has some 10,000.
const EMPTYING: Duration = Duration::from_secs(600);
/// What was begun to be uploaded and never ended.
const UPLOAD_DAYS: i32 = 1;
/// Names of the lifecycle rules; those of other names are a team's own.
const PASSING_RULE: &str = "skydeck-passing";
const OLD_RULE: &str = "skydeck-old-versions";

/// Looks at the bucket and at each of its settings.
pub(super) async fn look<'a>(clients: &'a Clients, account: &'a Account) -> Result<Step<'a>> {
    let name = account.bucket();
    let exists = exists(clients, account).await?;
    let bucket = Bucket { clients, account, name, exists };
    // First the mark: an installation that ends here is then known as ours.
    let settings = [
        bucket.tag().await?,
        bucket.block_public_access().await?,
        bucket.version().await?,
        bucket.encrypt().await?,
        bucket.let_go().await?,
        bucket.refuse_plain_text().await?,
    ];
    let writes: Vec<Write<'a>> = settings.into_iter().flatten().collect();
    let change = if exists { Change::updated_if(!writes.is_empty()) } else { Change::Created };
    Ok(Step::new(KIND, bucket.name.clone(), change, async move {
        if !bucket.exists {
            bucket.create().await?;
        }
        for write in writes {
            write.await?;
        }
        Ok(())
    }))
}

/// Takes the bucket away, with every version of all that is in it.
pub(super) async fn remove<'a>(clients: &'a Clients, account: &Account) -> Result<Option<Step<'a>>> {
    let (name, s3) = (account.bucket(), clients.s3());
    if !exists(clients, account).await? || !is_ours(&tags(clients, &name).await?) {
        return Ok(None);
    }
    Ok(Some(Step::new(KIND, name.clone(), Change::Deleted, async move {
        empty(clients, &name).await?;
        // The retry of a deletion whose answer was lost.
        tolerate(s3.delete_bucket().bucket(&name).send().await.during("delete bucket", &name), &["NoSuchBucket"])
            .map(drop)
    })))
}

/// Deletes every version of all that is in it. Each call deletes as much as a function has time for.
async fn empty(clients: &Clients, name: &str) -> Result<()> {
    let begun = Instant::now();
    while let Err(error) = delete_objects(clients.s3(), name).await {
        if !error.passes() || begun.elapsed() > EMPTYING {
            return Err(error);
        }
        tokio::time::sleep(PROPAGATION_STEP).await;
    }
    Ok(())
}

/// Whether there is a bucket of skydeck's in this account and region.
pub(super) async fn is_there(clients: &Clients, account: &Account) -> Result<bool> {
    exists(clients, account).await
}

async fn exists(clients: &Clients, account: &Account) -> Result<bool> {
    let bucket = &account.bucket();
    // One that another account has is told as missing rights, whatever its policy lets this account do.
    let found = clients.s3().head_bucket().bucket(bucket).expected_bucket_owner(&account.id).send().await;
    // A HEAD has no body, so there is no code but the status.
    match found.find(&["NotFound", "NoSuchBucket"], "find bucket", bucket) {
        Err(error) if matches!(error.code(), Some("Forbidden" | "403" | "AccessDenied")) => Err(taken(KIND, bucket)),
        found => Ok(found?.is_some()),
    }
}

async fn tags(clients: &Clients, bucket: &str) -> Result<Vec<Tag>> {
    let request = clients.s3().get_bucket_tagging().bucket(bucket);
    let found = request.send().await.find(&["NoSuchTagSet"], "read tags of bucket", bucket)?;
    Ok(found.map(|found| found.tag_set).unwrap_or_default())
}

fn is_ours(tags: &[Tag]) -> bool {
    tags.iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE)
}

/// The bucket; each of its settings is looked at, and gives what there is to be written.
struct Bucket<'a> {
    clients: &'a Clients,
    account: &'a Account,
    name: String,
    /// Of one that does not exist there is nothing to be looked at.
    exists: bool,
}

/// What there is to be written of one setting, if anything.
type Setting<'a> = Result<Option<Write<'a>>>;

/// The writing of one setting.
macro_rules! write {
    ($bucket:expr, $verb:literal, $request:expr) => {{
        let (name, request) = ($bucket.name.clone(), $request);
        Ok(Some(async move { request.send().await.during($verb, &name).map(drop) }.boxed_local()))
    }};
}

impl<'a> Bucket<'a> {
    async fn create(&self) -> Result<()> {
        // us-east-1 is where S3 began, and must not be named.
        let place = (self.account.region != "us-east-1").then(|| {
            let region = BucketLocationConstraint::from(self.account.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(region).build()
        });
        let request = self.clients.s3().create_bucket().bucket(&self.name).set_create_bucket_configuration(place);
        // S3 may still be taking away one of this name.
        let created = propagated(async || request.clone().send().await.during("create bucket", &self.name)).await;
        // The retry of a creation whose answer was lost.
        tolerate(created, &["BucketAlreadyOwnedByYou"]).map(drop)
    }

    async fn tag(&self) -> Setting<'a> {
        let (s3, bucket) = (self.clients.s3(), &self.name);
        if self.exists {
            let tags = tags(self.clients, bucket).await?;
            if is_ours(&tags) {
                return Ok(None);
            }
            // An empty bucket without tags is what an installation leaves that ended right after creating it.
            if !(tags.is_empty() && self.is_empty().await?) {
                return Err(taken(KIND, bucket));
            }
        }
        let ours = Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(built)?;
        let tagging = Tagging::builder().tag_set(ours).build().map_err(built)?;
        write!(self, "tag bucket", s3.put_bucket_tagging().bucket(bucket).tagging(tagging))
    }

    async fn is_empty(&self) -> Result<bool> {
        let request = self.clients.s3().list_object_versions().bucket(&self.name).max_keys(1);
        let found = request.send().await.during("list bucket", &self.name)?;
        Ok(found.versions().is_empty() && found.delete_markers().is_empty())
    }

    async fn block_public_access(&self) -> Setting<'a> {
        let (s3, bucket) = (self.clients.s3(), &self.name);
        let wanted = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        if self.exists {
            let request = s3.get_public_access_block().bucket(bucket);
            let codes = ["NoSuchPublicAccessBlockConfiguration"];
            let found = request.send().await.find(&codes, "read public access block of bucket", bucket)?;
            if found.and_then(|found| found.public_access_block_configuration).as_ref() == Some(&wanted) {
                return Ok(None);
            }
        }
        let request = s3.put_public_access_block().bucket(bucket).public_access_block_configuration(wanted);
        write!(self, "block public access to bucket", request)
    }

    async fn version(&self) -> Setting<'a> {
        let (s3, bucket) = (self.clients.s3(), &self.name);
        if self.exists {
            let request = s3.get_bucket_versioning().bucket(bucket);
            let found = request.send().await.during("read versioning of bucket", bucket)?;
            if found.status() == Some(&BucketVersioningStatus::Enabled) {
                return Ok(None);
            }
        }
        let wanted = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        write!(self, "version bucket", s3.put_bucket_versioning().bucket(bucket).versioning_configuration(wanted))
    }

    async fn encrypt(&self) -> Setting<'a> {
        let (s3, bucket) = (self.clients.s3(), &self.name);
        if self.exists {
            let request = s3.get_bucket_encryption().bucket(bucket);
            let codes = ["ServerSideEncryptionConfigurationNotFoundError"];
            let found = request.send().await.find(&codes, "read encryption of bucket", bucket)?;
            let rules = found.and_then(|found| found.server_side_encryption_configuration).map(|found| found.rules);
            let by_default = |rule: &ServerSideEncryptionRule| rule.apply_server_side_encryption_by_default().is_some();
            // Any encryption will do: a team may have put a key of its own.
            if rules.is_some_and(|rules| rules.iter().any(by_default)) {
                return Ok(None);
            }
        }
        let aes = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
        let aes = aes.build().map_err(built)?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(aes).build();
        let wanted = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(built)?;
        let request = s3.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(wanted);
        write!(self, "encrypt bucket", request)
    }

    async fn refuse_plain_text(&self) -> Setting<'a> {
        let (s3, bucket) = (self.clients.s3(), &self.name);
        let wanted = policy::bucket(self.account);
        if self.exists {
            let request = s3.get_bucket_policy().bucket(bucket);
            let found = request.send().await.find(&["NoSuchBucketPolicy"], "read policy of bucket", bucket)?;
            if found.and_then(|found| found.policy).is_some_and(|found| policy::is_same(&found, &wanted)) {
                return Ok(None);
            }
        }
        write!(self, "write policy of bucket", s3.put_bucket_policy().bucket(bucket).policy(wanted.to_string()))
    }

    /// Lets go what only tells what was, so that the bucket does not grow for ever.
    async fn let_go(&self) -> Setting<'a> {
        let (s3, bucket) = (self.clients.s3(), &self.name);
        let wanted = rules()?;
        let mut found = Vec::new();
        if self.exists {
            let request = s3.get_bucket_lifecycle_configuration().bucket(bucket);
            let codes = ["NoSuchLifecycleConfiguration"];
            let answer = request.send().await.find(&codes, "read lifecycle rules of bucket", bucket)?;
            found = answer.and_then(|found| found.rules).unwrap_or_default();
            if wanted.iter().all(|rule| found.contains(rule)) {
                return Ok(None);
            }
        }
        let is_ours = |rule: &LifecycleRule| matches!(rule.id(), Some(PASSING_RULE | OLD_RULE));
        let rules = found.into_iter().filter(|rule| !is_ours(rule)).chain(wanted).collect();
        let lifecycle = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(built)?;
        let request = s3.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(lifecycle);
        write!(self, "write lifecycle rules of bucket", request)
    }
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
