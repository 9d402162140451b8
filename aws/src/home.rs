//! Skydeck's own bucket: platform files, the lock, and what runs leave behind.
//!
//! Every key of a platform lies under `platforms/<platform>-<environment>/`.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::delete_object::builders::DeleteObjectFluentBuilder;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skydeck_core::format;
use skydeck_core::run::{PASSING, is_passing, spec_key};

use crate::error::{Error, Explain, Result};

/// S3's codes for "there is no such object".
const MISSING: &[&str] = &["NoSuchKey", "NotFound"];

/// Skydeck's own bucket.
#[derive(Debug, Clone)]
pub struct Home {
    s3: Client,
    /// The bucket's name.
    pub bucket: String,
    /// The account whose it has to be: a name that an account has given up is free for any other, and S3 refuses where the owner is not
    /// this one (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>).
    owner: Option<String>,
}

/// An object and the marks by which it is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub text: String,
    /// Changes with the content; what a compare-and-swap compares.
    pub etag: String,
    /// The version, in a bucket that keeps them.
    pub version: String,
    /// When S3 took it, in seconds since 1970.
    pub written: i64,
}

/// What an object says, and the mark by which it is known to be unchanged; none where there is no object yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked<T> {
    /// What it says, or the default.
    pub value: T,
    /// Its ETag.
    pub etag: Option<String>,
    /// When S3 took it, in seconds since 1970.
    pub written: i64,
}

/// What a conditional write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// Written.
    Done,
    /// The object was not what the condition says.
    Refused,
    /// Somebody else wrote at the same moment: read again.
    Raced,
}

/// The condition of a conditional write.
#[derive(Debug, Clone, Copy)]
pub enum When<'a> {
    /// Only where there is no object of that key.
    Absent,
    /// Only where the object still has this ETag.
    Unchanged(&'a str),
}

impl Home {
    /// The bucket of that name, reached with these credentials.
    #[must_use]
    pub fn new(s3: &Client, bucket: &str) -> Self {
        Home { s3: s3.clone(), bucket: bucket.to_owned(), owner: owner(bucket).map(Into::into) }
    }

    /// The object of a key, or of one version of it.
    ///
    /// # Errors
    /// Where S3 refuses, or the object is not text.
    pub async fn read(&self, key: &str, version: Option<&str>) -> Result<Option<Object>> {
        let request = self.s3.get_object().bucket(&self.bucket).set_expected_bucket_owner(self.owner.clone());
        let request = request.key(key).set_version_id(version.map(Into::into));
        let Some(answer) = request.send().await.find(MISSING, "read", &self.url(key))? else { return Ok(None) };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let version = answer.version_id().unwrap_or_default().to_owned();
        let written = answer.last_modified().map(aws_sdk_s3::primitives::DateTime::secs).unwrap_or_default();
        let body = answer.body.collect().await.map_err(|_| self.broken(key, "could not be read to its end"))?;
        let text = String::from_utf8(body.to_vec()).map_err(|_| self.broken(key, "is not UTF-8 text"))?;
        Ok(Some(Object { text, etag, version, written }))
    }

    /// The JSON of a key, or the default where there is none.
    ///
    /// # Errors
    /// Where S3 refuses, or the object is not what this version of skydeck writes.
    pub async fn read_json<T: DeserializeOwned + Default>(&self, key: &str) -> Result<T> {
        Ok(self.read_marked(key).await?.value)
    }

    /// The JSON of a key, or the default where there is none, for a conditional write.
    ///
    /// # Errors
    /// Where S3 refuses, or the object is not what this version of skydeck writes.
    pub async fn read_marked<T: DeserializeOwned + Default>(&self, key: &str) -> Result<Marked<T>> {
        let Some(object) = self.read(key, None).await? else {
            return Ok(Marked { value: T::default(), etag: None, written: 0 });
        };
        let broken = |error: serde_json::Error| self.broken(key, &format!("is not what skydeck writes: {error}"));
        let value: Value = serde_json::from_str(&object.text).map_err(broken)?;
        let value = format::open(value).map_err(|newer| self.broken(key, &newer.to_string()))?;
        let value = serde_json::from_value(value).map_err(broken)?;
        Ok(Marked { value, etag: Some(object.etag), written: object.written })
    }

    /// Writes a text. Returns its version, in a bucket that keeps them.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn write_text(&self, key: &str, text: String) -> Result<String> {
        let request = self.put(key, text.into_bytes()).content_type("text/plain; charset=utf-8");
        let written = request.send().await.during("write", &self.url(key))?;
        Ok(written.version_id().unwrap_or_default().to_owned())
    }

    /// Writes JSON.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn write_json(&self, key: &str, value: &(impl Serialize + Sync)) -> Result<()> {
        let request = self.put(key, json(value)?);
        request.send().await.during("write", &self.url(key))?;
        Ok(())
    }

    /// Writes JSON unless it is there already.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn keep_json(&self, key: &str, value: &(impl Serialize + Sync)) -> Result<()> {
        let known = self.read(key, None).await?;
        if known.is_some_and(|known| json(value).is_ok_and(|wanted| known.text.as_bytes() == wanted)) {
            return Ok(());
        }
        self.write_json(key, value).await
    }

    /// Writes JSON if a condition holds.
    ///
    /// # Errors
    /// Where S3 refuses for another reason than the condition.
    pub async fn swap_json(&self, key: &str, value: &(impl Serialize + Sync), when: When<'_>) -> Result<Swap> {
        let request = self.put(key, json(value)?);
        let request = match when {
            When::Absent => request.if_none_match("*"),
            When::Unchanged(etag) => request.if_match(etag),
        };
        swapped(request.send().await.during("write", &self.url(key)).map(drop))
    }

    /// Deletes an object if it still has this ETag.
    ///
    /// # Errors
    /// Where S3 refuses for another reason than the condition.
    pub async fn delete(&self, key: &str, etag: &str) -> Result<Swap> {
        let request = self.remove(key).if_match(etag);
        swapped(request.send().await.during("delete", &self.url(key)).map(drop))
    }

    /// Deletes an object, if there is one.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn forget(&self, key: &str) -> Result<()> {
        self.remove(key).send().await.during("delete", &self.url(key))?;
        Ok(())
    }

    /// The platforms whose file is in the bucket, as `<platform>-<environment>`.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn platforms(&self) -> Result<Vec<String>> {
        let mut platforms = Vec::new();
        for platform in self.folders().await? {
            // One that was only planned has a folder and no file.
            if self.read(&spec_key(&platform), None).await?.is_some() {
                platforms.push(platform);
            }
        }
        Ok(platforms)
    }

    /// The platforms of which there is anything in the bucket, be it a plan alone.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn folders(&self) -> Result<Vec<String>> {
        let request = self.keys("platforms/").delimiter("/");
        let pages: Vec<_> =
            request.into_paginator().send().collect::<Result<_, _>>().await.during("list", &self.url("platforms/"))?;
        let folders = pages.iter().flat_map(|page| page.common_prefixes()).filter_map(|prefix| prefix.prefix());
        Ok(folders.filter_map(|folder| folder.split('/').nth(1)).map(Into::into).collect())
    }

    /// The keys that begin so, and when each was written last, in milliseconds since 1970.
    ///
    /// # Errors
    /// Where S3 refuses.
    pub async fn list(&self, prefix: &str) -> Result<Vec<(String, i64)>> {
        let pages: Vec<_> = self
            .keys(prefix)
            .into_paginator()
            .send()
            .collect::<Result<_, _>>()
            .await
            .during("list", &self.url(prefix))?;
        let objects = pages.iter().flat_map(|page| page.contents());
        let written = |object: &aws_sdk_s3::types::Object| {
            let at = object.last_modified().and_then(|at| at.to_millis().ok()).unwrap_or_default();
            Some((object.key()?.to_owned(), at))
        };
        Ok(objects.filter_map(written).collect())
    }

    fn keys(&self, prefix: &str) -> ListObjectsV2FluentBuilder {
        let request = self.s3.list_objects_v2().bucket(&self.bucket).set_expected_bucket_owner(self.owner.clone());
        request.prefix(prefix)
    }

    fn remove(&self, key: &str) -> DeleteObjectFluentBuilder {
        self.s3.delete_object().bucket(&self.bucket).set_expected_bucket_owner(self.owner.clone()).key(key)
    }

    fn put(&self, key: &str, body: Vec<u8>) -> PutObjectFluentBuilder {
        let body = ByteStream::from(body);
        let (tag, value) = PASSING;
        // As in an address: the colon of the tag is escaped.
        let tagging = is_passing(key).then(|| format!("{}={value}", tag.replace(':', "%3A")));
        let put = self.s3.put_object().bucket(&self.bucket).set_expected_bucket_owner(self.owner.clone()).key(key);
        let put = put.content_type("application/json");
        put.set_tagging(tagging).body(body)
    }

    fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    fn broken(&self, key: &str, why: &str) -> Error {
        Error::Broken(format!("{} {why}", self.url(key)))
    }
}

/// The account in the name of skydeck's bucket, `skydeck-<account>-<region>`.
fn owner(bucket: &str) -> Option<&str> {
    let (account, _) = bucket.strip_prefix("skydeck-")?.split_once('-')?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// A record, with the number of its format.
fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let text = serde_json::to_value(value).and_then(|value| serde_json::to_vec_pretty(&format::mark(value)));
    text.map_err(|error| Error::Broken(format!("a record could not be written: {error}")))
}

fn swapped(result: Result<()>) -> Result<Swap> {
    match result {
        Ok(()) => Ok(Swap::Done),
        Err(error) => match error.code() {
            Some("PreconditionFailed" | "NoSuchKey") => Ok(Swap::Refused),
            Some("ConditionalRequestConflict") => Ok(Swap::Raced),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn the_owner_of_skydecks_bucket_stands_in_its_name() {
        assert_eq!(owner("skydeck-111122223333-eu-central-1"), Some("111122223333"));
        assert_eq!(owner("skyfox-devprod-media"), None);
        assert_eq!(owner("skydeck-mine-eu-central-1"), None);
    }
}
