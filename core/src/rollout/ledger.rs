//! The ledger: what became of each image of a service. One object per service and digest in skydeck's bucket.

use serde::{Deserialize, Serialize};

use super::trigger::Cause;
use crate::verdict::Check;

/// How many rollouts of one digest are remembered.
const REMEMBERED: usize = 20;
/// How many entries of a service stay, whether their images are there or not.
pub const KEPT: usize = 50;

/// What is known of an image of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The image's digest.
    pub digest: String,
    /// Set where nothing but a person deploys the image again.
    pub rejected: Option<Rejection>,
    /// Its rollouts, newest first.
    pub rollouts: Vec<Past>,
}

/// Why an image is not deployed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// In milliseconds since 1970.
    pub at: i64,
    /// ARN of the execution that found it bad, or that a person left it with.
    pub execution: String,
    /// What was wrong, as a sentence.
    pub reason: String,
}

/// A rollout that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Past {
    /// ARN of the execution.
    pub execution: String,
    /// Why it ran.
    pub cause: Cause,
    /// The tag by which the image was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// ARN of the task definition that it released; none where it was refused before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub began: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended: i64,
    /// How it ended.
    pub verdict: Verdict,
    /// What was wrong, or what is worth knowing, as a sentence; may be empty.
    #[serde(default)]
    pub reason: String,
    /// What was checked, and what was seen.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// What did not work after the verdict, and changes nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A verdict on its way into the ledger and to those who wait for its event. It lies in the service's record meanwhile, written by the
/// same write that gives the lease back, so that an execution that dies in between leaves nothing unsaid: the sweep says it then.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Untold {
    /// The image's digest.
    pub digest: String,
    /// The rollout.
    pub past: Past,
    /// Whether the image is not to be deployed again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejects: bool,
}

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The image serves.
    Succeeded,
    /// It did not, and what served before serves again, or nothing does.
    RolledBack,
    /// A newer rollout took over.
    Superseded,
    /// It could not work, and the service was not touched.
    Refused,
    /// The service has the image, and no tasks: nothing ran, and nothing was verified.
    Unverified,
}

impl Verdict {
    /// The verdict in a person's words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::Succeeded => "succeeded",
            Verdict::RolledBack => "rolled back",
            Verdict::Superseded => "superseded",
            Verdict::Refused => "refused",
            Verdict::Unverified => "unverified",
        }
    }
}

impl Past {
    /// Seconds from the decision to the verdict.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        u64::try_from((self.ended - self.began).max(0)).unwrap_or_default().div_ceil(1000)
    }
}

impl Entry {
    /// The entry with a rollout that has ended. A success ends a rejection: a person has overridden it, and was right.
    #[must_use]
    pub fn with(&self, digest: &str, past: Past) -> Entry {
        let mut entry = Entry { digest: digest.into(), ..self.clone() };
        if past.verdict == Verdict::Succeeded {
            entry.rejected = None;
        }
        entry.rollouts.retain(|known| known.execution != past.execution);
        entry.rollouts.insert(0, past);
        entry.rollouts.truncate(REMEMBERED);
        entry
    }

    /// The entry with a verdict, and with the rejection that it brings.
    #[must_use]
    pub fn concluded(&self, untold: &Untold) -> Entry {
        let Untold { digest, past, rejects } = untold;
        let rejection = Rejection { at: past.ended, execution: past.execution.clone(), reason: past.reason.clone() };
        let entry = if *rejects { self.rejecting(digest, rejection) } else { self.clone() };
        entry.with(digest, past.clone())
    }

    /// What is remembered of an execution.
    #[must_use]
    pub fn rollout(&self, execution: &str) -> Option<&Past> {
        self.rollouts.iter().find(|past| past.execution == execution)
    }

    /// Whether the image was refused last, and is not at fault: it waits for what it was refused for.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.rejected.is_none() && self.rollouts.first().is_some_and(|past| past.verdict == Verdict::Refused)
    }

    /// Whether it was refused last for just this.
    #[must_use]
    pub fn waits_for(&self, what: &str) -> bool {
        let is_it = |past: &Past| past.checks.iter().any(|check| check.evidence == what);
        self.waits() && self.rollouts.first().is_some_and(is_it)
    }

    /// Whether its last rollout gave it to a service that had no tasks.
    #[must_use]
    pub fn is_unverified(&self) -> bool {
        self.rollouts.first().is_some_and(|past| past.verdict == Verdict::Unverified)
    }

    /// The entry of an image that is not deployed again. What was found first stays.
    #[must_use]
    pub fn rejecting(&self, digest: &str, rejection: Rejection) -> Entry {
        let rejected = self.rejected.clone().or(Some(rejection));
        Entry { digest: digest.into(), rejected, ..self.clone() }
    }
}

/// The entries that may go: all but the newest, of images that are not in their repository any more. Of one that is there, a
/// rejection is never forgotten. `entries` is newest first.
#[must_use]
pub fn bygone(entries: &[String], is_there: impl Fn(&str) -> bool) -> Vec<String> {
    entries.iter().skip(KEPT).filter(|entry| !is_there(entry)).cloned().collect()
}

/// Where the records of a service lie in skydeck's bucket.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// `<platform>-<environment>`.
    pub platform: &'a str,
    /// The service.
    pub service: &'a str,
}

impl Keys<'_> {
    /// The service's record.
    #[must_use]
    pub fn record(&self) -> String {
        format!("platforms/{}/services/{}/record.json", self.platform, self.service)
    }

    /// What is remembered of the tags of its repository.
    #[must_use]
    pub fn tags(&self) -> String {
        format!("platforms/{}/services/{}/tags.json", self.platform, self.service)
    }

    /// Where the ledger's entries lie.
    #[must_use]
    pub fn ledger(&self) -> String {
        format!("platforms/{}/services/{}/ledger/", self.platform, self.service)
    }

    /// The entry of an image.
    #[must_use]
    pub fn entry(&self, digest: &str) -> String {
        format!("{}{}.json", self.ledger(), digest.trim_start_matches("sha256:"))
    }
}

/// Key of what the last apply handed on to rollouts.
#[must_use]
pub fn applied_key(platform: &str) -> String {
    format!("platforms/{platform}/applied.json")
}
