//! Instance refreshes: the instances of a group are replaced, as many at a time as its percentages let.

use super::group::Group;
use super::instance::{Instance, Template};
use crate::clock::Clock;

/// Seconds on AWS without progress after which it gives a refresh up.
const PATIENCE: f64 = 3600.0;
/// Seconds on AWS until it tries again to start an instance: assumed.
const RETRY: f64 = 30.0;

/// AWS's word for how a refresh stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    InProgress,
    Successful,
    Failed,
    Cancelled,
}

/// One refresh.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    pub(crate) id: String,
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) started: f64,
    pub(crate) ended: Option<f64>,
    pub(crate) preferences: Preferences,
    /// What instances that stay are launched from, where those that match are skipped.
    pub(crate) matching: Option<Template>,
    /// How many instances there were to replace.
    pub(crate) total: usize,
    pub(crate) remaining: usize,
    /// When an instance last came or went.
    pub(crate) progress: f64,
    /// When an instance may be started again after one could not be.
    pub(crate) retry: f64,
}

/// How it goes about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preferences {
    pub(crate) min: u32,
    /// None: an instance goes when its replacement comes. With a value, the replacement comes first where both
    /// percentages cannot be kept otherwise.
    pub(crate) max: Option<u32>,
    /// Seconds on AWS.
    pub(crate) warmup: u32,
}

/// What a refresh does next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Instances that may go.
    pub(super) end: Vec<String>,
    /// How many are to be started.
    pub(super) launch: usize,
    pub(super) status: Option<Status>,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Pending => "Pending",
            Status::InProgress => "InProgress",
            Status::Successful => "Successful",
            Status::Failed => "Failed",
            Status::Cancelled => "Cancelled",
        }
    }
}

impl Refresh {
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.status, Status::Pending | Status::InProgress)
    }

    /// Whether an instance is one that the refresh has brought, or that it leaves alone.
    fn is_new(&self, instance: &Instance) -> bool {
        instance.launched >= self.started || self.matching.as_ref().is_some_and(|wanted| *wanted == instance.template)
    }

    fn is_ready(&self, instance: &Instance, clock: Clock) -> bool {
        let warmup = if instance.launched >= self.started { clock.scaled(self.preferences.warmup.into()) } else { 0.0 };
        instance.in_service + warmup <= clock.now()
    }

    /// How many instances have to be ready all the time.
    fn least(&self, desired: u32) -> usize {
        (desired * self.preferences.min).div_ceil(100) as usize
    }

    /// How many instances there may be at a time.
    fn most(&self, desired: u32) -> usize {
        let most = (desired * self.preferences.max.unwrap_or(100) / 100).max(desired) as usize;
        let impossible = self.preferences.max.is_some() && self.least(desired) >= most;
        most + usize::from(impossible)
    }

    pub(super) fn percent(&self) -> usize {
        let done = self.total.saturating_sub(self.remaining);
        if self.status == Status::Successful { 100 } else { (done * 100).checked_div(self.total).unwrap_or(0) }
    }

    pub(super) fn set(&mut self, status: Status, reason: &str, now: f64) {
        (self.status, self.reason) = (status, reason.to_owned());
        self.ended = (!self.is_active()).then_some(now);
    }
}

impl Group {
    /// The refresh that is at work.
    pub(super) fn refresh(&self) -> Option<&Refresh> {
        self.refreshes.first().filter(|refresh| refresh.is_active())
    }

    /// How many instances may stay.
    pub(super) fn most(&self) -> usize {
        self.refresh().map_or(self.desired as usize, |refresh| refresh.most(self.desired))
    }

    /// Instances that a refresh has still to replace.
    pub(super) fn to_replace(&self, refresh: &Refresh) -> Vec<&Instance> {
        let mut old: Vec<&Instance> = self.instances.iter().filter(|i| !i.is_ending() && !refresh.is_new(i)).collect();
        old.sort_by(|a, b| a.launched.total_cmp(&b.launched));
        old
    }

    /// What its refresh does now; `None` where nothing is to be done.
    pub(super) fn moves(&self, clock: Clock) -> Option<Moves> {
        let refresh = self.refresh()?;
        let now = clock.now();
        let old = self.to_replace(refresh);
        let staying: Vec<&Instance> = self.instances.iter().filter(|instance| !instance.is_ending()).collect();
        let ready = staying.iter().filter(|instance| refresh.is_ready(instance, clock)).count();
        let mut moves = Moves::default();
        if old.is_empty() {
            let leaving = self.instances.iter().any(|instance| instance.is_ending() && !refresh.is_new(instance));
            let over = !leaving && ready == staying.len() && ready >= self.desired as usize;
            moves.status = over.then_some(Status::Successful);
        } else {
            let least = refresh.least(self.desired);
            let spare = match refresh.preferences.max {
                Some(_) => ready.saturating_sub(least),
                // One goes before its replacement comes, but not before the last replacement is there.
                None if ready == staying.len() && ready >= self.desired as usize => (ready - least).max(1),
                None => 0,
            };
            moves.end = old.iter().take(spare).map(|instance| instance.id.clone()).collect();
            let (stay, left) = (staying.len() - moves.end.len(), old.len() - moves.end.len());
            let desired = self.desired as usize;
            if refresh.retry <= now {
                let lacking = (desired + left).saturating_sub(stay);
                moves.launch = refresh.most(self.desired).saturating_sub(stay).min(lacking);
            }
            moves.status = (refresh.status == Status::Pending).then_some(Status::InProgress);
        }
        if now - refresh.progress > clock.scaled(PATIENCE) && moves.status.is_none() {
            moves.status = Some(Status::Failed);
        }
        (moves != Moves::default()).then_some(moves)
    }

    /// Takes down what its refresh has done.
    pub(super) fn note(&mut self, moves: &Moves, launched: usize, clock: Clock) {
        let now = clock.now();
        let Some(refresh) = self.refreshes.first() else { return };
        let coming = |i: &&Instance| !i.is_ending() && i.launched >= refresh.started && !refresh.is_ready(i, clock);
        let remaining = self.to_replace(refresh).len().max(self.instances.iter().filter(coming).count());
        let Some(refresh) = self.refreshes.first_mut() else { return };
        refresh.remaining = remaining;
        if launched > 0 || !moves.end.is_empty() {
            refresh.progress = now;
        }
        if launched < moves.launch {
            refresh.retry = now + clock.scaled(RETRY);
        }
        match moves.status {
            Some(Status::Failed) => refresh.set(Status::Failed, "The operation has made no progress for an hour.", now),
            Some(status) => refresh.set(status, "", now),
            None => {}
        }
    }

    /// An instance is to go: where its tasks have to leave it first, the scheduler says when. Whether it goes at once.
    pub(super) fn send_off(&mut self, id: &str, clock: Clock) -> bool {
        let drains = self.drains;
        let Some(instance) = self.instances.iter_mut().find(|instance| instance.id == id) else { return false };
        if drains && instance.joined <= clock.now() {
            instance.draining = true;
            return false;
        }
        instance.end(clock);
        true
    }
}
