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
    /// The image's: it failed the load balancer's health checks after its grace period.
    Health,
    /// The check inside the container failed after that: by the image, or because the check cannot be run in it. ECS does not say
    /// which, as nobody hears what the command prints.
    Check,
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
    /// What is [known](known_line) of its log.
    pub log: &'a str,
}

/// Lines of a log that are nobody's own words: the container's runtime writes them where a program cannot be started, and ECS says
/// nothing but an exit code (<https://github.com/aws-containers/ecs-anywhere-tutorial/issues/2>). A program's own lines are told nowhere: they may
/// hold what is secret.
const LINES: [&str; 1] = ["exec format error"];

/// The line that says why nothing ran.
#[must_use]
pub fn known_line<'l>(mut lines: impl Iterator<Item = &'l str>) -> Option<&'static str> {
    // Some versions of runc put it into quotes.
    lines
        .find_map(|line| LINES.into_iter().find(|known| line.trim_end_matches(['"', ' ', '\n', '\r']).ends_with(known)))
}

impl Told<'_> {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let says = |words: &str| [self.reason, self.container, self.log].iter().any(|text| text.contains(words));
        let never = [
            "exec format error",
            "matching platform",
            "for platform",
            "no matching manifest",
            "manifest unknown",
            "executable file not found",
            // How runc says that the image's command is not there, or may not be run.
            "unable to start container process: exec",
        ];
        if never.iter().any(|words| says(words)) {
            return Kind::NeverRuns;
        }
        if says("ResourceInitializationError") || says("CannotPullContainer") || says("CannotCreateContainer") {
            return Kind::Platform;
        }
        if self.reason.contains("container health check") {
            return Kind::Check;
        }
        if self.reason.contains("health check") {
            return Kind::Health;
        }
        let meant =
            ["Scaling activity", "Host EC2", "Task stopped by user", "Service was deleted", "deregistration forced"];
        // Whatever else the scheduler stops, such as the tasks of an instance that drains, it stops for its own reasons.
        let codes = ["ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption", "TerminationNotice"];
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
        let (reason, container) = (self.reason.trim_end_matches('.'), self.container.trim_end_matches('.'));
        let exit = self.exit.map(|code| format!("exit code {code}")).unwrap_or_default();
        let before = [reason, &exit].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
        // ECS may say the same of the task and of its container.
        let after = if reason.contains(container) { "" } else { container };
        let log = if self.log.is_empty() { String::new() } else { format!("its log says `{}`", self.log) };
        [before.as_str(), after, &log].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
    }
}
