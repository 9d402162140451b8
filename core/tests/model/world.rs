//! What the model's state is made of: AWS as far as rollouts of one service see it, and the executions.

use skydeck_core::rollout::image::Pushed;
use skydeck_core::rollout::record::{Liveness, Record, Verified};
use skydeck_core::rollout::trigger::Cause;

/// What may happen, and how often: it bounds the state space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// Whether each image serves, in the order of the pushes.
    pub(crate) good: &'static [bool],
    /// Whether an older image was verified and runs when the first is pushed.
    pub(crate) serves: bool,
    /// Events that come twice.
    pub(crate) doubled: u8,
    /// Events that never come.
    pub(crate) lost: u8,
    /// Executions that are aborted, at any step.
    pub(crate) crashes: u8,
    /// Calls of AWS that are refused during a release.
    pub(crate) refused: u8,
    /// Sweeps while other things happen; when nothing does any more, it sweeps until there is nothing to do.
    pub(crate) sweeps: u8,
    /// Changes of the platform file that are applied, each by a rollout of its own.
    pub(crate) applies: u8,
    /// How often the service is deleted and made again, at any moment.
    pub(crate) remakes: u8,
}

/// What keeps rollouts apart. Each can be taken away, to see that it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    /// All are there.
    Nothing,
    /// The record is swapped whatever it has become since it was read.
    Etag,
    /// The record does not count its turns, so that it can become again what it was.
    Turns,
    /// The record is read after the ledger.
    RecordFirst,
    /// The ledger is read before it is known whether the lease's holder lives.
    LivenessFirst,
    /// Who has to be waited for is relieved.
    Waiting,
    /// Who is at the same digest already is relieved.
    Claims,
    /// An execution that ended is taken for one that no function works for any more.
    SafeTime,
    /// What was rejected is not looked at.
    Rejections,
    /// The policy is not looked at: a push is released whatever was pushed since.
    Policy,
    /// A rollback does not take the lease's next phase before it writes.
    RollbackLease,
    /// A rejection is written before the lease's next phase is taken.
    RejectionUnderLease,
    /// The service is not read again where the record says otherwise.
    Standing,
    /// A release that is run once more writes without taking the lease's first phase again.
    Again,
    /// A rollback may go back to what has no tasks and was never verified.
    Serving,
    /// An execution whose rollback failed gives the lease back.
    FailedRollback,
    /// The sweep takes nothing back.
    Return,
    /// What is remembered of a service that is gone counts for the next one of its name.
    Life,
    /// A release does not look whether the service is the one that it was decided for.
    SameService,
}

/// The world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The oldest image of the repository, and the newest.
    pub(crate) oldest: u8,
    pub(crate) pushed: u8,
    /// Events on their way, by image.
    pub(crate) events: Vec<u8>,
    /// What may happen yet.
    pub(crate) doubled: u8,
    pub(crate) lost: u8,
    pub(crate) crashes: u8,
    pub(crate) refused: u8,
    pub(crate) sweeps: u8,
    pub(crate) applies: u8,
    pub(crate) remakes: u8,
    /// Which service of its name this is.
    pub(crate) life: u8,
    /// How often the platform file was changed.
    pub(crate) config: u8,
    /// The service's record; ETag is its content.
    pub(crate) record: Record,
    /// Which images are rejected.
    pub(crate) rejected: [bool; 4],
    /// What the service runs, and whether it has tasks.
    pub(crate) service: Option<Revision>,
    pub(crate) tasks: bool,
    /// What rollouts are at.
    pub(crate) executions: Vec<Execution>,
    /// Whether a sweep runs and nothing else is left to happen.
    pub(crate) settling: bool,
    /// Whether such a sweep found nothing to do.
    pub(crate) settled: bool,
    /// What must never happen, and did.
    pub(crate) broken: Broken,
}

/// What must never happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broken {
    /// A rejected image was released.
    pub(crate) rejected: bool,
    /// Somebody wrote over what a later holder of the lease had released.
    pub(crate) undone: bool,
    /// An older push was released over a newer one that nothing was found wrong with.
    pub(crate) older: bool,
}

/// A task definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Revision {
    /// Number of its image: 0 for what ran at the beginning.
    pub(crate) image: u8,
    /// The turn in which it was registered.
    pub(crate) turn: u64,
    /// The platform file that it was made by.
    pub(crate) config: u8,
}

impl Revision {
    pub(crate) fn verified(&self) -> Verified {
        Verified { definition: format!("{}:{}:{}", self.image, self.turn, self.config), digest: digest(self.image) }
    }

    pub(crate) fn of(verified: &Verified) -> Revision {
        let mut parts = verified.definition.split(':').map(|part| part.parse().unwrap());
        let mut next = || parts.next().unwrap();
        let (image, turn, config): (u64, u64, u64) = (next(), next(), next());
        Revision { image: u8::try_from(image).unwrap(), turn, config: u8::try_from(config).unwrap() }
    }
}

/// An execution of `rollout`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Execution {
    /// Its name's number.
    pub(crate) id: u8,
    /// Why it runs.
    pub(crate) cause: Cause,
    /// The image that its event names.
    pub(crate) image: Option<u8>,
    /// Whether it was aborted; a function of it may be at work all the same.
    pub(crate) aborted: bool,
    /// What it does next.
    pub(crate) step: Step,
    /// Which service it is about.
    pub(crate) life: u8,
    /// What it has read.
    pub(crate) read: Read,
    /// What it releases.
    pub(crate) choice: Option<u8>,
    /// Its turn at the lease; 0 before it had it.
    pub(crate) turn: u64,
    /// What it has released.
    pub(crate) released: Option<Revision>,
    /// Whether its rollback is the image's fault.
    pub(crate) at_fault: bool,
}

/// What is read before a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Read {
    pub(crate) service: Option<(Option<Revision>, bool)>,
    /// The record as it lies in the bucket, and what it says of the service.
    pub(crate) raw: Option<Record>,
    pub(crate) record: Option<Record>,
    pub(crate) holder: Option<Liveness>,
    pub(crate) rejected: Option<bool>,
}

/// One call of AWS, or what lies between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    // Decide
    ReadService,
    ReadRecord,
    ReadServiceAgain,
    ReadLiveness,
    ReadLedger,
    Decide,
    // Release
    Take,
    /// Run once more, since its last answer was lost.
    Again,
    Update,
    Verify,
    // Look
    Look,
    // RollBack
    TakeBack,
    Back,
    Reject,
    MoveBack,
    UpdateBack,
    Return,
    // Settle, when that was looked at
    Succeed,
    Free,
    /// Nothing any more; its execution was aborted.
    Dead,
}

impl Step {
    /// Whether a function begins with it, so that one that is at work for an aborted execution does not come to it.
    pub(crate) const fn begins(self) -> bool {
        matches!(self, Step::Take | Step::TakeBack | Step::Look | Step::Back | Step::Succeed | Step::Free)
    }

    /// Whether it is a write to the service, which only the lease gives a right to.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Step::Update | Step::UpdateBack)
    }
}

pub(crate) fn digest(image: u8) -> String {
    format!("sha256:{image}")
}

pub(crate) fn number(digest: &str) -> u8 {
    digest.trim_start_matches("sha256:").parse().unwrap()
}

/// The service, as a record names it.
pub(crate) fn service(life: u8) -> String {
    format!("s:{life}")
}

pub(crate) fn name(id: u8) -> String {
    format!("e:{id}")
}

impl State {
    pub(crate) fn new(scenario: &Scenario) -> State {
        let service = scenario.serves.then_some(Revision { image: 0, turn: 0, config: 0 });
        let verified = service.iter().map(Revision::verified).collect();
        State {
            oldest: u8::from(!scenario.serves),
            pushed: 0,
            events: Vec::new(),
            doubled: scenario.doubled,
            lost: scenario.lost,
            crashes: scenario.crashes,
            refused: scenario.refused,
            sweeps: scenario.sweeps,
            applies: scenario.applies,
            remakes: scenario.remakes,
            life: 0,
            config: 0,
            record: Record { verified, service: Some(self::service(0)), ..Record::default() },
            rejected: [false; 4],
            tasks: service.is_some(),
            service,
            executions: Vec::new(),
            settling: false,
            settled: false,
            broken: Broken::default(),
        }
    }

    /// The repository.
    pub(crate) fn images(&self) -> Vec<Pushed> {
        let image = |number: u8| Pushed { digest: digest(number), tags: vec![format!("v{number}")], at: number.into() };
        (self.oldest..=self.pushed).map(image).collect()
    }

    pub(crate) fn holder(&self, record: &Record) -> Liveness {
        let Some(lease) = &record.lease else { return Liveness::Gone };
        match self.executions.iter().find(|execution| name(execution.id) == lease.execution) {
            Some(found) if found.aborted => Liveness::EndedLately,
            Some(_) => Liveness::Running,
            None => Liveness::Gone,
        }
    }

    /// Whether nothing happens by itself any more.
    pub(crate) fn is_quiet(&self, scenario: &Scenario) -> bool {
        usize::from(self.pushed) == scenario.good.len()
            && self.applies == 0
            && self.remakes == 0
            && self.events.is_empty()
            && self.executions.is_empty()
    }
}
