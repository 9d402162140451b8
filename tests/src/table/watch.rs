//! The executions of the state machines, as they come and end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// An execution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) arn: String,
    pub(super) status: ExecutionStatus,
    pub(super) input: Value,
    /// Its output, once it has succeeded.
    pub(super) output: Value,
    pub(super) error: String,
    pub(super) cause: String,
    /// How long it took, by this machine's clock.
    pub(super) seconds: f64,
}

impl Run {
    pub(super) fn is_running(&self) -> bool {
        self.status == ExecutionStatus::Running
    }

    /// Whether it came from an event of this repository or of this parameter.
    pub(super) fn is_told_by(&self, name: &str) -> bool {
        self.input["detail"]["repository-name"] == name || self.input["detail"]["name"] == name
    }

    pub(super) fn is_of(&self, service: &str, repository: &str) -> bool {
        self.input["service"] == service || self.is_told_by(repository)
    }

    pub(super) fn is_sweep(&self) -> bool {
        self.arn.contains(":skydeck-sweep:")
    }

    /// Why nothing was done, where nothing was.
    pub(super) fn ignored(&self) -> Option<&str> {
        self.output["reason"].as_str().filter(|_| self.output["decision"] == "ignored")
    }
}

/// Keeps the executions up to date, for ever.
pub(super) async fn watch(sfn: &Client, machines: &[String], runs: &Mutex<Vec<Run>>) -> Infallible {
    let mut known: BTreeMap<String, Run> = BTreeMap::new();
    loop {
        for machine in machines {
            let Ok(listed) = sfn.list_executions().state_machine_arn(machine).max_results(1000).send().await else {
                continue;
            };
            for item in listed.executions() {
                let before = known.get(item.execution_arn());
                if before.is_some_and(|run| run.status == *item.status()) {
                    continue;
                }
                let request = sfn.describe_execution().execution_arn(item.execution_arn());
                let Ok(found) = request.send().await else { continue };
                let read =
                    |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
                let ended = item.stop_date().map_or(0.0, aws_sdk_sfn::primitives::DateTime::as_secs_f64);
                let run = Run {
                    arn: item.execution_arn().to_owned(),
                    status: found.status().clone(),
                    input: read(found.input()),
                    output: read(found.output()),
                    error: found.error().unwrap_or_default().to_owned(),
                    cause: found.cause().unwrap_or_default().to_owned(),
                    seconds: ended - item.start_date().as_secs_f64(),
                };
                // It has ended since the list was made: the next one tells when.
                if run.is_running() == (*item.status() == ExecutionStatus::Running) {
                    known.insert(run.arn.clone(), run);
                }
            }
        }
        *runs.lock().unwrap_or_else(PoisonError::into_inner) = known.values().cloned().collect();
        pause().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits for a condition here, and no Lambda")]
pub(super) async fn pause() {
    tokio::time::sleep(EVERY).await;
}
