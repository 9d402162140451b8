//! ECR repositories, one per image that the services run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::{Describe, Description, Found};
use crate::scope::Tags;

mod desired;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{KEEP_PREFIX, facts, repositories};
pub use plan::{obstacles_leaving, plan, teardown};

/// What was observed of the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Repositories by name: those that carry the platform's tags, and those of a name that the platform needs.
    pub repositories: BTreeMap<String, Found<Repository>>,
    /// Their URIs, by name.
    pub uris: BTreeMap<String, String>,
    /// Repositories that no service uses any more and that hold images.
    pub holding: BTreeSet<String>,
}

/// Settings of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// `MUTABLE` or `IMMUTABLE`: whether a tag may be pushed again.
    pub tag_mutability: String,
    /// Whether each push is scanned for known vulnerabilities.
    pub scan_on_push: bool,
    /// `AES256` or `KMS`; AWS cannot change it.
    pub encryption: String,
    /// Which images expire.
    pub lifecycle: Option<Lifecycle>,
    /// Tags.
    pub tags: Tags,
}

/// A lifecycle policy in one normal form, so that two are equal when they mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lifecycle(Value);

impl Lifecycle {
    /// The normal form of a policy: rules in the order of their priority, whatever order they were written in.
    #[must_use]
    pub fn new(mut policy: Value) -> Self {
        if let Some(rules) = policy.get_mut("rules").and_then(Value::as_array_mut) {
            rules.sort_by_key(|rule| rule["rulePriority"].as_u64());
        }
        Lifecycle(policy)
    }

    /// The normal form of a policy's text. What is no JSON equals no policy of ours, and is replaced.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Lifecycle::new(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
    }

    /// The policy as ECR takes it.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    CreateRepository { name: String, settings: Repository },
    SetMutability { name: String, old: String, new: String },
    SetScanning { name: String, on: bool },
    SetLifecycle { name: String, old: Option<Lifecycle>, new: Lifecycle },
    SetTags { arn: String, name: String, old: Tags, new: Tags },
    DeleteRepository { name: String, with_images: bool },
}

/// AWS's word for a repository.
const REPOSITORY: &str = "ECR repository";

impl Describe for Change {
    fn describe(&self) -> Description {
        let set = |name: &String, key: &str, old: Value, new: Value| {
            Description::update(REPOSITORY, name, &json!({ key: old }), &json!({ key: new }))
        };
        match self {
            Change::CreateRepository { name, settings } => Description::create(REPOSITORY, name, settings),
            Change::SetMutability { name, old, new } => set(name, "tag_mutability", json!(old), json!(new)),
            Change::SetScanning { name, on } => set(name, "scan_on_push", json!(!on), json!(on)),
            Change::SetLifecycle { name, old, new } => set(name, "lifecycle", json!(old), json!(new)),
            Change::SetTags { name, old, new, .. } => set(name, "tags", json!(old), json!(new)),
            Change::DeleteRepository { name, .. } => Description::delete(REPOSITORY, name),
        }
    }
}
