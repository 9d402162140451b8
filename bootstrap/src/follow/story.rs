//! Reads events one by one, and knows what is worth a line. Pure: no clock, no AWS.
//!
//! AWS says for each event which one it follows from, so that what happens in a branch of a Parallel finds its state. The
//! emulator says neither that nor which states a branch enters; then the time counts from where the Parallel began.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use skydeck_core::run::{Conclusion, Layer, LayerReport, Mode, Prepared};
use skydeck_core::verdict::{Check, Name, Outcome, Status, Verification};

use super::rollout::Tale;
use super::{Event, Finished, Line};

/// Errors that the state machine tries again, beside the Lambda service's own.
const RETRIED: [&str; 3] = ["NotYet", "Throttled", "Sandbox.Timedout"];

/// What is known of a run so far.
#[derive(Debug, Default)]
pub struct Story {
    previous: BTreeMap<i64, i64>,
    /// States by the event that entered them: name and time.
    entered: BTreeMap<i64, (String, i64)>,
    /// When the state was entered that works now.
    working_since: i64,
    begun: i64,
    last: i64,
    over: bool,
    mode: Option<Mode>,
    /// What the layers are walked for now: of an apply with a plan first that.
    pass: Option<Mode>,
    /// When services were first looked at.
    looked: Option<i64>,
    /// What was last said to be waited for.
    awaited: String,
    /// The services whose tasks and targets are waited for.
    coming: BTreeSet<String>,
    conclusion: Option<Conclusion>,
    /// The last word of each layer; one that is walked once more and has nothing new to say is passed over.
    told: BTreeMap<Layer, LayerReport>,
    /// The services that were last said to serve.
    serving: Vec<String>,
    /// The task state that was entered last.
    working: String,
    /// What only rollouts have.
    tale: Tale,
}

impl Story {
    /// Reads the next event; returns what it is worth.
    pub fn read(&mut self, event: &Event) -> Vec<Line> {
        self.previous.insert(event.id, event.previous);
        self.last = self.last.max(event.time);
        if self.begun == 0 {
            self.begun = event.time;
        }
        match (event.kind.as_str(), &event.name) {
            (kind, Some(name)) if kind.ends_with("StateEntered") => {
                self.entered.insert(event.id, (name.clone(), event.time));
                if matches!(kind, "TaskStateEntered" | "ParallelStateEntered") {
                    self.working_since = event.time;
                    self.working.clone_from(name);
                }
                // What comes out of a layer's Catch goes into the state that gathers.
                if name.starts_with("Gather") { self.failures(event) } else { Vec::new() }
            }
            ("TaskSucceeded", _) => self.succeeded(event).unwrap_or_default(),
            ("TaskFailed", _) => self.failed(event).into_iter().collect(),
            ("ExecutionSucceeded" | "ExecutionFailed" | "ExecutionAborted" | "ExecutionTimedOut", _) => {
                self.over = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn succeeded(&mut self, event: &Event) -> Option<Vec<Line>> {
        let payload = event.payload.get("Payload")?;
        let seconds = self.seconds_of(event);
        if let Some(lines) = self.tale.read(payload, &self.working, seconds, event.time) {
            return Some(lines);
        }
        if let Ok(Prepared { run }) = Prepared::deserialize(payload) {
            self.mode = Some(run.purpose());
            self.pass = Some(run.mode);
            self.told.clear();
            return Some(vec![match run.approves {
                // The second time: the layers have looked, and now they work.
                Some(plan) if run.mode == Mode::Apply => Line::Approved { plan, seconds },
                _ => Line::Prepared { platform: run.platform.clone(), mode: run.mode, seconds },
            }]);
        }
        if let Some(report) = payload.get("report").and_then(|report| LayerReport::deserialize(report).ok()) {
            let known = self.told.insert(report.layer, report.clone());
            if known.is_some_and(|known| (known.to_string(), known.notes) == (report.to_string(), report.notes.clone()))
            {
                return Some(Vec::new());
            }
            return Some(vec![Line::Layer { report, mode: self.pass.unwrap_or(Mode::Apply), seconds }]);
        }
        if let Ok(found) = Verification::deserialize(payload) {
            return Some(self.verified(event, &found));
        }
        self.conclusion = Conclusion::deserialize(payload).ok().or(self.conclusion.take());
        None
    }

    fn verified(&mut self, event: &Event, found: &Verification) -> Vec<Line> {
        let looked = *self.looked.get_or_insert(self.state_of(event).map_or(self.working_since, |(_, since)| *since));
        let seconds = seconds(looked, event.time);
        let mut lines = self.come_up(&found.checks, seconds);
        match found.status {
            Status::Waiting if found.summary != self.awaited => {
                self.awaited.clone_from(&found.summary);
                lines.push(Line::Waiting { layer: Some("serving".into()), what: found.summary.clone() });
            }
            Status::Waiting | Status::Failed | Status::Superseded | Status::NoTasks => {}
            // They have yet to be asked.
            Status::Serving if found.asks && !found.checks.iter().any(|check| check.check == Name::Answers) => {}
            Status::Serving => {
                let services: Vec<String> = found.serving().into_iter().map(Into::into).collect();
                let skipped = found.skipped().into_iter().map(|c| (c.service.clone(), c.evidence.clone())).collect();
                if services.is_empty() || self.serving != services {
                    self.serving.clone_from(&services);
                    lines.push(Line::Serving { services, skipped, seconds });
                }
            }
        }
        lines
    }

    /// The services that were waited for, and run now.
    fn come_up(&mut self, checks: &[Check], seconds: f64) -> Vec<Line> {
        let mut services: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
        for check in checks.iter().filter(|check| check.check != Name::Answers) {
            services.entry(&check.service).or_default().push(check);
        }
        let mut lines = Vec::new();
        for (service, checks) in services {
            if checks.iter().any(|check| check.outcome == Outcome::NotYet) {
                self.coming.insert(service.to_owned());
            } else if checks.iter().all(|check| check.outcome == Outcome::Ok) && self.coming.remove(service) {
                let evidence = checks.iter().map(|check| check.evidence.as_str()).collect::<Vec<_>>().join(", ");
                lines.push(Line::Up { service: service.to_owned(), evidence, seconds });
            }
        }
        lines
    }

    fn failed(&self, event: &Event) -> Option<Line> {
        let error = event.error.as_deref()?;
        if !RETRIED.contains(&error) && !error.starts_with("Lambda.") {
            return None;
        }
        let what = if error == "NotYet" {
            message(event.cause.as_deref().unwrap_or_default())
        } else {
            format!("{error}, trying again")
        };
        let layer = self.state_of(event).map(|(name, _)| layer_of(name));
        Some(Line::Waiting { layer, what })
    }

    fn failures(&self, event: &Event) -> Vec<Line> {
        let failure = |item: &Value| {
            let failure = item.get("failure")?;
            Some(Line::Failed {
                layer: item.get("layer")?.as_str()?.to_owned(),
                error: failure.get("Error").and_then(Value::as_str).unwrap_or_default().to_owned(),
                cause: message(failure.get("Cause").and_then(Value::as_str).unwrap_or_default()),
            })
        };
        event.payload.as_array().into_iter().flatten().filter_map(failure).collect()
    }

    /// The state that an event belongs to, by the events that it follows from.
    fn state_of(&self, event: &Event) -> Option<&(String, i64)> {
        let mut id = event.id;
        loop {
            if let Some(state) = self.entered.get(&id) {
                return Some(state);
            }
            // An event follows from an earlier one, so that this ends.
            id = self.previous.get(&id).copied().filter(|previous| *previous > 0 && *previous < id)?;
        }
    }

    fn seconds_of(&self, event: &Event) -> f64 {
        let since = self.state_of(event).map_or(self.working_since, |(_, since)| *since);
        seconds(since, event.time)
    }

    /// Whether the execution has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The run, once it is over, with what Step Functions says of it.
    #[must_use]
    pub fn into_finished(
        self,
        execution: &str,
        status: &str,
        (error, cause): (Option<String>, Option<String>),
    ) -> Finished {
        // From the first event to the last.
        let seconds = seconds(self.begun, self.last);
        let (rollout, ignored, kind) = self.tale.into_end();
        Finished {
            execution: execution.to_owned(),
            status: status.to_owned(),
            seconds,
            mode: self.mode,
            error,
            cause,
            conclusion: self.conclusion,
            rollout,
            ignored,
            kind,
        }
    }
}

pub(super) fn seconds(from: i64, to: i64) -> f64 {
    // A run lasts hours at most; milliseconds fit.
    (to - from).max(0) as f64 / 1000.0
}

/// The layer of a state: `Cluster` and `RemoveCluster` are both the cluster's.
fn layer_of(state: &str) -> String {
    state.strip_prefix("Remove").unwrap_or(state).to_lowercase()
}

/// The message in a function's failure, which Lambda wraps in JSON.
fn message(cause: &str) -> String {
    let wrapped = serde_json::from_str::<Value>(cause).ok();
    let message = wrapped.as_ref().and_then(|cause| cause.get("errorMessage")).and_then(Value::as_str);
    message.unwrap_or(cause).to_owned()
}
