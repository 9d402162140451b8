//! The end of a run: what `Conclude` is told, and what a person reads.

use serde::{Deserialize, Serialize};

use super::{LayerReport, Mode, Run};
use crate::facts::Facts;
use crate::outputs::Outputs;
use crate::preview::PlanSummary;
use crate::verdict::{Check, Verification};

/// Input of `Conclude`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The run.
    pub run: Run,
    /// What the layers handed on.
    #[serde(default)]
    pub facts: Facts,
    /// What the layers did.
    #[serde(default)]
    pub reports: Vec<LayerReport>,
    /// What was seen of the services, where the run came so far.
    #[serde(default)]
    pub verification: Option<Verification>,
    /// What went wrong, if anything.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The layer.
    pub layer: String,
    /// The error's name.
    pub error: String,
    /// What happened, as a sentence.
    pub cause: String,
}

/// Output of a run: what the execution in the console shows as its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conclusion {
    /// What the run was for.
    pub mode: Mode,
    /// `<platform>-<environment>`.
    pub platform: String,
    /// Whether it did what it was for.
    pub outcome: Outcome,
    /// What each layer did, in the report's order.
    pub layers: Vec<LayerReport>,
    /// The plan, after a run that made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSummary>,
    /// What was checked of the services that run, after an apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What the platform consists of, after an apply.
    #[serde(default)]
    pub outputs: Option<Outputs>,
    /// Why it failed.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was for.
    Succeeded,
    /// It did not.
    Failed,
}
