//! CloudWatch log groups, which more than one layer has.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::plan::{Describe, Description, Found, Plan, Ref, Refusal};
use crate::scope::{Scope, Tags, retag};

/// Settings of a log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    /// How long it keeps what it gets; `None` is for ever.
    pub retention_days: Option<i32>,
    /// Tags.
    pub tags: Tags,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "a variant is named after the API call, its fields after the call's parameters")]
pub enum LogChange {
    Create { name: String, tags: Tags },
    SetRetention { name: String, old: Option<i32>, new: i32 },
    SetTags { arn: String, name: String, old: Tags, new: Tags },
    Delete { name: String },
}

impl Describe for LogChange {
    fn describe(&self) -> Description {
        match self {
            LogChange::Create { name, tags } => Description::create_tagged("log group", name, &json!({}), tags),
            LogChange::SetRetention { name, old, new } => Description::update(
                "log group",
                name,
                &json!({ "retention_days": old }),
                &json!({ "retention_days": new }),
            ),
            LogChange::SetTags { name, old, new, .. } => {
                Description::update("log group", name, &json!({ "tags": old }), &json!({ "tags": new }))
            }
            LogChange::Delete { name } => Description::delete("log group", name),
        }
    }
}

/// Plans a log group. Returns what a step waits for that needs the group.
///
/// # Errors
/// Where a group of this name is somebody else's.
pub fn plan_group<C: From<LogChange>>(
    scope: &Scope,
    plan: &mut Plan<C>,
    name: &str,
    found: Option<&Found<LogGroup>>,
    tags: Tags,
) -> Result<Ref, Refusal> {
    let new = scope.platform.cluster.log_retention_days;
    let Some(found) = found else {
        let made = plan.add(LogChange::Create { name: name.into(), tags }.into(), &[]);
        return Ok(plan.add(LogChange::SetRetention { name: name.into(), old: None, new }.into(), &[&made]));
    };
    if !scope.owns(&found.settings.tags) {
        return Err(Refusal::Taken {
            kind: "log group".into(),
            name: name.into(),
            advice: "AWS makes such a group by itself when something logs before skydeck has made it; if nobody needs \
                     it, delete it and apply again"
                .into(),
        });
    }
    if found.settings.retention_days != Some(new) {
        let old = found.settings.retention_days;
        plan.add(LogChange::SetRetention { name: name.into(), old, new }.into(), &[]);
    }
    if let Some((old, new)) = retag(&found.settings.tags, &tags) {
        plan.add(LogChange::SetTags { arn: found.id.clone(), name: name.into(), old, new }.into(), &[]);
    }
    Ok(Ref::from(found.id.as_str()))
}
