//! Carries out the buckets' changes.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CorsConfiguration, CorsRule, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tagging, VersioningConfiguration,
};
use skydeck_core::layer::storage::{Bucket, Change, Cors, PublicAccessBlock};
use skydeck_core::plan::Refusal;
use skydeck_core::scope::Tags;

use super::empty;
use crate::error::{Error, Explain, Result, look_again, tolerate};
use crate::tag::to_s3;

pub(super) async fn apply(s3: &Client, region: &str, change: &Change) -> Result<()> {
    match change {
        Change::CreateBucket { name, settings } => create(s3, region, name, settings).await,
        Change::EnableVersioning { name } => enable_versioning(s3, name).await,
        Change::SetEncryption { name, new, .. } => set_encryption(s3, name, new).await,
        Change::SetPublicAccessBlock { name, new, .. } => set_public_access_block(s3, name, *new).await,
        Change::SetCors { name, new, .. } => set_cors(s3, name, new).await,
        Change::DeleteCors { name, .. } => s3
            .delete_bucket_cors()
            .bucket(name)
            .send()
            .await
            .during("delete the CORS rules of S3 bucket", name)
            .map(drop),
        Change::SetTags { name, all, .. } => set_tags(s3, name, all).await,
        Change::DeleteObjects { name } => empty::delete_objects(s3, name).await,
        Change::DeleteBucket { name } => delete(s3, name).await,
    }
}

/// What the SDK cannot build is a fault of ours: all that AWS asks for is given.
fn built<T>(result: std::result::Result<T, BuildError>) -> Result<T> {
    result.map_err(|error| Error::Broken(format!("a request to S3 could not be built: {error}")))
}

async fn create(s3: &Client, region: &str, name: &str, settings: &Bucket) -> Result<()> {
    let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(to_s3(&settings.tags)));
    // The oldest region has no name as a location
    // (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>).
    if region != "us-east-1" {
        configuration = configuration.location_constraint(BucketLocationConstraint::from(region));
    }
    let request = s3.create_bucket().bucket(name).create_bucket_configuration(configuration.build());
    let answer = request.send().await.during("create S3 bucket", name);
    // A bucket of the account that the list does not show yet. Another account's is `BucketAlreadyExists`.
    look_again(answer, &["BucketAlreadyOwnedByYou"])?;
    // A bucket that lost its tags would be refused as somebody else's for ever. S3 takes them with the creation since
    // the end of 2025; what only behaves like S3 may pass over them.
    set_tags(s3, name, &settings.tags).await
}

async fn set_tags(s3: &Client, name: &str, tags: &Tags) -> Result<()> {
    // AWS's own tags cannot be written, and stay.
    let tags: Tags =
        tags.iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(k, v)| (k.clone(), v.clone())).collect();
    let tagging = built(Tagging::builder().set_tag_set(Some(to_s3(&tags))).build())?;
    s3.put_bucket_tagging().bucket(name).tagging(tagging).send().await.during("tag S3 bucket", name)?;
    Ok(())
}

async fn enable_versioning(s3: &Client, name: &str) -> Result<()> {
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = s3.put_bucket_versioning().bucket(name).versioning_configuration(on);
    request.send().await.during("enable versioning of S3 bucket", name)?;
    Ok(())
}

async fn set_encryption(s3: &Client, name: &str, algorithm: &str) -> Result<()> {
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::from(algorithm));
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(built(default.build())?);
    let configuration = built(ServerSideEncryptionConfiguration::builder().rules(rule.build()).build())?;
    let request = s3.put_bucket_encryption().bucket(name).server_side_encryption_configuration(configuration);
    request.send().await.during("set the encryption of S3 bucket", name)?;
    Ok(())
}

async fn set_public_access_block(s3: &Client, name: &str, block: PublicAccessBlock) -> Result<()> {
    let configuration = PublicAccessBlockConfiguration::builder()
        .block_public_acls(block.block_public_acls)
        .ignore_public_acls(block.ignore_public_acls)
        .block_public_policy(block.block_public_policy)
        .restrict_public_buckets(block.restrict_public_buckets)
        .build();
    let request = s3.put_public_access_block().bucket(name).public_access_block_configuration(configuration);
    request.send().await.during("set the public access block of S3 bucket", name)?;
    Ok(())
}

async fn set_cors(s3: &Client, name: &str, rules: &[Cors]) -> Result<()> {
    let list = |values: &std::collections::BTreeSet<String>| Some(values.iter().cloned().collect());
    let rule = |cors: &Cors| {
        CorsRule::builder()
            .set_allowed_origins(list(&cors.origins))
            .set_allowed_methods(list(&cors.methods))
            .set_allowed_headers(list(&cors.headers))
            .set_expose_headers(list(&cors.expose))
            .set_max_age_seconds(cors.max_age_seconds)
            .build()
    };
    let rules = built(rules.iter().map(rule).collect::<std::result::Result<Vec<_>, _>>())?;
    let configuration = built(CorsConfiguration::builder().set_cors_rules(Some(rules)).build())?;
    let request = s3.put_bucket_cors().bucket(name).cors_configuration(configuration);
    request.send().await.during("set the CORS rules of S3 bucket", name)?;
    Ok(())
}

async fn delete(s3: &Client, name: &str) -> Result<()> {
    let answer = s3.delete_bucket().bucket(name).send().await.during("delete S3 bucket", name);
    match answer {
        // It does not pass by itself: objects are a person's to delete, or to give up in the file.
        Err(error) if error.code() == Some("BucketNotEmpty") => Err(Error::Refused(Refusal::Impossible {
            what: format!("S3 bucket {name} holds objects, or older versions of them, and skydeck leaves those alone"),
            advice: "Empty it, or set `delete-with-objects = true` for the bucket in the platform file".into(),
        })),
        // Gone already: a retry after a lost answer, or a person who was faster.
        answer => tolerate(answer, &["NoSuchBucket"]).map(drop),
    }
}
