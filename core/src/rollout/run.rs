//! The payloads between the states of `rollout`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decide::Kind;
use super::ledger::Verdict;
use super::record::{Record, Verified};
use super::trigger::Cause;
use crate::facts::Facts;
use crate::layer::service::Placement;
use crate::verdict::{Check, Fault, Verification};

/// What a rollout works by: the platform file and the facts of the last apply whose layers all converged. Written by
/// `provision`, in skydeck's bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The platform file's text.
    pub file: String,
    /// Its version.
    pub spec_version: String,
    /// What the layers handed on.
    pub facts: Facts,
    /// Since when skydeck keeps records of this platform, in milliseconds since 1970.
    pub since: i64,
    /// Whether a destroy has taken the platform away since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// Input of `Decide`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The execution's input.
    pub trigger: Value,
    /// The execution's ARN.
    pub execution: String,
}

/// What `Decide` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Release the image.
    Release,
    /// Take back what a dead execution left half done.
    Return,
    /// It cannot work; the service is not touched.
    Refused,
    /// There is nothing to do.
    Ignored,
}

/// Output of `Decide`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What is to be done.
    pub decision: Word,
    /// Why nothing is, or why it cannot work.
    #[serde(default)]
    pub reason: String,
    /// The kind of that reason, where nothing is to be done.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// The rollout; none where nothing is to be done.
    pub rollout: Option<Rollout>,
    /// What can be asked of the service before anything is released, or why it cannot work.
    pub verification: Option<Verification>,
}

/// What every state of a rollout is told about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// ARN of the execution.
    pub execution: String,
    /// `<platform>-<environment>`.
    pub platform: String,
    /// The service.
    pub service: String,
    /// Why it runs.
    pub cause: Cause,
    /// The image's digest.
    pub digest: String,
    /// The tag by which it was found.
    pub tag: Option<String>,
    /// When it was pushed, in milliseconds since 1970.
    pub pushed_at: Option<i64>,
    /// When the rollout began, in milliseconds since 1970.
    pub began: i64,
    /// The service's record as it was when this was decided.
    pub record: Record,
    /// Its ETag; none where there was no record.
    pub etag: Option<String>,
    /// What the service runs, where it [serves](super::decide::Running::serves).
    pub running: Option<Verified>,
    /// How many tasks to want; `None` leaves it as it is.
    pub desired: Option<u32>,
    /// How the service is placed, where load balancer and capacity have to be set anew with the release.
    pub placed: Option<Placement>,
    /// The image that the policy wants, where a person chose another one.
    pub passed_over: Option<String>,
    /// Whether it only takes back what a dead rollout left.
    #[serde(default)]
    pub returns: bool,
    /// The platform's function inside the VPC.
    pub probe_function: Option<String>,
}

/// Output of `Release`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// ARN of the task definition that the service was given; none where the service was scaled to zero.
    pub definition: Option<String>,
    /// Digest of its image.
    pub digest: Option<String>,
    /// Whether the service was left alone, since it is another rollout's by now.
    pub superseded: bool,
    /// Whether a rollback had nothing to undo, since nothing was released.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untouched: bool,
}

/// Input of `Look`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The rollout.
    pub rollout: Rollout,
    /// ARN of the task definition that is to serve.
    pub definition: String,
    /// Digest of its image.
    pub digest: String,
    /// Which look this is, from 0.
    pub round: u32,
    /// What the look before this one saw.
    #[serde(default)]
    pub verification: Option<Verification>,
    /// What was asked before the release, and how it was answered.
    #[serde(default)]
    pub before: Option<Verification>,
}

/// Input of `RollBack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The rollout.
    pub rollout: Rollout,
    /// What did not serve; none where that was found before a release.
    #[serde(default)]
    pub released: Option<String>,
    /// Why.
    #[serde(default)]
    pub verification: Option<Verification>,
    /// What `Release` ended with, where it did not release.
    #[serde(default)]
    pub error: Option<Trouble>,
}

impl Failing {
    /// Whether AWS denied the release: the only errors after which it surely changed nothing.
    #[must_use]
    pub fn was_denied(&self) -> bool {
        self.released.is_none() && self.error.as_ref().is_some_and(|trouble| trouble.error == "AccessDenied")
    }
}

/// A function's error, as the state machine catches it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The error's name.
    #[serde(rename = "Error", default)]
    pub error: String,
    /// What happened: JSON text with the function's message in it.
    #[serde(rename = "Cause", default)]
    pub cause: String,
}

/// Input of `Settle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The rollout.
    pub rollout: Rollout,
    /// How it ended.
    pub verdict: Verdict,
    /// ARN of the task definition that it released.
    #[serde(default)]
    pub released: Option<String>,
    /// What was seen of what it released.
    #[serde(default)]
    pub verification: Option<Verification>,
    /// An error that a function ended with, where one did.
    #[serde(default)]
    pub error: Option<Trouble>,
    /// What a rollback went back to.
    #[serde(default)]
    pub returned: Option<Released>,
    /// What was seen of that.
    #[serde(default)]
    pub returning: Option<Verification>,
    /// Why the service is no business of a rollout's any more, where it is gone.
    #[serde(default)]
    pub left: Option<String>,
}

/// Output of a rollout: what the execution in the console shows as its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Result {
    /// `<platform>-<environment>`.
    pub platform: String,
    /// The service.
    pub service: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it ran.
    pub cause: Cause,
    /// The image's digest.
    pub digest: String,
    /// The tag by which it was found.
    pub tag: Option<String>,
    /// Seconds from the decision to the verdict.
    pub seconds: u64,
    /// What was wrong, or is worth knowing, as a sentence; may be empty.
    pub reason: String,
    /// Whether the image is not deployed again by itself.
    pub rejected: bool,
    /// Whose fault it was, where it failed.
    pub fault: Option<Fault>,
    /// What was checked, and what was seen.
    pub checks: Vec<Check>,
    /// What did not work after the verdict, and changes nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Trouble {
    /// The message that the function gave.
    #[must_use]
    pub fn message(&self) -> String {
        let parsed: Option<Value> = serde_json::from_str(&self.cause).ok();
        let message = parsed.as_ref().and_then(|value| value["errorMessage"].as_str());
        format!("{}: {}", self.error, message.unwrap_or(&self.cause))
    }
}
