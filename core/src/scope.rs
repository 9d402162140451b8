//! What a layer works in: the platform, the account it lives in, and what earlier layers found; and the names and
//! tags that follow from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::facts::Facts;
use crate::plan::Description;
use crate::spec::Platform;

/// Tag that names the platform; with [`TAG_ENVIRONMENT`] the mark of ownership.
pub const TAG_PLATFORM: &str = "skydeck:platform";
/// Tag that names the environment.
pub const TAG_ENVIRONMENT: &str = "skydeck:environment";
/// Tag of everything that belongs to an installation of skydeck: of a platform's resources the region, which is what skydeck's
/// permissions ask for.
pub const TAG_INSTALLATION: &str = "skydeck:installation";
/// Tag that says which resource of the platform this is, such as `subnet/ap-south-1a`.
pub const TAG_RESOURCE: &str = "skydeck:resource";
/// Tag of a task definition: the digest that it pins.
pub const TAG_DIGEST: &str = "skydeck:digest";
/// Tag of a task definition: the tag by which the image was found.
pub const TAG_TAG: &str = "skydeck:tag";
/// Tag of a task definition: when the image was pushed.
pub const TAG_PUSHED: &str = "skydeck:pushed-at";
/// Tag of a task definition: the execution that registered it.
pub const TAG_EXECUTION: &str = "skydeck:execution";
/// Tag of what holds data: whether the platform file said that it may be deleted with it. It is read when the file no longer
/// speaks of the resource.
pub const TAG_DELETE: &str = "skydeck:delete-with-contents";

/// Tags of one resource.
pub type Tags = BTreeMap<String, String>;

/// Everything a planner knows besides the observed world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The platform as its file says.
    pub platform: Platform,
    /// The AWS account's twelve digits.
    pub account: String,
    /// The partition: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Skydeck's own bucket, where the probe function's code lies.
    pub home: String,
    /// What earlier layers found or made.
    pub facts: Facts,
    /// Whether instances are to be launched from the image that AWS recommends now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh_ami: bool,
    /// What the run has changed in the layer already, in earlier attempts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Description>,
}

impl Scope {
    /// `<platform>-<environment>`: the prefix of every name and the folder in skydeck's bucket.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.platform.name, self.platform.environment)
    }

    /// The deterministic name of a thing, such as `skyfox-devprod-vpc`.
    #[must_use]
    pub fn name(&self, thing: &str) -> String {
        format!("{}-{thing}", self.prefix())
    }

    /// The name of a thing that all regions of an account share, as IAM's are, such as `skyfox-devprod-instance-ap-south-1`.
    #[must_use]
    pub fn global_name(&self, thing: &str) -> String {
        format!("{}-{}", self.name(thing), self.platform.region)
    }

    /// The name of a thing that is replaced when `settings` change: at most `limit` characters, ending in 6 hex
    /// digits of a hash of the settings.
    #[must_use]
    pub fn versioned_name(&self, thing: &str, settings: &impl Serialize, limit: usize) -> String {
        let text = serde_json::to_string(settings).unwrap_or_default();
        let hash = hex::encode(Sha256::digest(text.as_bytes()));
        let mut name = self.name(thing);
        name.truncate(limit - 7);
        format!("{}-{}", name.trim_end_matches('-'), &hash[..6])
    }

    /// The tags that mark a resource as this platform's; two of them are what ownership is read from.
    #[must_use]
    pub fn ownership(&self) -> Tags {
        Tags::from([
            (TAG_PLATFORM.into(), self.platform.name.clone()),
            (TAG_ENVIRONMENT.into(), self.platform.environment.clone()),
        ])
    }

    /// All tags of a resource: `resource` says which one it is, `name` is its name, `service` the service it serves.
    #[must_use]
    pub fn tags(&self, resource: &str, name: &str, service: Option<&str>) -> Tags {
        let mut tags = self.platform.tags.clone();
        tags.extend(self.ownership());
        tags.insert(TAG_INSTALLATION.into(), self.platform.region.clone());
        tags.insert(TAG_RESOURCE.into(), resource.into());
        tags.insert("Name".into(), name.into());
        tags.insert("Project".into(), self.platform.name.clone());
        tags.insert("Environment".into(), self.platform.environment.clone());
        if let Some(service) = service {
            tags.insert("Service".into(), service.into());
        }
        tags
    }

    /// Whether tags found on a resource mark it as this platform's.
    #[must_use]
    pub fn owns(&self, tags: &Tags) -> bool {
        self.ownership().iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// Whether tags found on a resource have the installation's: what has not is fenced off from skydeck's roles and the platforms'.
    #[must_use]
    pub fn is_marked(&self, tags: &Tags) -> bool {
        tags.get(TAG_INSTALLATION) == Some(&self.platform.region)
    }

    /// An ARN of this account and region.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.platform.region, self.account)
    }

    /// The ARN of an IAM role or instance profile of this account: `kind` is `role` or `instance-profile`.
    #[must_use]
    pub fn iam_arn(&self, kind: &str, name: &str) -> String {
        format!("arn:{}:iam::{}:{kind}/{name}", self.partition, self.account)
    }

    /// Where the images of a repository of this account and region lie
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
    #[must_use]
    pub fn repository_uri(&self, repository: &str) -> String {
        let end = if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("{}.dkr.ecr.{}.{end}/{repository}", self.account, self.platform.region)
    }

    /// ARN of the policy that bounds every role of the platform: what it does not allow, no other policy of theirs can.
    #[must_use]
    pub fn boundary(&self) -> String {
        self.iam_arn("policy", &boundary_name(&self.platform.region))
    }

    /// The name of a bucket of the platform, with the suffix that the file may give.
    ///
    /// A key that the file does not have names the bucket that it would have: references are checked on reading.
    #[must_use]
    pub fn bucket_name(&self, key: &str) -> String {
        match self.platform.buckets.get(key).and_then(|bucket| bucket.suffix.as_deref()) {
            Some(suffix) => format!("{}-{suffix}", self.name(key)),
            None => self.name(key),
        }
    }
}

/// Name of the policy that bounds the roles of an installation's platforms.
#[must_use]
pub fn boundary_name(region: &str) -> String {
    format!("skydeck-boundary-{region}")
}

/// Whether what a resource holds may be deleted with it, by what the platform file says or last said of it.
#[must_use]
pub fn may_be_lost(tags: &Tags) -> bool {
    tags.get(TAG_DELETE).is_some_and(|said| said == "true")
}

/// What a tagging call has to change: of the tags that `found` lacks or has with another value, the values found and those
/// wanted. `None` where there are none; tags that others have added are theirs.
#[must_use]
pub fn retag(found: &Tags, wanted: &Tags) -> Option<(Tags, Tags)> {
    let same = |(key, value): &(&String, &String)| found.get(*key) == Some(*value);
    let new: Tags = wanted.iter().filter(|tag| !same(tag)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let old = found.iter().filter(|(key, _)| new.contains_key(*key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    (!new.is_empty()).then_some((old, new))
}
