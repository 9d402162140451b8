//! Empties a bucket: every version of every object, and the marks of deleted ones.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::error::{Error, Explain, Result};

/// S3 deletes this many at once (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
const BATCH: i32 = 1000;

/// Batches per attempt: one takes about a second, and a function has 60. The next attempt goes on.
const BATCHES: usize = 20;

/// Whether it holds nothing, neither versions nor marks; one that is gone holds nothing.
pub(super) async fn is_empty(s3: &Client, bucket: &str) -> Result<bool> {
    let request = s3.list_object_versions().bucket(bucket).max_keys(1);
    let found = request.send().await.find(&["NoSuchBucket"], "list the objects of S3 bucket", bucket)?;
    Ok(found.is_none_or(|found| found.versions().is_empty() && found.delete_markers().is_empty()))
}

/// Deletes what the bucket holds, or as much of it as an attempt has time for.
///
/// # Errors
/// [`Error::NotYet`] where more is left, and what S3 refuses.
pub async fn delete_objects(s3: &Client, bucket: &str) -> Result<()> {
    for _ in 0..BATCHES {
        let found = list(s3, bucket).await?;
        if found.is_empty() {
            return Ok(());
        }
        delete(s3, bucket, found).await?;
    }
    Err(Error::NotYet(format!("S3 bucket {bucket} to become empty")))
}

/// The first versions and marks. What was listed is gone by the next call, so that there is no page to go on from.
async fn list(s3: &Client, bucket: &str) -> Result<Vec<ObjectIdentifier>> {
    let request = s3.list_object_versions().bucket(bucket).max_keys(BATCH);
    let answer = request.send().await.during("list the objects of S3 bucket", bucket)?;
    let versions = answer.versions().iter().map(|one| (one.key(), one.version_id()));
    let marks = answer.delete_markers().iter().map(|one| (one.key(), one.version_id()));
    // The builder fails only without a key, and every object has one.
    let identifier = |(key, version): (Option<&str>, Option<&str>)| {
        ObjectIdentifier::builder().set_key(key.map(Into::into)).set_version_id(version.map(Into::into)).build().ok()
    };
    Ok(versions.chain(marks).filter_map(identifier).collect())
}

async fn delete(s3: &Client, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<()> {
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let delete = delete.map_err(|error| Error::Broken(format!("a request to S3 could not be built: {error}")))?;
    let request = s3.delete_objects().bucket(bucket).delete(delete);
    let answer = request.send().await.during("delete the objects of S3 bucket", bucket)?;
    // The call itself succeeds where single objects do not, under a retention lock for instance.
    answer.errors().first().map_or(Ok(()), |error| {
        Err(Error::Aws {
            verb: "delete an object of S3 bucket".into(),
            resource: bucket.into(),
            code: error.code().unwrap_or("Unknown").into(),
            message: error.message().unwrap_or("AWS gave no message").into(),
        })
    })
}
