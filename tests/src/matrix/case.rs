//! What is tried: a fault at a call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skydeck_core::run::{Layer, Mode};
use skydeck_sandbox::{Call, Fault, FaultKind};

use super::machine::Step;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blow {
    /// The connection breaks before the effect.
    Refused,
    /// The effect is there, and the answer is lost.
    AnswerLost,
    /// The effect is there, and AWS answers 500.
    ErrorAfter,
    /// AWS asks to slow down, three times.
    Throttled,
    /// AWS says that the function may not.
    Denied,
    /// The function dies before the effect.
    KilledBefore,
    /// The function dies after the effect, before the answer.
    KilledAfter,
    /// Somebody stops the execution before the effect, and its function ends as well.
    StoppedBefore,
    /// The same after the effect, before the answer.
    StoppedAfter,
    /// Until the next attempt, reads tell what they told before the effect.
    Unseen,
    /// The whole next attempt does not see it either.
    UnseenLonger,
    /// AWS does not know yet what the call names, twice: it was made a moment ago.
    Unknown,
    /// ECS does not know the revision yet that the call names, twice.
    UnknownRevision,
}

impl Blow {
    /// Those of provision and destroy. How a run is killed there is [`super::Death`]'s.
    pub(super) const OF_RUNS: [Blow; 10] = [
        Blow::Refused,
        Blow::AnswerLost,
        Blow::ErrorAfter,
        Blow::Throttled,
        Blow::Denied,
        Blow::KilledBefore,
        Blow::KilledAfter,
        Blow::Unseen,
        Blow::UnseenLonger,
        Blow::Unknown,
    ];

    /// Those of rollouts. What is unseen needs a state machine that tells when an attempt ends.
    pub(super) const OF_ROLLOUTS: [Blow; 11] = [
        Blow::Refused,
        Blow::AnswerLost,
        Blow::ErrorAfter,
        Blow::Throttled,
        Blow::Denied,
        Blow::KilledBefore,
        Blow::KilledAfter,
        Blow::StoppedBefore,
        Blow::StoppedAfter,
        Blow::Unknown,
        Blow::UnknownRevision,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Blow::Refused => "refused",
            Blow::AnswerLost => "answer-lost",
            Blow::ErrorAfter => "error-after",
            Blow::Throttled => "throttled",
            Blow::Denied => "denied",
            Blow::KilledBefore => "killed-before",
            Blow::KilledAfter => "killed-after",
            Blow::StoppedBefore => "stopped-before",
            Blow::StoppedAfter => "stopped-after",
            Blow::Unseen => "unseen",
            Blow::UnseenLonger => "unseen-longer",
            Blow::Unknown => "unknown",
            Blow::UnknownRevision => "unknown-revision",
        }
    }

    /// The gateway's part in it, and how many calls in a row it strikes.
    pub(super) fn fault(self, call: &Numbered) -> (FaultKind, u32) {
        match self {
            Blow::Refused => (FaultKind::Refuse, 1),
            Blow::AnswerLost => (FaultKind::LoseAnswer, 1),
            Blow::ErrorAfter => (FaultKind::ServerErrorAfter, 1),
            Blow::Throttled => (FaultKind::Throttle, 3),
            Blow::Denied => (FaultKind::Deny, 1),
            Blow::KilledBefore | Blow::StoppedBefore => (FaultKind::Hang, 1),
            Blow::KilledAfter | Blow::StoppedAfter => (FaultKind::HangAfter, 1),
            Blow::Unseen | Blow::UnseenLonger => (FaultKind::Unseen, 1),
            Blow::Unknown => (FaultKind::Unknown, 2),
            Blow::UnknownRevision => {
                // A read that names it is told so in other words.
                let message =
                    if call.write { "TaskDefinition not found." } else { "Unable to describe task definition." };
                (FaultKind::Error { status: 400, code: "ClientException".into(), message: message.into() }, 2)
            }
        }
    }

    pub(super) fn kills(self) -> bool {
        matches!(self, Blow::KilledBefore | Blow::KilledAfter) || self.stops()
    }

    /// Whether the execution ends with the function.
    pub(super) fn stops(self) -> bool {
        matches!(self, Blow::StoppedBefore | Blow::StoppedAfter)
    }

    /// Whether reads lag behind. Only from within it is known when an attempt ends, and so for how long.
    #[must_use]
    pub fn lags(self) -> bool {
        matches!(self, Blow::Unseen | Blow::UnseenLonger)
    }

    /// After how many attempts the gateway tells the truth again.
    pub(super) fn attempts(self) -> u32 {
        if self == Blow::UnseenLonger { 2 } else { 1 }
    }

    /// Whether it can strike this call. A read has no effect that could be lost or unseen, and S3 tells the truth.
    fn strikes(self, call: &Numbered) -> bool {
        match self {
            Blow::KilledAfter | Blow::StoppedAfter => call.write,
            Blow::Unseen | Blow::UnseenLonger => call.write && call.service != "s3",
            Blow::Unknown => call.write && skydeck_sandbox::names_something(&call.service, &call.action),
            Blow::UnknownRevision => matches!(&*call.action, "UpdateService" | "DescribeTaskDefinition"),
            _ => true,
        }
    }
}

/// A call of a clean run: the how-manieth of its kind in its state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) service: String,
    pub(super) action: String,
    pub(super) number: u32,
    pub(super) write: bool,
}

/// Numbers the calls of one state.
pub(super) fn numbered(calls: &[Call]) -> Vec<Numbered> {
    let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let one = |call| {
        let Call { service, action, write, .. }: &Call = call;
        let number = seen.entry((service, action)).and_modify(|count| *count += 1).or_insert(1);
        Numbered { service: service.clone(), action: action.clone(), number: *number, write: *write }
    };
    calls.iter().map(one).collect()
}

/// Where a call is made.
pub trait At: Clone + PartialEq {
    /// What a case at it is called, up to the call.
    fn name(&self) -> String;
    /// The state of the machine that it strikes.
    fn state(&self) -> &'static str;
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case<A = State> {
    pub(super) at: A,
    pub(super) call: Numbered,
    /// What happens to the call.
    pub blow: Blow,
}

impl<A: At> Case<A> {
    /// Its name, by which it can be tried again.
    #[must_use]
    pub fn name(&self) -> String {
        let Numbered { service, action, number, .. } = &self.call;
        format!("{}/{service}:{action}:{number}/{}", self.at.name(), self.blow.name())
    }

    /// The state of the machine that it strikes.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.at.state()
    }

    /// What the gateway does to the call, of whoever `by` is.
    pub(super) fn fault(&self, by: &str) -> Fault {
        let (kind, times) = self.blow.fault(&self.call);
        let Numbered { service, action, number, .. } = &self.call;
        Fault::next(service, action, kind).from(*number, times).by(by)
    }
}

/// A state of a run of `provision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    pub(super) mode: Mode,
    pub(super) step: Step,
}

impl At for State {
    fn name(&self) -> String {
        let mode = if self.mode == Mode::Destroy { "destroy" } else { "apply" };
        format!("{mode}/{}", self.step.name())
    }

    fn state(&self) -> &'static str {
        self.step.name()
    }
}

impl Case {
    pub(super) fn place(&self) -> Option<Layer> {
        match self.at.step {
            Step::Layer(layer) => Some(layer),
            Step::Prepare | Step::Observe | Step::Conclude => None,
        }
    }
}

/// All cases at these calls.
pub(super) fn cases<A: At>(at: &A, calls: &[Numbered], blows: &[Blow]) -> Vec<Case<A>> {
    let struck = |call: &Numbered| {
        let strikes = blows.iter().filter(|blow| blow.strikes(call));
        strikes.map(|blow| Case { at: at.clone(), call: call.clone(), blow: *blow }).collect::<Vec<_>>()
    };
    calls.iter().flat_map(struck).collect()
}

/// A case with its lot.
type Drawn<A> = (Vec<u8>, Case<A>);

/// So many of the cases, by chance as the seed has it: of every state and blow as many as of every other.
#[must_use]
pub fn sample<A: At>(cases: Vec<Case<A>>, count: usize, seed: u64) -> Vec<Case<A>> {
    let mut strata: BTreeMap<(&str, Blow), Vec<Drawn<A>>> = BTreeMap::new();
    for case in cases {
        let lot = Sha256::digest(format!("{seed} {}", case.name())).to_vec();
        strata.entry((case.state(), case.blow)).or_default().push((lot, case));
    }
    for stratum in strata.values_mut() {
        stratum.sort_by(|one, other| one.0.cmp(&other.0));
    }
    let rounds = strata.values().map(Vec::len).max().unwrap_or_default();
    let mut drawn = Vec::new();
    for round in 0..rounds {
        let mut row: Vec<&Drawn<A>> = strata.values().filter_map(|stratum| stratum.get(round)).collect();
        row.sort_by(|one, other| one.0.cmp(&other.0));
        drawn.extend(row.into_iter().map(|(_, case)| case.clone()));
    }
    drawn.truncate(count);
    drawn
}
