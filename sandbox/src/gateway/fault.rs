//! Calls that fail on purpose, in the shape in which each protocol tells it.

use hyper::http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::naming::{Name, Protocol};
use super::past::Past;
use crate::answer::Answer;

/// How a chosen call fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum FaultKind {
    /// The connection breaks before anything happened.
    Refuse,
    /// It takes effect, and the connection breaks before the answer.
    LoseAnswer,
    /// It takes effect, and AWS answers with an internal error.
    ServerErrorAfter,
    /// No answer ever comes, and nothing happened. Whoever waits for it can be killed at just this call.
    Hang,
    /// It takes effect, and no answer ever comes.
    HangAfter,
    /// It takes effect, and from now on those who ask what they have asked before are told what they would have been
    /// told before it, until the faults are taken back. S3, which is consistent, tells the truth.
    Unseen,
    /// AWS does not know yet what the call names, though it is there; nothing happened. A call that names nothing passes.
    Unknown,
    /// AWS says that it is called too often; nothing happened.
    Throttle,
    /// AWS says that the caller may not; nothing happened.
    Deny,
    /// Any other error of AWS; nothing happened.
    Error {
        /// The HTTP status.
        status: u16,
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
}

/// A share of calls, the same ones each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chance {
    /// Of a hundred.
    pub percent: u8,
    /// Another seed chooses others.
    pub seed: u64,
}

impl Chance {
    fn strikes(self, nth: u32) -> bool {
        let hash = Sha256::digest(format!("{}-{nth}", self.seed));
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 100 < u32::from(self.percent)
    }
}

/// Which call fails, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The service's signing name, or `*`.
    pub service: String,
    /// The action, or `*`.
    pub action: String,
    /// Only calls of this caller.
    #[serde(default)]
    pub caller: Option<String>,
    /// Only calls whose resource contains this.
    #[serde(default)]
    pub resource: Option<String>,
    /// Which matching call is the first to fail: 1 is the next.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many matching calls fail in a row; 0 is all of them from then on.
    #[serde(default = "one")]
    pub times: u32,
    /// Of those, only so many of a hundred, by a seed.
    #[serde(default)]
    pub chance: Option<Chance>,
    /// How they fail.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn one() -> u32 {
    1
}

impl Fault {
    /// The next call of this action fails, once.
    pub fn next(service: &str, action: &str, kind: FaultKind) -> Self {
        let (service, action) = (service.to_owned(), action.to_owned());
        Self { service, action, caller: None, resource: None, nth: 1, times: 1, chance: None, kind }
    }

    /// Only for this caller.
    #[must_use]
    pub fn by(mut self, caller: &str) -> Self {
        self.caller = Some(caller.to_owned());
        self
    }

    /// Only for resources whose name contains this.
    #[must_use]
    pub fn on(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// From the `nth` matching call on, `times` in a row (0 is for ever).
    #[must_use]
    pub fn from(mut self, nth: u32, times: u32) -> Self {
        (self.nth, self.times) = (nth.max(1), times);
        self
    }

    /// Every matching call may fail from now on, `percent` of a hundred do: which ones follows from the seed.
    #[must_use]
    pub fn by_chance(mut self, percent: u8, seed: u64) -> Self {
        (self.times, self.chance) = (0, Some(Chance { percent, seed }));
        self
    }

    fn matches(&self, name: &Name) -> bool {
        let is = |pattern: &str, text: &str| pattern == "*" || pattern == text;
        is(&self.service, &name.service)
            && is(&self.action, &name.action)
            && self.caller.as_ref().is_none_or(|caller| *caller == name.caller)
            && self.resource.as_ref().is_none_or(|part| name.resource.as_ref().is_some_and(|text| text.contains(part)))
    }
}

impl FaultKind {
    /// What the record calls it.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Refuse => "refuse".into(),
            Self::LoseAnswer => "lose_answer".into(),
            Self::ServerErrorAfter => "server_error_after".into(),
            Self::Hang => "hang".into(),
            Self::HangAfter => "hang_after".into(),
            Self::Unseen => "unseen".into(),
            Self::Unknown => "unknown".into(),
            Self::Throttle => "throttle".into(),
            Self::Deny => "deny".into(),
            Self::Error { code, .. } => format!("error {code}"),
        }
    }

    /// The error that AWS would answer, for the kinds that answer at all.
    pub(crate) fn answer(&self, name: &Name) -> Option<Answer> {
        let (status, code, message) = match self {
            Self::Refuse | Self::LoseAnswer | Self::Hang | Self::HangAfter | Self::Unseen | Self::Unknown => {
                return None;
            }
            Self::Error { status, code, message } => (*status, code.as_str(), message.clone()),
            Self::Throttle => throttled(name),
            Self::ServerErrorAfter => server_error(name),
            Self::Deny => denied(name),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Some(Answer::error(name.protocol, status, code, &message))
    }
}

fn throttled(name: &Name) -> (u16, &'static str, String) {
    match name.protocol {
        Protocol::Ec2 => (503, "RequestLimitExceeded", "Request limit exceeded.".into()),
        Protocol::Query => (400, "Throttling", "Rate exceeded".into()),
        Protocol::Json => (400, "ThrottlingException", "Rate exceeded".into()),
        Protocol::RestJson => (429, "TooManyRequestsException", "Rate Exceeded.".into()),
        Protocol::S3 => (503, "SlowDown", "Please reduce your request rate.".into()),
    }
}

fn server_error(name: &Name) -> (u16, &'static str, String) {
    match (name.protocol, &*name.service) {
        (Protocol::Ec2, _) => (500, "InternalError", "An internal error has occurred".into()),
        (Protocol::S3, _) => (500, "InternalError", "We encountered an internal error. Please try again.".into()),
        (Protocol::Query, "iam") => (500, "ServiceFailure", "An internal error has occurred".into()),
        (Protocol::Query, _) => (500, "InternalFailure", "An internal error has occurred".into()),
        (_, "ecs") => (500, "ServerException", "Service Unavailable. Please try again later.".into()),
        (Protocol::RestJson, "lambda") => (500, "ServiceException", "An error occurred. Please retry.".into()),
        _ => (500, "InternalServerError", "An internal error has occurred".into()),
    }
}

fn denied(name: &Name) -> (u16, &'static str, String) {
    let who = &name.caller;
    let text = format!("User: {who} is not authorized to perform: {}:{} on resource: *", name.service, name.action);
    match name.protocol {
        Protocol::Ec2 => {
            (403, "UnauthorizedOperation", "You are not authorized to perform this operation.".to_owned() + " " + &text)
        }
        Protocol::Query => (403, "AccessDenied", text),
        Protocol::Json => (400, "AccessDeniedException", text),
        Protocol::RestJson => (403, "AccessDeniedException", text),
        Protocol::S3 => (403, "AccessDenied", text),
    }
}

/// The faults that wait for their call.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Each with the number of calls that it has matched.
    waiting: Vec<(Fault, u32)>,
    pub(crate) past: Past,
}

impl Faults {
    pub(crate) fn arm(&mut self, fault: Fault) {
        if fault.kind == FaultKind::Unseen {
            self.past.remember();
        }
        self.waiting.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn armed(&self) -> Vec<Fault> {
        self.waiting.iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// Counts this call against every fault that it matches; the first that is due strikes.
    pub(crate) fn strike(&mut self, name: &Name) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.waiting {
            if !fault.matches(name) {
                continue;
            }
            *seen += 1;
            let due = *seen >= fault.nth && (fault.times == 0 || *seen < fault.nth + fault.times);
            let due = due && fault.chance.is_none_or(|chance| chance.strikes(*seen));
            if due && struck.is_none() {
                struck = Some(fault.kind.clone());
            }
        }
        self.waiting.retain(|(fault, seen)| fault.times == 0 || *seen + 1 < fault.nth + fault.times);
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_strikes_its_share_and_the_same_calls_again() {
        let struck = |seed| (1..=1000).filter(|nth| Chance { percent: 20, seed }.strikes(*nth)).collect::<Vec<_>>();
        assert!((150..250).contains(&struck(1).len()), "{}", struck(1).len());
        assert_eq!(struck(1), struck(1));
        assert_ne!(struck(1), struck(2));
    }
}
