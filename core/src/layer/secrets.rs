//! Parameter Store: whether what a person gives a value is there, and the few parameters that skydeck writes itself.
//!
//! No value is in a world, a plan or a change: whether one is right is compared where it is read, and it is made anew
//! from the platform file where it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::{Describe, Description, Found};
use crate::scope::Tags;

mod desired;
mod plan;
#[cfg(test)]
mod tests;

pub use desired::{facts, tags, value, withheld};
pub use plan::{obstacles, obstacles_leaving, plan, teardown};

/// The type that every parameter must have.
pub const SECURE: &str = "SecureString";

/// What was observed of the parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// Parameters by name: those that the platform file names, and those that carry the platform's tags.
    pub parameters: BTreeMap<String, Found<Parameter>>,
}

/// What is known of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// `SecureString`, `String` or `StringList`.
    pub kind: String,
    /// Whether it holds the value that the platform file says; `None` where the file says none.
    pub right: Option<bool>,
    /// Its tags; of a person's parameter none but the installation's.
    pub tags: Tags,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum Change {
    CreateParameter { name: String, key: String, tags: Tags },
    OverwriteParameter { name: String, key: String },
    SetTags { name: String, old: Tags, new: Tags },
    DeleteParameter { name: String },
}

/// AWS's word for a parameter.
const PARAMETER: &str = "parameter";

impl Describe for Change {
    fn describe(&self) -> Description {
        let set = |name: &String, key: &str, old: Value, new: Value| {
            Description::update(PARAMETER, name, &json!({ key: old }), &json!({ key: new }))
        };
        match self {
            Change::CreateParameter { name, tags, .. } => {
                Description::create(PARAMETER, name, &json!({ "type": SECURE, "tags": tags }))
            }
            Change::OverwriteParameter { name, .. } => {
                set(name, "value", json!("another"), json!("as the platform file says"))
            }
            Change::SetTags { name, old, new } => set(name, "tags", json!(old), json!(new)),
            Change::DeleteParameter { name } => Description::delete(PARAMETER, name),
        }
    }
}
