//! The part of a story that only a rollout has: what was decided and released, how that comes up, and the way back.

use console::Style;
use serde::Deserialize;
use serde_json::Value;
use skydeck_core::layer::service::short;
use skydeck_core::rollout::decide::Kind;
use skydeck_core::rollout::image;
use skydeck_core::rollout::ledger::Verdict;
use skydeck_core::rollout::run::{Decided, Released, Result as Ended, Rollout, Word};
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::verdict::{Check, Name, Outcome, Status, Verification};

use super::line::time;
use super::{Finished, Line};

/// What is known of a rollout so far.
#[derive(Debug, Default)]
pub(super) struct Tale {
    rollout: Option<Rollout>,
    /// Why there is none, once that was decided.
    ignored: Option<String>,
    /// The kind of that reason.
    kind: Option<Kind>,
    /// When what was released, or returned to, was looked at first.
    looked: Option<i64>,
    /// What was last said to be waited for.
    awaited: String,
    /// Whether it is on its way back.
    back: bool,
    ended: Option<Ended>,
}

impl Tale {
    /// Reads what a state's function answered, at a time after so many seconds; `None` where that is no rollout's.
    pub(super) fn read(&mut self, payload: &Value, state: &str, seconds: f64, at: i64) -> Option<Vec<Line>> {
        if let Ok(decided) = Decided::deserialize(payload) {
            return Some(self.decided(decided, seconds));
        }
        let rollout = self.rollout.as_ref()?;
        if let Ok(released) = Released::deserialize(payload) {
            (self.looked, self.awaited) = (None, String::new());
            let definition = released.definition.as_deref().map(|arn| short(arn).to_owned());
            if state != "RollBack" {
                return Some(definition.map(|definition| Line::Released { definition, seconds }).into_iter().collect());
            }
            self.back = true;
            return Some(if released.superseded {
                Vec::new()
            } else {
                vec![Line::RollingBack { definition, seconds }]
            });
        }
        if let Ok(ended) = Ended::deserialize(payload) {
            self.ended = Some(ended);
            return Some(Vec::new());
        }
        let found = Verification::deserialize(payload).ok()?;
        // What served before the release was asked for comparison alone.
        let is_before = state.ends_with("Before");
        let service = rollout.service.clone();
        Some(if is_before { Vec::new() } else { self.looked(&found, &service, at).into_iter().collect() })
    }

    fn decided(&mut self, decided: Decided, seconds: f64) -> Vec<Line> {
        let Some(rollout) = decided.rollout else {
            (self.ignored, self.kind) = (Some(decided.reason), decided.kind);
            return Vec::new();
        };
        let line = Line::Decided {
            service: rollout.service.clone(),
            image: image::name(&rollout.digest, rollout.tag.as_deref()),
            running: rollout.running.as_ref().map(|running| image::name(&running.digest, None)),
            cause: rollout.cause,
            seconds,
        };
        self.rollout = Some(rollout);
        // What it could not do is told at its end.
        if decided.decision == Word::Refused { Vec::new() } else { vec![line] }
    }

    fn looked(&mut self, found: &Verification, service: &str, at: i64) -> Option<Line> {
        let looked = *self.looked.get_or_insert(at);
        let whom = if self.back { "returning" } else { "serving" };
        match found.status {
            Status::Waiting => {
                let what = found.summary.strip_prefix(&format!("service {service}: ")).unwrap_or(&found.summary);
                let news = without_seconds(what, &found.checks);
                (news != self.awaited).then(|| {
                    self.awaited = news;
                    Line::Waiting { layer: Some(whom.into()), what: what.into() }
                })
            }
            // They have yet to be asked.
            Status::Serving if found.asks && !found.checks.iter().any(|check| check.check == Name::Answers) => None,
            Status::Serving => Some(Line::Verified {
                back: self.back,
                evidence: evidence(&found.checks),
                seconds: super::story::seconds(looked, at),
            }),
            Status::Failed | Status::Superseded | Status::NoTasks => None,
        }
    }

    /// How it ended, where `Settle` was reached, and why nothing was done, where nothing was.
    pub(super) fn into_end(self) -> (Option<Ended>, Option<String>, Option<Kind>) {
        (self.ended, self.ignored, self.kind)
    }
}

/// What is waited for; for how long tasks run by now changes with each look, and is no news.
fn without_seconds(what: &str, checks: &[Check]) -> String {
    let steady = checks.iter().find(|check| check.check == Name::Steady);
    steady.map_or_else(|| what.to_owned(), |steady| what.replace(&steady.evidence, "steady"))
}

/// What was counted: definition and digest are what was released by then.
fn evidence(checks: &[Check]) -> String {
    let counted = checks.iter().filter(|check| !matches!(check.check, Name::Definition | Name::Digest));
    counted.map(|check| check.evidence.as_str()).collect::<Vec<_>>().join(", ")
}

/// Why it runs, after `by`.
pub(super) fn by(cause: Cause) -> &'static str {
    match cause {
        Cause::Push => "a push",
        Cause::Person => "a person",
        Cause::Rollback => "a person's rollback",
        Cause::Configuration => "the platform file",
        Cause::Secret => "a parameter",
        Cause::Sweep => "the sweep",
    }
}

/// The last lines about a rollout; `None` where it came to no end of its own.
pub(super) fn summary(finished: &Finished, style: &Style) -> Option<String> {
    if let Some(reason) = &finished.ignored {
        return Some(format!("Nothing is rolled out: {reason}."));
    }
    let ended = finished.rollout.as_ref()?;
    let name = if ended.cause == Cause::Rollback { "Rollback" } else { "Rollout" };
    let good = style.clone().green().bold();
    let bad = style.clone().red().bold();
    let (style, text) = match ended.verdict {
        Verdict::Succeeded => {
            let runs = format!("service {} runs {}", ended.service, image::name(&ended.digest, ended.tag.as_deref()));
            let note = if ended.reason.is_empty() { String::new() } else { format!(". Note: {}", ended.reason) };
            (good, format!("{runs}{note}"))
        }
        Verdict::Superseded | Verdict::Unverified => (style.clone().yellow().bold(), ended.reason.clone()),
        Verdict::RolledBack | Verdict::Refused if ended.rejected => (
            bad,
            format!("{}. The image is rejected: nothing but `skydeck rollout --image` deploys it again", ended.reason),
        ),
        Verdict::RolledBack | Verdict::Refused => (bad, ended.reason.clone()),
    };
    let head = style.apply_to(format!("{name} {}", ended.verdict.words())).to_string();
    let mut lines = vec![format!("{head} in {}: {text}.", time(finished.seconds))];
    lines.extend(ended.checks.iter().map(line));
    Some(lines.join("\n"))
}

fn line(check: &Check) -> String {
    let outcome = match check.outcome {
        Outcome::Ok => "OK",
        Outcome::Skipped => "SKIPPED",
        Outcome::NotYet => "NOT YET",
        Outcome::Failed => "FAILED",
    };
    format!("  {outcome:<8} {:<11} {}", check.check.to_string(), check.evidence)
}

#[cfg(test)]
mod tests {
    use skydeck_core::verdict::Questions;

    use super::*;

    #[test]
    fn that_tasks_have_to_run_for_a_while_is_said_once() {
        let mut tale = Tale::default();
        let mut look = |seconds: &str| {
            let evidence = format!("the youngest task runs for {seconds} of 75 seconds");
            let check = Check { service: "movie".into(), check: Name::Steady, outcome: Outcome::NotYet, evidence };
            let found = Verification::of(0, vec![check], Questions::default(), Questions::default());
            tale.looked(&found, "movie", 0).is_some()
        };
        assert_eq!(["0", "5", "10"].map(&mut look), [true, false, false]);
    }
}
