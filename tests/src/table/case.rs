//! What is tried, and what is true of it: who labels a case knows which images serve and which do not.

use std::ops::RangeInclusive;

use serde::Serialize;
use skydeck_core::rollout::ledger::Verdict;
use skydeck_sandbox::EventFaultKind;

/// What a case is about; a sample has some of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How an image behaves.
    Images,
    /// Checks of health, and how long they take.
    Health,
    /// What becomes of events.
    Events,
    /// Pushes while others roll out.
    Together,
    /// The platform file is applied meanwhile.
    Applies,
    /// EventBridge may not start anything: events end in the dead-letter queue.
    DeadLetters,
    /// Executions that are stopped.
    Deaths,
    /// People have their say.
    People,
    /// Parameters change.
    Secrets,
    /// What is remembered of a service, and what has become of it meanwhile; calls that are refused.
    Records,
}

/// How many tasks, and how many of them a deployment may spare and add, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) desired: u32,
    pub(super) minimum: u32,
    pub(super) maximum: u32,
}

impl Size {
    /// As many targets as have to be healthy at any moment.
    pub(super) fn fewest(self) -> u32 {
        (self.desired * self.minimum).div_ceil(100)
    }
}

/// What ran before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// `v1`, which is healthy.
    Good,
    /// `v1`, which is healthy, and `v2`, which crashed and was rejected.
    Rejected,
    /// `v1`, which crashed: nothing was ever verified.
    OnlyRejected,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// An image is pushed by a tag.
    Push { image: &'static str, tag: &'static str, behaves: &'static str },
    /// An image that was pushed before is pushed again, by another tag.
    Again { image: &'static str, tag: &'static str },
    /// An event of ECR comes that tells of this image, with these fields set in its detail; null takes a field away.
    Event { image: &'static str, kind: &'static str, set: &'static [(&'static str, Option<&'static str>)] },
    /// So many of the next pushes' events meet a fault; 0 is all of them.
    Disturb(EventFaultKind, u32),
    /// Waits until so many rollouts have started.
    Started(usize),
    /// Waits until everything that was begun has ended.
    Settled,
    /// The sweep's schedule fires.
    Sweep,
    /// Its executions that run are stopped, as nobody should.
    Stop,
    /// Somebody calls the command, with `SERVICE` and `DIGEST:<image>` filled in.
    Command(&'static [&'static str]),
    /// The service's parameter is given a value, or deleted.
    Parameter(Option<&'static str>),
    /// Somebody deregisters the revision that the service runs.
    Deregister,
    /// Somebody deletes an image.
    Delete { image: &'static str },
    /// Somebody scales the service.
    Scale(i32),
    /// Somebody deletes the service, and makes it again without tasks.
    Remake,
    /// So many of the next calls of a function that name the service or its repository are refused; 0 is all of them.
    Refuse {
        function: &'static str,
        call: (&'static str, &'static str),
        says: (&'static str, &'static str),
        times: u32,
    },
    /// All cases of the stage come together, and the platform file is applied with other settings of every service.
    Apply,
    /// All come together, and EventBridge is not allowed to start rollouts any more.
    Forbid,
    /// All come together, and it is allowed to again.
    Allow,
}

/// A rollout that is told, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) image: &'static str,
    pub(super) verdict: Verdict,
    pub(super) certain: bool,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is about.
    pub kind: Kind,
    /// What happens, in words.
    pub label: String,
    pub(super) size: Size,
    pub(super) policy: &'static str,
    /// Lines of the platform file beside those that all services have, with `SERVICE` and `PORT` filled in.
    pub(super) settings: &'static str,
    /// Codes that are healthy, and what its images answer.
    pub(super) status: u16,
    /// The programs that its images have.
    pub(super) programs: &'static str,
    pub(super) before: Before,
    pub(super) steps: Vec<Step>,
    pub(super) told: Vec<Told>,
    pub(super) started: RangeInclusive<usize>,
    pub(super) serves: Option<&'static str>,
    pub(super) ignored: Vec<&'static str>,
    /// Whether fewer targets than wanted may be healthy, and why nobody could help it.
    pub(super) gap: Option<&'static str>,
}

impl Case {
    pub(super) fn new(kind: Kind, before: Before, size: Size, label: impl Into<String>) -> Self {
        let serves = matches!(before, Before::Good | Before::Rejected).then_some("v1");
        Case {
            kind,
            label: label.into(),
            size,
            policy: "newest = true",
            settings: "",
            status: 200,
            programs: "",
            before,
            steps: Vec::new(),
            told: Vec::new(),
            started: 0..=0,
            serves,
            ignored: Vec::new(),
            gap: None,
        }
    }

    /// This policy decides, with `SERVICE` filled in, by which every tag begins.
    pub(super) fn by(mut self, policy: &'static str) -> Self {
        self.policy = policy;
        self
    }

    /// The tag `live` decides, and nothing else.
    pub(super) fn by_tag(mut self) -> Self {
        self.policy = "tag = \"SERVICE.live\"";
        self
    }

    pub(super) fn set(mut self, settings: &'static str) -> Self {
        self.settings = settings;
        self
    }

    pub(super) fn answering(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn having(mut self, programs: &'static str) -> Self {
        self.programs = programs;
        self
    }

    pub(super) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub(super) fn push(self, image: &'static str, behaves: &'static str) -> Self {
        self.then(Step::Push { image, tag: image, behaves })
    }

    /// This image is told so, and serves where it succeeded.
    pub(super) fn told(mut self, image: &'static str, verdict: Verdict) -> Self {
        self.told.push(Told { image, verdict, certain: true });
        if verdict != Verdict::Refused {
            self.started = self.started.start() + 1..=self.started.end() + 1;
        }
        if verdict == Verdict::Succeeded {
            self.serves = Some(image);
        }
        self
    }

    /// It may be told so: two things happen at once, and either may be first.
    pub(super) fn maybe(mut self, image: &'static str, verdict: Verdict) -> Self {
        self.told.push(Told { image, verdict, certain: false });
        if verdict != Verdict::Refused {
            self.started = *self.started.start()..=self.started.end() + 1;
        }
        self
    }

    /// A rollout starts and is never told how it ended.
    pub(super) fn untold(mut self) -> Self {
        self.started = self.started.start() + 1..=self.started.end() + 1;
        self
    }

    pub(super) fn serves(mut self, image: &'static str) -> Self {
        self.serves = Some(image);
        self
    }

    /// Nothing serves at the end.
    pub(super) fn serves_nothing(mut self) -> Self {
        self.serves = None;
        self
    }

    /// One execution ends with this reason for doing nothing.
    pub(super) fn ignored(mut self, reason: &'static str) -> Self {
        self.ignored.push(reason);
        self
    }

    pub(super) fn gap(mut self, why: &'static str) -> Self {
        self.gap = Some(why);
        self
    }

    /// Its name, which is the label after what it is about.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}: {}", self.kind.name(), self.label)
    }
}

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Images => "images",
            Kind::Health => "health",
            Kind::Events => "events",
            Kind::Together => "together",
            Kind::Applies => "applies",
            Kind::DeadLetters => "dead letters",
            Kind::Deaths => "deaths",
            Kind::People => "people",
            Kind::Secrets => "secrets",
            Kind::Records => "records",
        }
    }

    /// Whether its cases change what all services of a stage share, and need a stage of their own.
    pub(super) fn is_apart(self) -> bool {
        matches!(self, Kind::Applies | Kind::DeadLetters)
    }
}

/// Whether an image that behaves so serves.
pub(super) fn is_good(behaves: &str) -> bool {
    matches!(behaves, "healthy" | "slow:3" | "large:60" | "unsaid" | "podman")
}
