//! Targets and their health: a pure account of what probes found.

use std::collections::{BTreeMap, HashMap};

use super::config::TargetGroup;
use super::history::{TargetCounts, TargetHistory};
use super::{Balancer, Target};
use crate::clock::Clock;

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Code(u16),
    Timeout,
    Failed,
}

/// The state of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum State {
    Initial,
    Healthy,
    Unhealthy,
    /// Until that time.
    Draining(f64),
}

/// One registered target.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) state: State,
    /// What the last failed probe found.
    pub(super) fault: Option<Outcome>,
    good: u32,
    bad: u32,
    pub(super) probed: bool,
    next: f64,
    asking: bool,
}

/// A probe that is due.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) target: Target,
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) timeout: f64,
}

/// The targets of one place.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: BTreeMap<Target, Entry>,
    groups: HashMap<String, TargetGroup>,
    histories: HashMap<String, TargetHistory>,
    speed: Option<f64>,
    /// How many probes were sent.
    pub(crate) probes: u64,
}

impl Table {
    /// Its clock; without one it runs as fast as AWS.
    pub(crate) fn set_clock(&mut self, clock: Clock) {
        self.speed = Some(clock.speed());
    }

    fn scaled(&self, seconds: f64) -> f64 {
        seconds / self.speed.unwrap_or(1.0)
    }

    /// Takes over the groups as they were just read.
    pub(super) fn adopt(&mut self, groups: &HashMap<String, TargetGroup>) {
        self.groups.clone_from(groups);
        self.entries.retain(|target, _| groups.contains_key(&target.group));
    }

    pub(super) fn group(&self, arn: &str) -> Option<&TargetGroup> {
        self.groups.get(arn)
    }

    /// Forgets targets whose time is over, and says which probes are due.
    pub(crate) fn due(&mut self, now: f64) -> Vec<Check> {
        let is_over = |entry: &Entry| matches!(entry.state, State::Draining(until) if until <= now);
        let over: Vec<Target> =
            self.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(target, _)| target.clone()).collect();
        for target in over {
            self.entries.remove(&target);
            self.note(now, &target.group);
        }
        let speed = self.speed.unwrap_or(1.0);
        let mut due = Vec::new();
        for (target, entry) in &mut self.entries {
            let Some(group) = self.groups.get(&target.group).filter(|group| group.used && group.enabled) else {
                continue;
            };
            if entry.asking || entry.next > now || matches!(entry.state, State::Draining(_)) {
                continue;
            }
            entry.asking = true;
            entry.next = now + group.interval / speed;
            let port = group.check_port.unwrap_or(target.port);
            due.push(Check { target: target.clone(), port, path: group.path.clone(), timeout: group.timeout });
        }
        self.probes += due.len() as u64;
        due
    }

    /// When the next probe is due, or the next target's time is over.
    pub(crate) fn next(&self) -> f64 {
        let at = |(target, entry): (&Target, &Entry)| match entry.state {
            State::Draining(until) => until,
            _ if entry.asking || !self.groups.get(&target.group).is_some_and(|g| g.used && g.enabled) => f64::INFINITY,
            _ => entry.next,
        };
        self.entries.iter().map(at).fold(f64::INFINITY, f64::min)
    }

    /// Takes a probe's outcome; whether the target's state is another now.
    pub(crate) fn probed(&mut self, now: f64, target: &Target, outcome: Outcome) -> bool {
        let Some(group) = self.groups.get(&target.group) else { return false };
        let Some(entry) = self.entries.get_mut(target) else { return false };
        let before = entry.state;
        (entry.asking, entry.probed) = (false, true);
        if matches!(outcome, Outcome::Code(code) if accepts(&group.matcher, code)) {
            (entry.good, entry.bad) = (entry.good + 1, 0);
            // A new target needs one good answer, a sick one as many as the group says.
            let needed = if entry.state == State::Initial { 1 } else { group.healthy };
            if entry.good >= needed && !matches!(entry.state, State::Draining(_)) {
                (entry.state, entry.fault) = (State::Healthy, None);
            }
        } else {
            (entry.good, entry.bad) = (0, entry.bad + 1);
            entry.fault = Some(outcome);
            if entry.bad >= group.unhealthy && !matches!(entry.state, State::Draining(_)) {
                entry.state = State::Unhealthy;
            }
        }
        let changed = before != entry.state;
        if changed {
            self.note(now, &target.group);
        }
        changed
    }

    /// Keeps what is the case from now on.
    fn note(&mut self, now: f64, group: &str) {
        let mut counts = TargetCounts { at: now, ..TargetCounts::default() };
        for (_, entry) in self.of(group) {
            *match entry.state {
                State::Initial => &mut counts.initial,
                State::Healthy => &mut counts.healthy,
                State::Unhealthy => &mut counts.unhealthy,
                State::Draining(_) => &mut counts.draining,
            } += 1;
        }
        self.histories.entry(group.to_owned()).or_default().note(counts);
    }

    /// What a group has been through.
    pub(crate) fn history(&self, group: &str) -> TargetHistory {
        self.histories.get(group).cloned().unwrap_or_default()
    }

    /// The targets of a group with their state, in order.
    pub(super) fn of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = (&'a Target, &'a Entry)> {
        self.entries.iter().filter(move |(target, _)| target.group == group)
    }

    /// Those that a request may go to: the healthy ones, or all that stay where none is healthy.
    pub(super) fn open(&self, group: &str) -> Vec<Target> {
        let staying = || self.of(group).filter(|(_, entry)| !matches!(entry.state, State::Draining(_)));
        let healthy: Vec<Target> =
            staying().filter(|(_, e)| e.state == State::Healthy).map(|(target, _)| target.clone()).collect();
        if healthy.is_empty() { staying().map(|(target, _)| target.clone()).collect() } else { healthy }
    }
}

impl Balancer for Table {
    fn register(&mut self, now: f64, target: &Target) {
        let entry =
            Entry { state: State::Initial, fault: None, good: 0, bad: 0, probed: false, next: now, asking: false };
        match self.entries.get_mut(target) {
            Some(known) if !matches!(known.state, State::Draining(_)) => {}
            Some(known) => *known = entry,
            None => {
                self.entries.insert(target.clone(), entry);
            }
        }
        self.note(now, &target.group);
    }

    fn deregister(&mut self, now: f64, target: &Target) {
        let delay = self.groups.get(&target.group).map_or(0.0, |group| if group.used { group.delay } else { 0.0 });
        let until = now + self.scaled(delay);
        if let Some(entry) = self.entries.get_mut(target)
            && !matches!(entry.state, State::Draining(_))
        {
            entry.state = State::Draining(until);
            self.note(now, &target.group);
        }
    }

    fn knows(&self, target: &Target) -> bool {
        self.entries.contains_key(target)
    }

    fn is_healthy(&self, target: &Target) -> bool {
        self.entries.get(target).is_some_and(|entry| entry.state == State::Healthy)
    }

    fn complaint(&self, target: &Target) -> Option<String> {
        let entry = self.entries.get(target).filter(|entry| entry.state == State::Unhealthy)?;
        Some(super::words::fault(entry.fault?).1)
    }
}

/// Whether a matcher such as `200`, `200,202` or `200-299` accepts a code.
fn accepts(matcher: &str, code: u16) -> bool {
    matcher.split(',').any(|part| match part.split_once('-') {
        Some((low, high)) => {
            low.trim().parse().is_ok_and(|low: u16| code >= low)
                && high.trim().parse().is_ok_and(|high: u16| code <= high)
        }
        None => part.trim().parse() == Ok(code),
    })
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
