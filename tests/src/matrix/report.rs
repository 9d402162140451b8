//! What came of the cases: kept line by line, so that a matrix can be resumed, and told as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::case::{At, Blow, Case};
use super::ground::{First, Trial};
use super::picture::Difference;
use super::real::Death;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The case's name.
    pub case: String,
    /// The state of the machine in which it struck.
    pub state: String,
    /// What happened to the call.
    pub blow: Blow,
    /// Whether its call never came.
    #[serde(default)]
    pub missed: bool,
    /// Whether the run that was struck succeeded all the same.
    #[serde(default)]
    pub alone: bool,
    /// What the run that was struck failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Why the second run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What stands twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<String>,
    /// What should not stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<String>,
    /// What is missing, or set otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<String>,
}

impl Outcome {
    pub(super) fn of<A: At>(case: &Case<A>, trial: Trial) -> Self {
        let outcome = Outcome {
            case: case.name(),
            state: case.state().to_owned(),
            blow: case.blow,
            missed: false,
            alone: false,
            first: None,
            error: None,
            duplicates: Vec::new(),
            orphans: Vec::new(),
            wrong: Vec::new(),
        };
        match trial {
            Trial::Missed => Outcome { missed: true, ..outcome },
            Trial::Failed(error) => Outcome { error: Some(error), ..outcome },
            Trial::Ended { first, difference } => {
                let Difference { duplicates, orphans, missing, settings } = difference;
                let alone = first == First::Succeeded;
                let first = if let First::Failed(error) = first { Some(error) } else { None };
                Outcome { alone, first, duplicates, orphans, wrong: [missing, settings].concat(), ..outcome }
            }
        }
    }

    /// With the way in which the run was killed.
    pub(super) fn dying(mut self, death: Option<Death>) -> Self {
        match death {
            None => {}
            Some(Death::Stopped) => self.case += " (execution stopped)",
            Some(Death::Crashed) => self.case += " (function crashed)",
        }
        self
    }

    /// Whether the account is what a clean run leaves; what AWS only does not know yet may not even fail the run.
    #[must_use]
    pub fn converged(&self) -> bool {
        !self.missed && self.is_sound() && (self.alone || self.blow != Blow::Unknown)
    }

    pub(super) fn is_sound(&self) -> bool {
        self.error.is_none() && self.duplicates.is_empty() && self.orphans.is_empty() && self.wrong.is_empty()
    }
}

/// The figures of a matrix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Cases that were tried.
    pub cases: usize,
    /// After which the account was what a clean run leaves.
    pub converged: usize,
    /// Resources that stood twice.
    pub duplicates: usize,
    /// Resources that should not have stood.
    pub orphans: usize,
    /// Cases whose call never came.
    pub missed: usize,
    /// Cases in which the run that was struck succeeded by itself.
    pub alone: usize,
}

/// All outcomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    outcomes: BTreeMap<String, Outcome>,
}

impl Report {
    /// Adds an outcome, or replaces an older one of the same case.
    pub fn add(&mut self, outcome: Outcome) {
        self.outcomes.insert(outcome.case.clone(), outcome);
    }

    /// Whether a case has been tried, and need not be tried again.
    #[must_use]
    pub fn has(&self, case: &str) -> bool {
        self.outcomes.get(case).is_some_and(Outcome::converged)
    }

    /// The figures.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let count = |is: fn(&Outcome) -> bool| self.outcomes.values().filter(|outcome| is(outcome)).count();
        Summary {
            cases: count(|outcome| !outcome.missed),
            converged: count(Outcome::converged),
            duplicates: self.outcomes.values().map(|outcome| outcome.duplicates.len()).sum(),
            orphans: self.outcomes.values().map(|outcome| outcome.orphans.len()).sum(),
            missed: count(|outcome| outcome.missed),
            alone: count(|outcome| outcome.alone),
        }
    }

    /// What did not converge, a paragraph each.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failed = self.outcomes.values().filter(|outcome| !outcome.converged() && !outcome.missed);
        let told = |outcome: &Outcome| {
            let lists = [("twice", &outcome.duplicates), ("orphan", &outcome.orphans), ("wrong", &outcome.wrong)];
            let mut text = outcome.case.clone();
            for (word, line) in outcome.error.iter().map(|error| ("error", error)) {
                let _ = write!(text, "\n  {word}: {line}");
            }
            for (word, line) in lists.iter().flat_map(|(word, list)| list.iter().map(move |line| (word, line))) {
                let _ = write!(text, "\n  {word}: {line}");
            }
            text
        };
        failed.map(told).collect()
    }

    /// States by blows, in Markdown: how many of the cases converged.
    #[must_use]
    pub fn table(&self) -> String {
        self.tabled(Outcome::converged)
    }

    /// States by blows, in Markdown: in how many of the cases the run that was struck succeeded by itself.
    #[must_use]
    pub fn table_alone(&self) -> String {
        self.tabled(|outcome| outcome.alone)
    }

    fn tabled(&self, is: fn(&Outcome) -> bool) -> String {
        const ORDER: [&str; 18] = [
            "prepare",
            "network",
            "identity",
            "registry",
            "storage",
            "secrets",
            "balancer",
            "cluster",
            "service",
            "observe",
            "conclude",
            "decide",
            "release",
            "look",
            "rollback",
            "look-back",
            "settle",
            "sweep",
        ];
        let there: BTreeSet<&str> = self.outcomes.values().map(|outcome| outcome.state.as_str()).collect();
        let states: Vec<&str> = ORDER.into_iter().filter(|state| there.contains(state)).collect();
        let mut text = format!("| | {} | all |\n|---|{}\n", states.join(" | "), "---:|".repeat(states.len() + 1));
        let seen: BTreeSet<Blow> = self.outcomes.values().map(|outcome| outcome.blow).collect();
        for row in seen.into_iter().map(Some).chain([None]) {
            let cells = states.iter().copied().map(Some).chain([None]).map(|state| self.cell(row, state, is));
            let cells: Vec<String> = cells.collect();
            let _ = writeln!(text, "| {} | {} |", row.map_or("all", Blow::name), cells.join(" | "));
        }
        text
    }

    fn cell(&self, blow: Option<Blow>, state: Option<&str>, is: fn(&Outcome) -> bool) -> String {
        let here = |outcome: &&Outcome| {
            blow.is_none_or(|blow| outcome.blow == blow) && state.is_none_or(|state| outcome.state == state)
        };
        let tried = || self.outcomes.values().filter(|outcome| !outcome.missed).filter(here);
        let (all, good) = (tried().count(), tried().filter(|outcome| is(outcome)).count());
        match (all, good) {
            (0, _) => String::new(),
            (all, good) if all == good => all.to_string(),
            (all, good) => format!("{good} of {all}"),
        }
    }
}
