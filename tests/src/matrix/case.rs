//! What is tried: a fault at a call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skydeck_core::run::{Layer, Mode};
use skydeck_sandbox::{Call, FaultKind};

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
    /// Until the next attempt, reads tell what they told before the effect.
    Unseen,
    /// The whole next attempt does not see it either.
    UnseenLonger,
    /// AWS does not know yet what the call names, twice: it was made a moment ago.
    Unknown,
}

impl Blow {
    /// All of them.
    pub const ALL: [Blow; 10] = [
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
            Blow::Unseen => "unseen",
            Blow::UnseenLonger => "unseen-longer",
            Blow::Unknown => "unknown",
        }
    }

    /// The gateway's part in it, and how many calls in a row it strikes.
    pub(super) fn fault(self) -> (FaultKind, u32) {
        match self {
            Blow::Refused => (FaultKind::Refuse, 1),
            Blow::AnswerLost => (FaultKind::LoseAnswer, 1),
            Blow::ErrorAfter => (FaultKind::ServerErrorAfter, 1),
            Blow::Throttled => (FaultKind::Throttle, 3),
            Blow::Denied => (FaultKind::Deny, 1),
            Blow::KilledBefore => (FaultKind::Hang, 1),
            Blow::KilledAfter => (FaultKind::HangAfter, 1),
            Blow::Unseen | Blow::UnseenLonger => (FaultKind::Unseen, 1),
            Blow::Unknown => (FaultKind::Unknown, 2),
        }
    }

    pub(super) fn kills(self) -> bool {
        matches!(self, Blow::KilledBefore | Blow::KilledAfter)
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
            Blow::KilledAfter => call.write,
            Blow::Unseen | Blow::UnseenLonger => call.write && call.service != "s3",
            Blow::Unknown => call.write && skydeck_sandbox::names_something(&call.service, &call.action),
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

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub(super) mode: Mode,
    pub(super) step: Step,
    pub(super) call: Numbered,
    /// What happens to the call.
    pub blow: Blow,
}

impl Case {
    /// Its name, by which it can be tried again.
    #[must_use]
    pub fn name(&self) -> String {
        let mode = if self.mode == Mode::Destroy { "destroy" } else { "apply" };
        let Numbered { service, action, number, .. } = &self.call;
        format!("{mode}/{}/{service}:{action}:{number}/{}", self.step.name(), self.blow.name())
    }

    /// The state of the machine that it strikes.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.step.name()
    }

    pub(super) fn place(&self) -> Option<Layer> {
        match self.step {
            Step::Layer(layer) => Some(layer),
            Step::Prepare | Step::Observe | Step::Conclude => None,
        }
    }
}

/// All cases at the calls of one state.
pub(super) fn cases(mode: Mode, step: Step, calls: &[Numbered]) -> Vec<Case> {
    let blows = |call: &Numbered| {
        let strikes = Blow::ALL.into_iter().filter(|blow| blow.strikes(call));
        strikes.map(|blow| Case { mode, step, call: call.clone(), blow }).collect::<Vec<_>>()
    };
    calls.iter().flat_map(blows).collect()
}

/// A case with its lot.
type Drawn = (Vec<u8>, Case);

/// So many of the cases, by chance as the seed has it: of every state and blow as many as of every other.
#[must_use]
pub fn sample(cases: Vec<Case>, count: usize, seed: u64) -> Vec<Case> {
    let mut strata: BTreeMap<(&str, Blow), Vec<Drawn>> = BTreeMap::new();
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
        let mut row: Vec<&Drawn> = strata.values().filter_map(|stratum| stratum.get(round)).collect();
        row.sort_by(|one, other| one.0.cmp(&other.0));
        drawn.extend(row.into_iter().map(|(_, case)| case.clone()));
    }
    drawn.truncate(count);
    drawn
}
