//! What a demo came to: one document for a script, a table for a person.

use serde::Serialize;
use serde_json::Value;
use skydeck_core::run::LayerReport;

use super::demo_answers::Exchange;
use crate::follow::Finished;
use crate::install::Item;

/// The document of `skydeck demo --json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// What was done around the runs, and how long it took.
    pub(super) steps: Vec<Step>,
    /// What was installed.
    pub(super) install: Vec<Item>,
    /// The apply that makes the platform.
    pub(super) apply: Option<Finished>,
    /// Its outputs.
    pub(super) outputs: Value,
    /// The apply that starts the services with their first images.
    pub(super) serve: Option<Finished>,
    /// What the services answered through their load balancers.
    pub(super) answers: Vec<Exchange>,
    /// All AWS calls until the apply was over, the command's own included.
    pub(super) calls: u64,
    /// The rollouts of a good push and of a bad one.
    pub(super) rollouts: Vec<Finished>,
    /// The destroy.
    pub(super) destroy: Option<Finished>,
}

/// One step.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What was done.
    pub(super) name: &'static str,
    /// How long it took.
    pub(super) seconds: f64,
}

/// A line per layer, and their sum.
pub(super) fn layers(reports: &[LayerReport]) -> Vec<String> {
    let row = |name: &str, created: usize, calls: u64, milliseconds: u64| {
        // A layer takes seconds: the fraction that a float loses is none.
        format!("{name:<10} {created:>8} {calls:>8} {:>8.1}", milliseconds as f64 / 1000.0)
    };
    let head = format!("{:<10} {:>8} {:>8} {:>8}", "", "created", "calls", "seconds");
    let rows = reports.iter().map(|report| row(report.layer.name(), report.created, report.calls, report.milliseconds));
    let sum = row(
        "in all",
        reports.iter().map(|report| report.created).sum(),
        reports.iter().map(|report| report.calls).sum(),
        reports.iter().map(|report| report.milliseconds).sum(),
    );
    std::iter::once(head).chain(rows).chain([sum]).collect()
}
