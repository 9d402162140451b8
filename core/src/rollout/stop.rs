//! Why a task stopped, and whose fault that is.
//!
//! ECS says it in words; the codes and texts are those of
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>.

use serde::{Deserialize, Serialize};

/// A task that has stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Whose fault it is.
    pub kind: Kind,
    /// What ECS says, with the container's exit code.
    pub why: String,
}

/// Whose fault a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nobody's: it was meant, or an instance went.
    Meant,
    /// The image's, and no other try ends otherwise: it is for another processor, or not there.
    NeverRuns,
    /// The image's: its process ended, or took more memory than it has.
    Exit,
    /// The image's: it failed health checks after its grace period.
    Health,
    /// The platform's: a secret, a role, the network.
    Platform,
}

/// What ECS tells of a task that has stopped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// `stopCode`.
    pub code: &'a str,
    /// `stoppedReason`.
    pub reason: &'a str,
    /// The container's `reason`.
    pub container: &'a str,
    /// The container's `exitCode`.
    pub exit: Option<i32>,
}

impl Told<'_> {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let says = |words: &str| self.reason.contains(words) || self.container.contains(words);
        let never = ["exec format error", "matching platform", "no matching manifest", "manifest unknown"];
        if never.iter().any(|words| says(words)) {
            return Kind::NeverRuns;
        }
        if says("ResourceInitializationError") || says("CannotPullContainer") || says("CannotCreateContainer") {
            return Kind::Platform;
        }
        if self.reason.contains("health check") {
            return Kind::Health;
        }
        let meant = ["Scaling activity", "Host EC2", "Task stopped by user", "Service was deleted"];
        let codes = ["UserInitiated", "SpotInterruption", "TerminationNotice"];
        if codes.contains(&self.code) || meant.iter().any(|words| self.reason.contains(words)) {
            return Kind::Meant;
        }
        if self.code == "EssentialContainerExited" || self.exit.is_some() || says("OutOfMemory") {
            return Kind::Exit;
        }
        if self.code == "TaskFailedToStart" { Kind::Platform } else { Kind::Meant }
    }

    /// What happened, in ECS's words.
    #[must_use]
    pub fn words(&self) -> String {
        let mut text = self.reason.trim_end_matches('.').to_owned();
        if let Some(code) = self.exit {
            text += &format!(", exit code {code}");
        }
        // ECS may say the same of the task and of its container.
        if !self.container.is_empty() && !self.reason.contains(self.container) {
            text += &format!(": {}", self.container.trim_end_matches('.'));
        }
        text
    }
}
