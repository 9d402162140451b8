//! IAM: the instance role and its profile, an execution and a task role per service, the probe function's role, and
//! the service-linked roles that AWS needs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::{Describe, Description, Found};
use crate::scope::Tags;

mod desired;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{
    LINKED_SERVICES, MANAGED, execution_role_arn, facts, is_of_platforms, path, profile_name, roles, task_role_arn,
};
pub use plan::{plan, teardown};

/// What was observed of IAM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Roles by name: those that carry the platform's tags, and those that have a name which the platform needs.
    pub roles: BTreeMap<String, Found<Role>>,
    /// The instance profile of the name that the platform needs, whoever's it is.
    pub profile: Option<Found<Profile>>,
    /// Services whose service-linked role exists.
    pub linked: BTreeSet<String>,
}

/// Settings of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Who may take the role on.
    pub trust: Policy,
    /// ARNs of the managed policies attached to it.
    pub managed: BTreeSet<String>,
    /// Inline policies, by name.
    pub inline: BTreeMap<String, Policy>,
    /// ARN of its permissions boundary: what that does not allow, no policy of the role can.
    #[serde(default)]
    pub boundary: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// Settings of the instance profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Names of the roles in it; AWS lets it hold one.
    pub roles: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

/// A policy document in one normal form, so that two are equal when they mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(Value);

impl Policy {
    /// The normal form of a document.
    #[must_use]
    pub fn new(document: Value) -> Self {
        Policy(normal(document))
    }

    /// The normal form of a document's text. What is no JSON equals no document of ours, and is replaced.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Policy::new(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
    }

    /// The document as IAM takes it.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// IAM reads a list of one as the value itself, and gives lists no order.
fn normal(value: Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(normal).collect();
            values.sort_by_cached_key(Value::to_string);
            match values.pop() {
                Some(only) if values.is_empty() => only,
                last => Value::Array(values.into_iter().chain(last).collect()),
            }
        }
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(key, value)| (key, normal(value))).collect()),
        plain => plain,
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    CreateLinkedRole { service: String },
    CreateRole { name: String, settings: Role },
    SetTrust { role: String, old: Policy, new: Policy },
    AttachPolicy { role: String, policy: String },
    DetachPolicy { role: String, policy: String },
    PutPolicy { role: String, name: String, old: Option<Policy>, new: Policy },
    DeletePolicy { role: String, name: String, old: Policy },
    SetBoundary { role: String, old: Option<String>, new: String },
    TagRole { role: String, old: Tags, new: Tags },
    CreateProfile { name: String, tags: Tags },
    AddToProfile { profile: String, role: String },
    RemoveFromProfile { profile: String, role: String },
    TagProfile { profile: String, old: Tags, new: Tags },
    DeleteRole { name: String },
    DeleteProfile { name: String },
}

/// AWS's word for a role.
const ROLE: &str = "IAM role";
/// AWS's word for an instance profile.
const PROFILE: &str = "instance profile";

impl Describe for Change {
    fn describe(&self) -> Description {
        let set = |kind: &str, name: &String, key: String, old: Value, new: Value| {
            Description::update(kind, name, &json!({ key.clone(): old }), &json!({ key: new }))
        };
        match self {
            Change::CreateLinkedRole { service } => Description::create("service-linked role", service, &json!({})),
            Change::CreateRole { name, settings } => Description::create(ROLE, name, settings),
            Change::SetTrust { role, old, new } => set(ROLE, role, "trust".into(), json!(old), json!(new)),
            Change::AttachPolicy { role, policy } => set(ROLE, role, "managed".into(), Value::Null, json!(policy)),
            Change::DetachPolicy { role, policy } => set(ROLE, role, "managed".into(), json!(policy), Value::Null),
            Change::PutPolicy { role, name, old, new } => {
                set(ROLE, role, format!("inline.{name}"), json!(old), json!(new))
            }
            Change::DeletePolicy { role, name, old } => {
                set(ROLE, role, format!("inline.{name}"), json!(old), Value::Null)
            }
            Change::SetBoundary { role, old, new } => set(ROLE, role, "boundary".into(), json!(old), json!(new)),
            Change::TagRole { role, old, new } => set(ROLE, role, "tags".into(), json!(old), json!(new)),
            Change::CreateProfile { name, tags } => Description::create(PROFILE, name, &json!({ "tags": tags })),
            Change::AddToProfile { profile, role } => set(PROFILE, profile, "role".into(), Value::Null, json!(role)),
            Change::RemoveFromProfile { profile, role } => {
                set(PROFILE, profile, "role".into(), json!(role), Value::Null)
            }
            Change::TagProfile { profile, old, new } => set(PROFILE, profile, "tags".into(), json!(old), json!(new)),
            Change::DeleteRole { name } => Description::delete(ROLE, name),
            Change::DeleteProfile { name } => Description::delete(PROFILE, name),
        }
    }
}
