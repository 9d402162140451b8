//! Deployments of a service: what it runs, and how far the change to it has come.

use serde_json::{Value, json};

use super::cluster::StrategyItem;
use super::{World, without_nulls};

/// How a deployment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

/// One deployment; the first of a service is its primary one.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(super) id: String,
    pub(super) task_definition: String,
    pub(super) created: f64,
    pub(super) updated: f64,
    pub(super) rollout: Rollout,
    pub(super) reason: String,
    /// Tasks that failed since one became healthy.
    pub(super) failed: i64,
    /// After failures ECS waits before it tries again.
    pub(super) not_before: f64,
    pub(super) desired: i64,
    pub(super) strategy: Vec<StrategyItem>,
    pub(super) launch_type: Option<String>,
}

/// How many tasks a deployment has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) running: i64,
    pub(super) pending: i64,
}

impl Deployment {
    pub(super) fn new(world: &World, task_definition: &str) -> Self {
        let id = format!("ecs-svc/{}", crate::ids::number());
        Self {
            reason: format!("ECS deployment {id} in progress."),
            id,
            task_definition: task_definition.to_owned(),
            created: world.now,
            updated: world.now,
            rollout: Rollout::InProgress,
            failed: 0,
            not_before: 0.0,
            desired: 0,
            strategy: Vec::new(),
            launch_type: None,
        }
    }

    pub(super) fn set(&mut self, now: f64, rollout: Rollout, reason: String) {
        (self.updated, self.rollout, self.reason) = (now, rollout, reason);
    }

    pub(super) fn json(&self, primary: bool, counts: Counts) -> Value {
        let state = match self.rollout {
            Rollout::InProgress => "IN_PROGRESS",
            Rollout::Completed => "COMPLETED",
            Rollout::Failed => "FAILED",
        };
        without_nulls(json!({
            "id": self.id,
            "status": if primary { "PRIMARY" } else { "ACTIVE" },
            "taskDefinition": self.task_definition,
            "desiredCount": self.desired,
            "pendingCount": counts.pending,
            "runningCount": counts.running,
            "failedTasks": self.failed,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "capacityProviderStrategy": if self.strategy.is_empty() { Value::Null } else { json!(self.strategy) },
            "launchType": self.launch_type,
            "rolloutState": state,
            "rolloutStateReason": self.reason,
        }))
    }
}
