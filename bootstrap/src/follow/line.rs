//! What a person reads of a run.

use console::Style;
use serde::Serialize;
use skydeck_core::preview::Counts;
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::run::{LayerReport, Mode};

use super::{Finished, rollout};

/// Wide enough for every layer's name.
const NAME: usize = 10;

/// One line about a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Line {
    /// The platform file was read and the lock taken.
    Prepared {
        /// `<platform>-<environment>`.
        platform: String,
        /// What the run is for.
        mode: Mode,
        /// How long it took.
        seconds: f64,
    },
    /// A plan that is to be applied still holds.
    Approved {
        /// Its id.
        plan: String,
        /// How long it took to find out.
        seconds: f64,
    },
    /// A layer is done.
    Layer {
        /// What it did.
        report: LayerReport,
        /// What the run is for.
        mode: Mode,
        /// How long it took, waits included.
        seconds: f64,
    },
    /// A layer waits for AWS, and will be tried again.
    Waiting {
        /// Which one, where the history says it.
        layer: Option<String>,
        /// For what.
        #[serde(rename = "for")]
        what: String,
    },
    /// The tasks of a service that was waited for run, and their targets are healthy.
    Up {
        /// Which one.
        service: String,
        /// What was seen.
        evidence: String,
        /// How long it was waited for.
        seconds: f64,
    },
    /// What runs was checked, and serves.
    Serving {
        /// The services that serve.
        services: Vec<String>,
        /// Those that were not checked, and why.
        skipped: Vec<(String, String)>,
        /// How long it took, waits included.
        seconds: f64,
    },
    /// It was decided what a rollout rolls out.
    Decided {
        /// The service.
        service: String,
        /// The image.
        image: String,
        /// The image that runs, where one does.
        running: Option<String>,
        /// Why.
        cause: Cause,
        /// How long it took, waits for others included.
        seconds: f64,
    },
    /// A service was given a new revision.
    Released {
        /// `family:revision`.
        definition: String,
        /// How long it took.
        seconds: f64,
    },
    /// It was given the one before back.
    RollingBack {
        /// `family:revision`; none where there was nothing to return to.
        definition: Option<String>,
        /// How long it took.
        seconds: f64,
    },
    /// What was released serves, or what was returned to.
    Verified {
        /// Whether that is what was returned to.
        back: bool,
        /// What was seen.
        evidence: String,
        /// How long it was looked at.
        seconds: f64,
    },
    /// A layer has failed.
    Failed {
        /// Which one.
        layer: String,
        /// The error's name.
        error: String,
        /// What happened.
        cause: String,
    },
}

impl Line {
    /// The line as text. `style` decides whether there is colour.
    #[must_use]
    pub fn text(&self, style: &Style) -> String {
        match self {
            Line::Prepared { platform, seconds, .. } => row("prepare", &time(*seconds), platform),
            Line::Approved { plan, seconds } => row("approve", &time(*seconds), &format!("plan {plan} still holds")),
            Line::Layer { report, mode, seconds } => {
                let counts = counts(report, *mode);
                let style = if report.is_unchanged() { style.clone().dim() } else { style.clone().green() };
                let mut text = row(report.layer.name(), &time(*seconds), &style.apply_to(counts).to_string());
                for note in &report.notes {
                    text.push('\n');
                    text.push_str(&row("", "", &format!("note: {note}")));
                }
                text
            }
            Line::Waiting { layer: Some(layer), what } => format!("{layer}: {what}"),
            Line::Waiting { layer: None, what } => what.clone(),
            Line::Up { service, evidence, seconds } => {
                row("", &time(*seconds), &format!("service {service}: {evidence}"))
            }
            Line::Serving { services, skipped, seconds } => {
                let good = match services.as_slice() {
                    [] => style.clone().dim().apply_to("no service has tasks".to_owned()),
                    services => style.clone().green().apply_to(format!("{} answer", services.join(", "))),
                };
                let mut text = row("serving", &time(*seconds), &good.to_string());
                for (service, why) in skipped {
                    text.push('\n');
                    text.push_str(&row("", "", &format!("note: service {service}: {why}")));
                }
                text
            }
            Line::Decided { service, image, running, cause, seconds } => {
                let running = running.as_ref().map(|running| format!(" in place of {running}")).unwrap_or_default();
                let text = format!("service {service}: {image}{running}, by {}", rollout::by(*cause));
                row("decide", &time(*seconds), &text)
            }
            Line::Released { definition, seconds } => row("release", &time(*seconds), definition),
            Line::RollingBack { definition, seconds } => {
                let text = definition.as_deref().map_or("to no tasks".into(), |definition| format!("to {definition}"));
                row("roll back", &time(*seconds), &style.clone().red().apply_to(text).to_string())
            }
            Line::Verified { back, evidence, seconds } => {
                let good = style.clone().green().apply_to(evidence).to_string();
                row(if *back { "returned" } else { "serving" }, &time(*seconds), &good)
            }
            Line::Failed { layer, error, cause } => {
                let failed = style.clone().red().bold().apply_to("failed").to_string();
                row(layer, "", &format!("{failed}: {cause} ({error})"))
            }
        }
    }
}

fn row(name: &str, time: &str, text: &str) -> String {
    format!("  {name:<NAME$} {time:>7}  {text}").trim_end().to_owned()
}

pub(super) fn time(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    // Shown to the second, so that the fraction may go.
    let whole = seconds as u64;
    format!("{}m {:02}s", whole / 60, whole % 60)
}

/// What a layer did, or with a plan would do.
fn counts(report: &LayerReport, mode: Mode) -> String {
    if mode != Mode::Plan || report.is_unchanged() {
        return report.to_string();
    }
    let counts = [
        (report.created, "create"),
        (report.updated, "change"),
        (report.replaced, "replace"),
        (report.deleted, "delete"),
    ];
    let parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} to {word}")).collect();
    parts.join(", ")
}

/// The last line about a run.
#[must_use]
pub fn summary(finished: &Finished, style: &Style) -> String {
    if let Some(text) = rollout::summary(finished, style) {
        return text;
    }
    let mode = finished.mode.or(finished.conclusion.as_ref().map(|conclusion| conclusion.mode));
    let name = match mode {
        Some(Mode::Plan) => "Plan",
        Some(Mode::Apply) => "Apply",
        Some(Mode::Destroy) => "Destroy",
        None if finished.execution.contains(":skydeck-rollout:") => "Rollout",
        None => "Run",
    };
    if !finished.is_good() {
        let word = match finished.status.as_str() {
            "ABORTED" => "was stopped by somebody",
            "TIMED_OUT" => "timed out",
            _ => "failed",
        };
        let head = style.clone().red().bold().apply_to(format!("{name} {word}")).to_string();
        let cause = finished.cause.as_deref().filter(|cause| !cause.is_empty());
        return match (cause, &finished.error) {
            (Some(cause), Some(error)) => format!("{head}: {cause} ({error})"),
            (Some(cause), None) => format!("{head}: {cause}"),
            (None, Some(error)) => format!("{head}: {error}"),
            (None, None) => format!("{head}."),
        };
    }
    let layers = finished.conclusion.as_ref().map(|conclusion| conclusion.layers.as_slice()).unwrap_or_default();
    let sum = |count: fn(&LayerReport) -> usize| layers.iter().map(count).sum::<usize>();
    let (create, change) = (sum(|report| report.created), sum(|report| report.updated));
    let (replace, delete) = (sum(|report| report.replaced), sum(|report| report.deleted));
    if mode == Some(Mode::Plan) {
        let counts = Counts { create, change, replace, delete };
        let id = finished.execution.rsplit(':').next().unwrap_or_default();
        return format!("{counts} Nothing was changed. It is plan {id}.");
    }
    let time = time(finished.seconds);
    let head = style.clone().green().bold().apply_to(format!("{name} complete")).to_string();
    let replaced = if replace > 0 { format!("{replace} replaced, ") } else { String::new() };
    format!("{head}: {create} created, {change} changed, {replaced}{delete} deleted in {time}.")
}
