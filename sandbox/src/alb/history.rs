//! How many targets of a group were in which state, and since when: what a test asks for after a deployment.

use serde::{Deserialize, Serialize};

/// The targets of a group from one moment on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetCounts {
    /// The moment, in seconds since 1970.
    pub at: f64,
    /// Those that requests go to.
    pub healthy: u32,
    /// Those that no health check has passed yet.
    pub initial: u32,
    /// Those that have failed their health checks.
    pub unhealthy: u32,
    /// Those that get no new requests any more.
    pub draining: u32,
}

impl TargetCounts {
    fn states(&self) -> [u32; 4] {
        [self.healthy, self.initial, self.unhealthy, self.draining]
    }
}

/// All that a target group has been through, every change of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetHistory(Vec<TargetCounts>);

impl TargetHistory {
    pub(super) fn note(&mut self, now: TargetCounts) {
        if self.0.last().is_none_or(|last| last.states() != now.states()) {
            self.0.push(now);
        }
    }

    /// The changes, in their order.
    pub fn changes(&self) -> &[TargetCounts] {
        &self.0
    }

    /// The fewest healthy targets that there were at any moment from `since` (seconds since 1970) until now.
    pub fn fewest_healthy(&self, since: f64) -> u32 {
        let before = self.0.iter().rev().find(|counts| counts.at <= since);
        let after = self.0.iter().filter(|counts| counts.at > since);
        after.chain(before).map(|counts| counts.healthy).min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_counts_from_the_state_at_the_beginning() {
        let mut history = TargetHistory::default();
        assert_eq!(history.fewest_healthy(0.0), 0);
        for (at, healthy) in [(1.0, 0), (2.0, 2), (3.0, 2), (4.0, 1), (5.0, 3)] {
            history.note(TargetCounts { at, healthy, ..TargetCounts::default() });
        }
        assert_eq!(history.changes().len(), 4);
        assert_eq!([1.5, 2.0, 4.5, 5.0].map(|since| history.fewest_healthy(since)), [0, 1, 1, 3]);
    }
}
