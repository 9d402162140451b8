//! What came of the cases.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use skydeck_core::rollout::ledger::Verdict;

use super::case::{Kind, is_good};

/// A rollout that was told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rollout {
    /// How its image behaves.
    pub behaves: String,
    /// What it was told as.
    pub verdict: Verdict,
    /// Whether its image was told as rejected.
    pub rejected: bool,
    /// From the beginning of its execution to the end, in seconds of AWS.
    pub seconds: f64,
    /// Whether people had their say: they may reject what is good.
    pub by_a_person: bool,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The case's name.
    pub case: String,
    /// What it is about.
    pub kind: Kind,
    /// All rollouts of its service, those before it included.
    pub rollouts: Vec<Rollout>,
    /// What was not as the label says.
    pub wrong: Vec<String>,
}

/// The figures of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Cases that were tried.
    pub cases: usize,
    /// In which something was not as the label says.
    pub failed: usize,
    /// Rollouts that were told.
    pub rollouts: usize,
    /// Bad images that were told as a success.
    pub false_success: usize,
    /// Good images that were rejected, and by no person.
    pub false_rejection: usize,
    /// From a rollout's beginning to its verdict, in seconds of AWS.
    pub median_verdict_seconds: f64,
}

/// All outcomes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    outcomes: Vec<Outcome>,
}

impl Report {
    /// Adds an outcome.
    pub fn add(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    fn rollouts(&self) -> impl Iterator<Item = &Rollout> {
        self.outcomes.iter().flat_map(|outcome| &outcome.rollouts)
    }

    /// The figures.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let told = self.rollouts().filter(|rollout| rollout.verdict != Verdict::Superseded);
        let mut seconds: Vec<f64> = told.map(|rollout| rollout.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let count = |is: fn(&Rollout) -> bool| self.rollouts().filter(|rollout| is(rollout)).count();
        Summary {
            cases: self.outcomes.len(),
            failed: self.outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).count(),
            rollouts: self.rollouts().count(),
            false_success: count(|told| told.verdict == Verdict::Succeeded && !is_good(&told.behaves)),
            false_rejection: count(|told| told.rejected && is_good(&told.behaves) && !told.by_a_person),
            median_verdict_seconds: seconds.get(seconds.len() / 2).copied().unwrap_or_default().round(),
        }
    }

    /// What was not as its label says, a paragraph each.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failed = self.outcomes.iter().filter(|outcome| !outcome.wrong.is_empty());
        failed.map(|outcome| format!("{}\n  {}", outcome.case, outcome.wrong.join("\n  "))).collect()
    }

    /// Behaviours by verdicts, in Markdown: as what the rollouts of an image were told.
    #[must_use]
    pub fn matrix(&self) -> String {
        const VERDICTS: [Verdict; 5] =
            [Verdict::Succeeded, Verdict::RolledBack, Verdict::Refused, Verdict::Superseded, Verdict::Unverified];
        let mut rows: BTreeMap<(bool, &str), [usize; 5]> = BTreeMap::new();
        for told in self.rollouts() {
            let row = rows.entry((!is_good(&told.behaves), &told.behaves)).or_default();
            for (count, verdict) in row.iter_mut().zip(VERDICTS) {
                *count += usize::from(told.verdict == verdict);
            }
        }
        let heads = VERDICTS.map(|verdict| verdict.words());
        let mut text = format!("| the image | is | {} |\n|---|---|---:|---:|---:|---:|---:|\n", heads.join(" | "));
        for ((bad, behaves), counts) in rows {
            let cells = counts.map(|count| if count == 0 { String::new() } else { count.to_string() });
            let _ = writeln!(text, "| {behaves} | {} | {} |", if bad { "bad" } else { "good" }, cells.join(" | "));
        }
        text
    }

    /// Cases by what they are about, in Markdown.
    #[must_use]
    pub fn kinds(&self) -> String {
        let mut rows: BTreeMap<Kind, (usize, usize)> = BTreeMap::new();
        for outcome in &self.outcomes {
            let row = rows.entry(outcome.kind).or_default();
            *row = (row.0 + 1, row.1 + usize::from(outcome.wrong.is_empty()));
        }
        let mut text = "| about | cases | as the label says |\n|---|---:|---:|\n".to_owned();
        for (kind, (all, right)) in rows {
            let _ = writeln!(text, "| {} | {all} | {right} |", kind.name());
        }
        text
    }
}
