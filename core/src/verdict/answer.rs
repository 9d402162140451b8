//! What is asked through the load balancers, and which answers are good.

use serde::{Deserialize, Serialize};

use super::{Check, Fault, Name, Outcome, Round, Status, Streak, Verification};
use crate::facts::LoadBalancerFacts;
use crate::scope::Scope;
use crate::spec::{Scheme, Service};

/// How long an answer may take, in milliseconds.
const TIMEOUT: u64 = 5000;
/// Looks in a row with healthy targets and bad answers after which a rollout gives up: some half a minute.
const UNANSWERED: u32 = 5;
/// What an Application Load Balancer calls itself in the answers that are its own.
const LISTENER: &str = "awselb";

/// Questions for one side of the VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Questions {
    /// Each is asked several times.
    #[serde(default)]
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The service that is to answer.
    pub service: String,
    /// The URL, with the load balancer's host name.
    pub url: String,
    /// The load balancer's own DNS name, where the URL has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_to: Option<String>,
    /// How long the answer may take.
    pub timeout_milliseconds: u64,
    /// Which answer is good.
    pub expected: Expected,
}

/// Which answer is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// A status of these, such as `200` or `200-299,301`: the service's probe path.
    Status(String),
    /// Any answer of the service itself: neither the listener's own 404, nor 502, 503 or 504.
    Service,
}

/// The answers to [`Questions`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// For each question one after another: those to the several times that it was asked.
    #[serde(default)]
    pub answers: Vec<Vec<Answer>>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named after HTTP's")]
pub enum Answer {
    /// An HTTP answer, whatever its status.
    Answered { status: u16, server: Option<String>, body: String },
    /// None: no connection, or none in time.
    Silent { reason: String },
}

impl Questions {
    /// What is asked about these services from outside the VPC, and from inside it.
    #[must_use]
    pub fn of<'a>(scope: &Scope, services: impl IntoIterator<Item = &'a str>) -> (Questions, Questions) {
        let (mut outside, mut inside) = (Questions::default(), Questions::default());
        for name in services {
            let Some(service) = scope.platform.services.get(name) else { continue };
            let facts =
                scope.facts.balancer.as_ref().and_then(|facts| facts.load_balancers.get(&service.load_balancer));
            let (Some(facts), Some(balancer)) = (facts, scope.platform.load_balancers.get(&service.load_balancer))
            else {
                continue;
            };
            let side = if balancer.scheme == Scheme::Internal { &mut inside } else { &mut outside };
            side.questions.push(question(name, service, facts));
        }
        (outside, inside)
    }
}

fn question(name: &str, service: &Service, balancer: &LoadBalancerFacts) -> Question {
    let (path, expected) = match (&service.probe_path, &service.rule) {
        (Some(path), _) => (path.as_str(), Expected::Status(service.health.matcher.clone())),
        (None, Some(rule)) => (rule.path.trim_end_matches('*'), Expected::Service),
        (None, None) => ("/", Expected::Service),
    };
    // A pattern may begin with what no path has.
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("{}{slash}{path}", balancer.url);
    let connect_to = (!balancer.url.ends_with(&balancer.dns_name)).then(|| balancer.dns_name.clone());
    Question { service: name.to_owned(), url, connect_to, timeout_milliseconds: TIMEOUT, expected }
}

/// Adds to the checks what came back from both sides.
#[must_use]
pub fn judge(seen: Verification, outside: &Answers, inside: &Answers) -> Verification {
    let Verification { round, patience, mut checks, outside: asked_outside, inside: asked_inside, mut streak, .. } =
        seen;
    for (asked, answers) in [(&asked_outside, outside), (&asked_inside, inside)] {
        for (number, question) in asked.questions.iter().enumerate() {
            checks.push(answered(question, answers.answers.get(number).map(Vec::as_slice).unwrap_or_default()));
        }
    }
    checks.sort_by(|one, other| (&one.service, one.check).cmp(&(&other.service, other.check)));
    let fault = streak.count(&mut checks);
    let mut judged = Verification::of(Round { number: round, patience }, checks, asked_outside, asked_inside);
    judged.fault = fault;
    if judged.status == Status::Serving && streak.good < streak.needed {
        judged.status = Status::Waiting;
        judged.summary = format!("{} of {} good looks in a row", streak.good, streak.needed);
    }
    judged.streak = streak;
    judged
}

impl Streak {
    /// Counts a look whose answers have come. Too many bad ones make the check, and with it the rollout, fail; those that
    /// were bad before it are told and let pass.
    fn count(&mut self, checks: &mut [Check]) -> Option<Fault> {
        if self.needed == 0 {
            return None;
        }
        let bad = |check: &Check| check.check == Name::Answers && check.outcome != Outcome::Ok;
        if !checks.iter().any(bad) {
            (self.good, self.unanswered) = (self.good + 1, 0);
            return None;
        }
        let bad = checks.iter_mut().filter(|check| bad(check));
        if self.lenient {
            bad.for_each(|check| {
                check.outcome = Outcome::Skipped;
                check.evidence += ", as it did before this rollout";
            });
            self.good += 1;
            return None;
        }
        (self.good, self.unanswered) = (0, self.unanswered + 1);
        if self.unanswered < UNANSWERED {
            return None;
        }
        bad.for_each(|check| check.outcome = Outcome::Failed);
        Some(Fault::Image)
    }
}

fn answered(question: &Question, answers: &[Answer]) -> Check {
    let bad = answers.iter().find(|answer| !is_good(&question.expected, answer));
    let (outcome, said) = match (bad, answers.last()) {
        (Some(bad), _) => (Outcome::NotYet, told(bad)),
        (None, Some(last)) => (Outcome::Ok, told(last)),
        (None, None) => (Outcome::NotYet, "it was not asked".into()),
    };
    let wanted = match &question.expected {
        Expected::Status(codes) if outcome != Outcome::Ok => format!(", not {codes}"),
        _ => String::new(),
    };
    let evidence = format!("{} answers {said}{wanted}", question.url);
    Check { service: question.service.clone(), check: Name::Answers, outcome, evidence }
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Answered { status, server: Some(server), .. } if server.starts_with(LISTENER) => {
            format!("{status} (the load balancer's own)")
        }
        Answer::Answered { status, .. } => status.to_string(),
        Answer::Silent { reason } => format!("nothing ({reason})"),
    }
}

fn is_good(expected: &Expected, answer: &Answer) -> bool {
    let Answer::Answered { status, server, .. } = answer else { return false };
    match expected {
        Expected::Status(codes) => matches_codes(codes, *status),
        Expected::Service => {
            let own = server.as_ref().is_some_and(|server| server.starts_with(LISTENER));
            !(matches!(status, 502..=504) || own && *status == 404)
        }
    }
}

/// Whether a status is one of a matcher's: codes and ranges, separated by commas.
fn matches_codes(codes: &str, status: u16) -> bool {
    codes.split(',').any(|code| {
        let (first, last) = code.trim().split_once('-').unwrap_or((code.trim(), code.trim()));
        match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&status),
            _ => false,
        }
    })
}
