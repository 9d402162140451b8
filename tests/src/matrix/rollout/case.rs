//! Which rollouts are struck, and at which of their calls.

use std::collections::BTreeSet;

use skydeck_sandbox::Call;

use crate::matrix::case::{At, Blow, Case, Numbered, cases, numbered};

/// A rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A good image is pushed.
    Push,
    /// An image is pushed that crashes.
    BadPush,
    /// A person goes back to the image before.
    Rollback,
    /// The rollout of a good image was stopped once the service had it, and the sweep comes.
    Death,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Push, Kind::BadPush, Kind::Rollback, Kind::Death];

    fn name(self) -> &'static str {
        match self {
            Kind::Push => "push",
            Kind::BadPush => "bad-push",
            Kind::Rollback => "person",
            Kind::Death => "death",
        }
    }

    /// The functions that do here what they do in no other kind.
    fn functions(self) -> &'static [Function] {
        use Function::{Decide, Look, LookBack, Release, RollBack, Settle, Sweep};
        match self {
            Kind::Push => &[Decide, Release, Look, Settle],
            Kind::BadPush => &[Decide, Release, Look, RollBack, LookBack, Settle],
            Kind::Rollback => &[Decide, Release],
            Kind::Death => &[Sweep, Decide, Release],
        }
    }
}

/// A function of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// What a trigger means.
    Decide,
    /// Gives the service the next revision.
    Release,
    /// Looks at what was released.
    Look,
    /// Gives the service back what was verified.
    RollBack,
    /// Looks at what was given back.
    LookBack,
    /// Remembers the verdict.
    Settle,
    /// Finds what died.
    Sweep,
}

impl Function {
    fn name(self) -> &'static str {
        if self == Function::LookBack { "look-back" } else { self.caller() }
    }

    /// What it calls itself.
    pub(super) fn caller(self) -> &'static str {
        match self {
            Function::Decide => "decide",
            Function::Release => "release",
            Function::Look | Function::LookBack => "look",
            Function::RollBack => "rollback",
            Function::Settle => "settle",
            Function::Sweep => "sweep",
        }
    }
}

/// A function at work in a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub(super) kind: Kind,
    pub(super) function: Function,
}

impl At for Moment {
    fn name(&self) -> String {
        format!("{}/{}", self.kind.name(), self.function.name())
    }

    fn state(&self) -> &'static str {
        self.function.name()
    }
}

/// All cases at the calls of a clean rollout.
pub(super) fn of(kind: Kind, calls: &[Call]) -> Vec<Case<Moment>> {
    let back = calls.iter().position(|call| call.caller == "rollback").unwrap_or(calls.len());
    let (there, back) = calls.split_at(back);
    let of = |function: &Function| {
        let part = match function {
            Function::Look => there,
            Function::LookBack => back,
            _ => calls,
        };
        let own: Vec<Call> = part.iter().filter(|call| call.caller == function.caller()).cloned().collect();
        let looks = matches!(function, Function::Look | Function::LookBack);
        let chosen = if looks { of_looks(&own) } else { numbered(&own) };
        cases(&Moment { kind, function: *function }, &chosen, &Blow::OF_ROLLOUTS)
    };
    kind.functions().iter().flat_map(of).filter(Case::tells_more).collect()
}

impl Case<Moment> {
    /// Whether it can show what others do not.
    pub(super) fn tells_more(&self) -> bool {
        let Moment { kind, function } = self.at;
        // A read has no effect: whether it fails before or after is the same.
        let is_same = !self.call.write && matches!(self.blow, Blow::AnswerLost | Blow::ErrorAfter);
        // As long as nobody knows that an image is bad, all goes as with a good one; only who takes over may find it.
        let is_known = kind == Kind::BadPush && matches!(function, Function::Decide | Function::Release);
        !is_same && (!is_known || self.blow.stops())
    }
}

/// The calls of the first look, and the first of each action that only later ones make: each look does the same.
fn of_looks(calls: &[Call]) -> Vec<Numbered> {
    let mut read = BTreeSet::new();
    // Every look begins by reading the same objects.
    let again = calls.iter().position(|call| call.service == "s3" && !read.insert(&call.resource));
    let first = again.unwrap_or(calls.len());
    let numbered = numbered(calls).into_iter().enumerate();
    numbered.filter(|(place, call)| *place < first || call.number == 1).map(|(_, call)| call).collect()
}
