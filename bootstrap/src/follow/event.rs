//! One event of an execution's history, as far as it is told.

use aws_sdk_sfn::types::HistoryEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event of an execution's history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Its number, from 1.
    pub id: i64,
    /// The event that it follows from: in a branch of a Parallel the branch's own. The emulator leaves it out.
    pub previous: i64,
    /// Milliseconds since 1970.
    pub time: i64,
    /// AWS's word, such as `TaskSucceeded`.
    pub kind: String,
    /// The state's name, where one is entered or left.
    pub name: Option<String>,
    /// What the state was given, or what a task answered.
    pub payload: Value,
    /// The error's name.
    pub error: Option<String>,
    /// And what happened.
    pub cause: Option<String>,
}

impl From<&HistoryEvent> for Event {
    fn from(event: &HistoryEvent) -> Self {
        let entered = event.state_entered_event_details();
        let succeeded = event.task_succeeded_event_details();
        let failed = event.task_failed_event_details();
        let payload = entered.and_then(|details| details.input()).or(succeeded.and_then(|details| details.output()));
        Event {
            id: event.id(),
            previous: event.previous_event_id(),
            time: event.timestamp().to_millis().unwrap_or_default(),
            kind: event.r#type().as_str().to_owned(),
            name: entered.map(|details| details.name().to_owned()),
            payload: payload.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            error: failed.and_then(|details| details.error()).map(Into::into),
            cause: failed.and_then(|details| details.cause()).map(Into::into),
        }
    }
}
