//! An instance of a group, and where in its life it is.

use crate::clock::Clock;

/// Seconds on AWS until a new instance is `InService`: assumed.
const PENDING: f64 = 20.0;
/// Seconds on AWS until its agent has joined the cluster: assumed.
const BOOT: f64 = 50.0;
/// Seconds on AWS from the decision to end an instance to its being gone from the group: assumed.
const ENDING: f64 = 20.0;

/// One instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) group_arn: String,
    pub(crate) zone: String,
    pub(crate) subnet: String,
    pub(crate) kind: String,
    pub(crate) image: String,
    /// The cluster that its user data names.
    pub(crate) cluster: Option<String>,
    pub(crate) template: Template,
    pub(crate) protected: bool,
    pub(crate) launched: f64,
    pub(crate) in_service: f64,
    pub(crate) joined: f64,
    /// Its end is decided, and waits for its tasks to leave.
    pub(crate) draining: bool,
    /// When it is gone, once nothing keeps it from its end.
    pub(crate) gone: Option<f64>,
}

/// Which launch template, and which version of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Instance {
    /// Sets the times of a new instance's life.
    pub(crate) fn born(mut self, clock: Clock) -> Self {
        self.launched = clock.now();
        self.in_service = self.launched + clock.scaled(PENDING);
        self.joined = self.launched + clock.scaled(BOOT);
        self
    }

    /// Its end is decided now.
    pub(crate) fn end(&mut self, clock: Clock) {
        self.gone.get_or_insert(clock.now() + clock.scaled(ENDING));
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.draining || self.gone.is_some()
    }

    pub(crate) fn is_gone(&self, now: f64) -> bool {
        self.gone.is_some_and(|gone| gone <= now)
    }

    /// Its state as Auto Scaling says it.
    pub(crate) fn state(&self, now: f64) -> &'static str {
        match (self.is_ending(), self.in_service <= now) {
            (true, _) if self.gone.is_none() => "Terminating:Wait",
            (true, _) => "Terminating",
            (false, true) => "InService",
            (false, false) => "Pending",
        }
    }
}
