//! Whether services serve: named checks, each with what was seen. Pure; the state machine waits between two looks.

use std::fmt;

use serde::{Deserialize, Serialize};

mod answer;
mod patience;
mod service;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Answers, Expected, Question, Questions, judge};
pub use patience::{MOST_LOOKS, Patience, Round, WAIT_SECONDS};
pub use service::{Seen, Target, look};

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// There is nothing to check: the service has no image yet, or is to have no tasks.
    Skipped,
    /// It may still get right by itself.
    NotYet,
    /// It will not.
    Failed,
}

/// What is checked of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// Its image can run here.
    Image,
    /// A rollout that the run has started ends well.
    Rollout,
    /// It runs the task definition that was released.
    Definition,
    /// Tasks of its task definition run, as many as wanted.
    Tasks,
    /// They run the image that was released.
    Digest,
    /// Every target of theirs is healthy.
    Targets,
    /// Each of them passes its container's own check, where it has one.
    Health,
    /// Each of them has run for some time.
    Steady,
    /// It answers through its load balancer.
    Answers,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Name::Image => "image",
            Name::Rollout => "rollout",
            Name::Definition => "definition",
            Name::Tasks => "tasks",
            Name::Digest => "digest",
            Name::Targets => "targets",
            Name::Health => "health",
            Name::Steady => "steady",
            Name::Answers => "answers",
        })
    }
}

/// One check of one service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Check {
    /// The service.
    pub service: String,
    /// What was checked.
    pub check: Name,
    /// What it came to.
    pub outcome: Outcome,
    /// What was seen.
    pub evidence: String,
}

/// Where a run is with its services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All checks so far are good; questions may still have to be asked.
    Serving,
    /// Look again.
    Waiting,
    /// Give up.
    Failed,
    /// A newer rollout has taken over; what this one released is no longer its own.
    Superseded,
    /// What was released is to have no tasks, so that nothing can be verified.
    NoTasks,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The image's: it is not deployed again by itself.
    Image,
    /// The platform's: no room, a missing secret, AWS refusing.
    Platform,
}

/// What a rollout asks beyond one good look, and how far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Streak {
    /// Good looks in a row that make a success; 0 where one is enough.
    pub needed: u32,
    /// Good looks in a row so far.
    pub good: u32,
    /// Looks in a row in which all was good but the answers.
    pub unanswered: u32,
    /// Whether the answers were bad before anything was released: then they are a warning and no reason to fail.
    pub lenient: bool,
    /// When the task began to run that was the youngest in the last look, in milliseconds since 1970.
    pub youngest: Option<i64>,
    /// For how many seconds it was waited since it was first seen to be that.
    pub steady: u32,
    /// Looks in a row in which there was no room for a task and none to come.
    pub full: u32,
    /// Looks in a row in which a task waited and the last instance could not be started.
    pub failed_launches: u32,
    /// Whether the released definition has a container check; `None` until that was read.
    pub checked: Option<bool>,
    /// Whether a task has ever passed its container's check.
    pub passed: bool,
    /// Whether a target of a task was ever healthy.
    pub served: bool,
}

/// What `Observe` and `Ask` hand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Where the run is with its services.
    pub status: Status,
    /// Which look this is, from 0.
    pub round: u32,
    /// How long is waited altogether.
    #[serde(default)]
    pub patience: Patience,
    /// How long to wait until the next look.
    #[serde(default = "wait_seconds")]
    pub wait_seconds: u32,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What is waited for, or why the run gives up; empty where all is good.
    pub summary: String,
    /// What the function outside the VPC has to ask.
    pub outside: Questions,
    /// What the function inside the VPC has to ask.
    pub inside: Questions,
    /// Whether there is anything to ask inside.
    pub asks_inside: bool,
    /// Whether there is anything to ask at all.
    pub asks: bool,
    /// Whose fault it is, where a rollout fails.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// How often a rollout has seen all good.
    #[serde(default)]
    pub streak: Streak,
}

/// Input of `Ask`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What `Observe` saw, and what there is to ask.
    pub verification: Verification,
    /// What the function inside the VPC was answered, where it was asked.
    #[serde(default)]
    pub inside: Option<Answers>,
}

impl Verification {
    /// The checks of one look, and what follows from them.
    #[must_use]
    pub fn of(round: impl Into<Round>, checks: Vec<Check>, outside: Questions, inside: Questions) -> Self {
        let round = round.into();
        let worst = checks.iter().map(|check| check.outcome).max().unwrap_or(Outcome::Ok);
        let status = match worst {
            Outcome::Ok | Outcome::Skipped => Status::Serving,
            Outcome::NotYet if !round.is_last() => Status::Waiting,
            Outcome::NotYet | Outcome::Failed => Status::Failed,
        };
        let summary = match worst {
            Outcome::Ok | Outcome::Skipped => String::new(),
            Outcome::NotYet if status == Status::Waiting => summary(&checks, Outcome::NotYet, |_| String::new()),
            Outcome::NotYet => {
                let given_up = format!("after {} looks still ", round.number + 1);
                summary(&checks, Outcome::NotYet, |check| format!("{}: {given_up}", check.check))
            }
            Outcome::Failed => failures(&checks),
        };
        let asks_inside = !inside.questions.is_empty();
        let asks = asks_inside || !outside.questions.is_empty();
        let (fault, streak) = (None, Streak::default());
        let (patience, wait_seconds) = (round.patience, round.patience.wait_seconds(round.number));
        let round = round.number;
        Verification {
            status,
            round,
            patience,
            wait_seconds,
            checks,
            summary,
            outside,
            inside,
            asks_inside,
            asks,
            fault,
            streak,
        }
    }

    /// The services that serve, by name.
    #[must_use]
    pub fn serving(&self) -> Vec<&str> {
        let good = self.checks.iter().filter(|check| check.check == Name::Tasks && check.outcome == Outcome::Ok);
        good.map(|check| check.service.as_str()).collect()
    }

    /// The services that were not checked, and why.
    #[must_use]
    pub fn skipped(&self) -> Vec<&Check> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Skipped).collect()
    }
}

/// What a verification of a former version waits.
fn wait_seconds() -> u32 {
    WAIT_SECONDS
}

/// What has failed, and the services beside it that were still waited for.
fn failures(checks: &[Check]) -> String {
    let failed = summary(checks, Outcome::Failed, |check| format!("{}: ", check.check));
    let has_failed =
        |check: &&Check| checks.iter().any(|other| other.service == check.service && other.outcome == Outcome::Failed);
    let others: Vec<Check> = checks.iter().filter(|check| !has_failed(check)).cloned().collect();
    let waiting = summary(&others, Outcome::NotYet, |_| "not yet: ".into());
    [failed, waiting].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The checks of one outcome, service by service.
fn summary(checks: &[Check], outcome: Outcome, before: impl Fn(&Check) -> String) -> String {
    let mut services: Vec<(&str, Vec<String>)> = Vec::new();
    for check in checks.iter().filter(|check| check.outcome == outcome) {
        let text = format!("{}{}", before(check), check.evidence);
        match services.last_mut().filter(|(service, _)| *service == check.service) {
            Some((_, texts)) => texts.push(text),
            None => services.push((&check.service, vec![text])),
        }
    }
    let texts = services.iter().map(|(service, texts)| format!("service {service}: {}", texts.join(", ")));
    texts.collect::<Vec<_>>().join("; ")
}
