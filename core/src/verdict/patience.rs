//! How long a verification waits. Deadlines are counted in looks, and follow from the service's own settings: nothing that a
//! platform file may say makes something good too late.

use serde::{Deserialize, Serialize};

use crate::spec::Service;

/// Seconds between two looks, for as long as most rollouts take.
pub const WAIT_SECONDS: u32 = 5;
/// How many looks lie so close to one another: some twenty minutes, in which there are instances that have yet to come.
const CLOSE: u32 = 240;
/// How many looks there are after those, at most: with both, and both ways, an execution stays below the 25,000 events of its history
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>).
const FAR: u32 = 240;
/// How many looks there are at most.
pub const MOST_LOOKS: u32 = CLOSE + FAR;
/// Seconds that a task may take to be pulled and started.
const START_SECONDS: u64 = 120;
/// Seconds that ECS gives a container to end after its stop signal, by default
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>).
const STOP_SECONDS: u64 = 30;

/// How long a verification waits, and how often it looks meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// Seconds beyond those of the close looks.
    more: u32,
}

impl Patience {
    /// As long as a good release of a service with so many tasks may take: for each batch that its percentages allow, the new tasks'
    /// start, grace and health, and the old ones' leave.
    #[must_use]
    pub fn of(service: &Service, desired: u32) -> Self {
        let desired = u64::from(desired);
        let most = desired * u64::from(service.maximum_percent) / 100;
        let least = (desired * u64::from(service.minimum_healthy_percent)).div_ceil(100);
        let batches = desired.div_ceil(most.saturating_sub(least).max(1));
        let health = &service.health;
        let targets = u64::from(health.interval_seconds) * u64::from(health.healthy_threshold);
        let check = service.container_check.as_ref().map_or(0, |check| {
            u64::from(check.start_seconds) + u64::from(check.interval_seconds) * u64::from(check.retries)
        });
        let come = START_SECONDS + u64::from(service.grace_seconds) + targets + check;
        let leave = u64::from(service.deregistration_delay_seconds) + STOP_SECONDS;
        Patience { more: u32::try_from(batches * (come + leave)).unwrap_or(u32::MAX) }
    }

    /// The longer one, of what is waited for together.
    #[must_use]
    pub fn max(self, other: Patience) -> Patience {
        Patience { more: self.more.max(other.more) }
    }

    /// Long enough for a release and, after it, the way back.
    #[must_use]
    pub fn both_ways(self) -> Patience {
        Patience { more: self.more.saturating_mul(2).saturating_add(CLOSE * WAIT_SECONDS) }
    }

    /// How many looks there are.
    #[must_use]
    pub fn rounds(self) -> u32 {
        CLOSE + self.more.div_ceil(self.far_seconds())
    }

    /// How long to wait after a look, which is counted from 0.
    #[must_use]
    pub fn wait_seconds(self, round: u32) -> u32 {
        if round < CLOSE { WAIT_SECONDS } else { self.far_seconds() }
    }

    fn far_seconds(self) -> u32 {
        self.more.div_ceil(FAR).max(WAIT_SECONDS)
    }
}

/// Which look this is, and for how many there is patience.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// From 0.
    pub number: u32,
    /// How long is waited altogether.
    pub patience: Patience,
}

impl Round {
    /// Whether no look comes after this one.
    #[must_use]
    pub fn is_last(self) -> bool {
        self.number + 1 >= self.patience.rounds()
    }

    /// For how long it was waited before this look.
    #[must_use]
    pub fn waited_seconds(self) -> u32 {
        self.number.checked_sub(1).map_or(WAIT_SECONDS, |before| self.patience.wait_seconds(before))
    }
}

impl From<u32> for Round {
    /// Of a verification that waits no longer than most.
    fn from(number: u32) -> Self {
        Round { number, patience: Patience::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_lie_close_at_first_and_their_number_is_bounded() {
        for more in [0, 1, 100, 1_200, 1_201, 100_000, u32::MAX] {
            let patience = Patience { more };
            let rounds = patience.rounds();
            assert!((CLOSE..=CLOSE + FAR).contains(&rounds), "{more}: {rounds}");
            let waited: u64 = (0..rounds).map(|round| u64::from(patience.wait_seconds(round))).sum();
            assert!(waited >= 1_200 + u64::from(more), "{more}: {waited}");
            assert_eq!(patience.wait_seconds(0), 5);
        }
    }
}
