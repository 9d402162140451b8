//! Whether a task that finds no room ever will: nothing else is as easily taken for a failure too early. An instance that was just
//! started is in service before it takes tasks, a task that drains gives its room back only at the end, and what ECS said of it
//! minutes ago is still the last that it said.

use std::collections::{BTreeMap, BTreeSet};

use crate::placement::Room;

/// The cluster at one moment, when its Auto Scaling group is at its maximum and all of its instances are in service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The group's instances.
    pub group: BTreeSet<String>,
    /// What is left on each instance that takes tasks.
    pub left: BTreeMap<String, Room>,
    /// Tasks that have their room and do not run yet. What a service calls pending may be waiting for room itself.
    pub starting: u32,
    /// What goes on in the cluster's services.
    pub services: Vec<Activity>,
}

/// How many tasks a service has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// That it wants.
    pub desired: u32,
    /// That run.
    pub running: u32,
    /// That run, of the newest deployment.
    pub newest: u32,
    /// How many deployments it has: more than one while tasks of an older one are there.
    pub deployments: usize,
}

impl Activity {
    /// Whether it may give room back.
    fn moves(&self) -> bool {
        self.running > self.desired || (self.deployments > 1 && self.newest > 0)
    }
}

impl Cluster {
    /// Whether there is no room for a task, and none will come.
    #[must_use]
    pub fn is_full(&self, task: Room) -> bool {
        self.group.iter().all(|instance| self.left.contains_key(instance))
            && self.starting == 0
            && !self.left.values().any(|left| left.holds(task))
            && !self.services.iter().any(Activity::moves)
    }
}
