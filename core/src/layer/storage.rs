//! S3 buckets.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::{Describe, Description, Found};
use crate::scope::Tags;

mod desired;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{buckets, facts};
pub use plan::{obstacles_leaving, plan, teardown};

/// What was observed of S3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Buckets of the account, by name: those that carry the platform's tags, and those of a name that it needs.
    pub buckets: BTreeMap<String, Found<Bucket>>,
    /// Names that the platform needs and that a bucket of another account or another region has.
    pub elsewhere: BTreeSet<String>,
    /// Buckets that the platform file no longer names and that hold objects, or versions or delete markers of some.
    pub holding: BTreeSet<String>,
}

/// Settings of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Whether it keeps overwritten and deleted objects.
    pub versioned: bool,
    /// The algorithm that encrypts new objects: `AES256`, `aws:kms`.
    pub encryption: Option<String>,
    /// What is barred from being public.
    pub public_access_block: PublicAccessBlock,
    /// CORS rules; none means no CORS configuration.
    pub cors: Vec<Cors>,
    /// Tags.
    pub tags: Tags,
}

/// The four switches against public access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// Refuse new public ACLs.
    pub block_public_acls: bool,
    /// Ignore public ACLs.
    pub ignore_public_acls: bool,
    /// Refuse new public policies.
    pub block_public_policy: bool,
    /// Ignore public policies.
    pub restrict_public_buckets: bool,
}

/// One CORS rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// Origins that may ask.
    pub origins: BTreeSet<String>,
    /// HTTP methods that they may use.
    pub methods: BTreeSet<String>,
    /// Headers that they may send.
    pub headers: BTreeSet<String>,
    /// Headers of the answer that a script may read.
    pub expose: BTreeSet<String>,
    /// Seconds that a browser may remember the rule for.
    pub max_age_seconds: Option<i32>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    CreateBucket { name: String, settings: Bucket },
    EnableVersioning { name: String },
    SetEncryption { name: String, old: Option<String>, new: String },
    SetPublicAccessBlock { name: String, old: PublicAccessBlock, new: PublicAccessBlock },
    SetCors { name: String, old: Vec<Cors>, new: Vec<Cors> },
    DeleteCors { name: String, old: Vec<Cors> },
    // S3 replaces all tags of a bucket at once, so that those of others are sent again.
    SetTags { name: String, old: Tags, new: Tags, all: Tags },
    DeleteObjects { name: String },
    DeleteBucket { name: String },
}

/// AWS's word for a bucket.
const BUCKET: &str = "S3 bucket";

impl Describe for Change {
    fn describe(&self) -> Description {
        let set = |name: &String, key: &str, old: Value, new: Value| {
            Description::update(BUCKET, name, &json!({ key: old }), &json!({ key: new }))
        };
        match self {
            Change::CreateBucket { name, settings } => Description::create(BUCKET, name, settings),
            Change::EnableVersioning { name } => set(name, "versioned", json!(false), json!(true)),
            Change::SetEncryption { name, old, new } => set(name, "encryption", json!(old), json!(new)),
            Change::SetPublicAccessBlock { name, old, new } => set(name, "public_access_block", json!(old), json!(new)),
            Change::SetCors { name, old, new } => set(name, "cors", json!(old), json!(new)),
            Change::DeleteCors { name, old } => set(name, "cors", json!(old), Value::Null),
            Change::SetTags { name, old, new, .. } => set(name, "tags", json!(old), json!(new)),
            Change::DeleteObjects { name } => set(name, "objects", json!("all versions"), Value::Null),
            Change::DeleteBucket { name } => Description::delete(BUCKET, name),
        }
    }
}
