//! The record of a service: who works on it, what was verified, whether it is suspended.
//!
//! It is one object in skydeck's bucket, written by compare-and-swap alone, so that what is read here and what is written
//! next cannot be parted. Its lease is claim and lock in one: it names the one digest that is being rolled out, and the one
//! execution that may write to the service. See docs/adr/0005.

use serde::{Deserialize, Serialize};

use super::ledger::Untold;
use super::trigger::Cause;
use crate::layer::service::Placement;

/// How many verified revisions are remembered.
const REMEMBERED: usize = 10;
/// How often the sweep goes on in the place of an execution that ended without saying how.
const MORE_TRIES: u32 = 1;
/// How many verdicts wait for being told, where that does not work.
const UNTOLD: usize = 20;
/// How many images are kept for what runs and for a rollback.
const KEPT: usize = 2;

/// What is remembered of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// How often the lease was taken. S3's ETag is of the content: without this number a record could become again what a
    /// newcomer has read, and its decision would pass for fresh.
    pub turns: u64,
    /// The service that this is about, as [`Record::of`] names it; none where it was written before skydeck remembered that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Who works on the service.
    pub lease: Option<Lease>,
    /// Set while a person holds events and sweep off.
    pub suspended: Option<Suspended>,
    /// Revisions that were seen to serve, newest first.
    pub verified: Vec<Verified>,
    /// The image that the policy wanted when a person chose another one: the sweep leaves it alone.
    pub passed_over: Option<String>,
    /// Verdicts that are not in the ledger yet, or that nobody was told of, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Untold>,
}

/// The right to write to a service, of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// ARN of the execution.
    pub execution: String,
    /// The digest that it rolls out.
    pub digest: String,
    /// Why.
    pub cause: Cause,
    /// Where it is.
    pub phase: Phase,
    /// ARN of the task definition that it released.
    #[serde(default)]
    pub released: Option<String>,
    /// What a rollback returns to.
    #[serde(default)]
    pub before: Option<Verified>,
    /// How that was placed, where a release has placed the service anew: behind other load balancers, at another port, on other
    /// capacity.
    #[serde(default)]
    pub placed: Option<Placement>,
    /// How many executions with this digest in their hands have ended before without saying how, one after the other.
    #[serde(default, skip_serializing_if = "is_none")]
    pub deaths: u32,
    /// Whether a person was told that nobody goes on with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_none(deaths: &u32) -> bool {
    *deaths == 0
}

/// Where a rollout is. Nobody takes a lease over while its holder may be writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is about to change the service.
    Releasing,
    /// It only looks.
    Verifying,
    /// It is about to change the service back.
    RollingBack,
    /// It only looks whether that serves.
    Returning,
}

impl Phase {
    /// Whether the service may be written to at any moment.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Phase::Releasing | Phase::RollingBack)
    }
}

/// A revision and its image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verified {
    /// ARN of the task definition.
    pub definition: String,
    /// Digest of the image.
    pub digest: String,
}

/// Who holds events and sweep off, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Suspended {
    /// In milliseconds since 1970.
    pub at: i64,
    /// The person's own words; may be empty.
    #[serde(default)]
    pub reason: String,
}

/// Whether an execution may still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// It runs.
    Running,
    /// It has ended, and a function of it may still be at work.
    EndedLately,
    /// It has ended so long ago that all that it ever wrote was there before anything was read of what is decided by: for a
    /// rollout longer than two functions can run, one that it left behind and the one that asks.
    Gone,
}

/// What a newcomer may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody works on the service, or the newcomer itself does.
    Free,
    /// Somebody does who may be relieved: a rollout of an older image, or one that died.
    TakeOver,
    /// Somebody does who has to be waited for.
    Busy(String),
    /// Somebody does what the newcomer wants.
    Claimed(String),
}

/// What an execution may do that comes to roll a digest out. `holder` says whether the lease's execution lives.
#[must_use]
pub fn claim(record: &Record, execution: &str, digest: &str, cause: Cause, holder: Liveness) -> Claim {
    let Some(lease) = record.lease.as_ref().filter(|lease| lease.execution != execution) else { return Claim::Free };
    let name = lease.execution.rsplit(':').next().unwrap_or(&lease.execution);
    match holder {
        Liveness::EndedLately if lease.phase.writes() => Claim::Busy(format!("{name}, which ended only just now")),
        Liveness::EndedLately | Liveness::Gone => Claim::TakeOver,
        Liveness::Running if lease.digest == digest && !cause.keeps_image() => Claim::Claimed(name.into()),
        Liveness::Running if cause == Cause::Sweep => Claim::Claimed(name.into()),
        Liveness::Running if lease.phase.writes() || cause.keeps_image() => Claim::Busy(format!("the rollout {name}")),
        Liveness::Running => Claim::TakeOver,
    }
}

impl Record {
    /// What the record says of this service, named by its ARN and when ECS made it. Of one before it, which has gone, neither
    /// lease nor revisions count, nor what a person chose; `None` stands for a service that is not there. That a person holds
    /// pushes off is about the name, and stays, as do verdicts that nobody was told of.
    #[must_use]
    pub fn of(self, service: Option<&str>) -> Record {
        if service.is_some() && (self.service.is_none() || self.service.as_deref() == service) {
            return Record { service: service.map(ToOwned::to_owned), ..self };
        }
        let Record { turns, suspended, untold, .. } = self;
        Record { turns, suspended, untold, service: service.map(ToOwned::to_owned), ..Record::default() }
    }

    /// When ECS made the service that this is about, in milliseconds since 1970; 0 where it is not known.
    #[must_use]
    pub fn made(&self) -> i64 {
        let made = self.service.as_deref().and_then(|service| service.rsplit_once(' ')?.1.parse().ok());
        made.unwrap_or_default()
    }

    /// The record with the lease in an execution's hands, about to release. `running` is what the service runs now,
    /// where it [serves](super::decide::Running::serves): nobody returns to what has no tasks and was never verified.
    #[must_use]
    pub fn taken(
        &self,
        execution: &str,
        digest: &str,
        cause: Cause,
        running: Option<Verified>,
        passed_over: Option<String>,
    ) -> Record {
        // What an unfinished rollout released was never verified, and nobody returns to it.
        let before = match &self.lease {
            Some(lease) => lease.before.clone(),
            None => self.verified.first().cloned().or(running),
        };
        // The sweep comes where an execution has died; whoever else comes begins anew.
        let died = self.lease.as_ref().filter(|lease| cause == Cause::Sweep && lease.digest == digest);
        let lease = Lease {
            execution: execution.into(),
            digest: digest.into(),
            cause,
            phase: Phase::Releasing,
            released: None,
            before,
            placed: self.lease.as_ref().and_then(|lease| lease.placed.clone()),
            deaths: died.map_or(0, |lease| lease.deaths + 1),
            told: false,
        };
        // A change of settings chooses no image.
        let passed_over = if cause.keeps_image() { self.passed_over.clone() } else { passed_over };
        Record { turns: self.turns + 1, lease: Some(lease), passed_over, ..self.clone() }
    }

    /// The record, remembering how the service stood before it is placed anew. What an unfinished rollout has done to it does not
    /// count.
    #[must_use]
    pub fn placed(self, before: Option<&Placement>) -> Record {
        let lease = self.lease.map(|lease| Lease { placed: lease.placed.or_else(|| before.cloned()), ..lease });
        Record { lease, ..self }
    }

    /// The record in another phase; `None` where the lease is not this execution's any more.
    #[must_use]
    pub fn moved(&self, execution: &str, phase: Phase, released: Option<&str>) -> Option<Record> {
        let lease = self.lease.as_ref().filter(|lease| lease.execution == execution)?;
        let released = released.map(ToOwned::to_owned).or_else(|| lease.released.clone());
        Some(Record { lease: Some(Lease { phase, released, ..lease.clone() }), ..self.clone() })
    }

    /// The record after a success: the lease given back, the revision remembered. `None` where the lease is not this
    /// execution's any more.
    #[must_use]
    pub fn succeeded(&self, execution: &str, verified: Verified) -> Option<Record> {
        let mut record = self.freed(execution)?;
        record.verified.retain(|known| known.definition != verified.definition);
        // What a person has left is rejected: the next rollback goes further back.
        let lease = self.lease.as_ref().filter(|lease| lease.cause == Cause::Rollback);
        let left = lease.and_then(|lease| lease.before.as_ref()).filter(|left| left.digest != verified.digest);
        record.verified.retain(|known| left.is_none_or(|left| left.digest != known.digest));
        record.verified.insert(0, verified);
        record.verified.truncate(REMEMBERED);
        Some(record)
    }

    /// The record without this execution's lease; `None` where it is not this execution's.
    #[must_use]
    pub fn freed(&self, execution: &str) -> Option<Record> {
        self.holds(execution).then(|| Record { lease: None, ..self.clone() })
    }

    /// The record with a dead execution's lease in another's hands, about to take back what that has left half done.
    #[must_use]
    pub fn adopted(&self, execution: &str) -> Option<Record> {
        let lease = self.lease.clone()?;
        let deaths = lease.deaths + 1;
        let lease = Lease { execution: execution.into(), phase: Phase::RollingBack, deaths, told: false, ..lease };
        Some(Record { lease: Some(lease), ..self.clone() })
    }

    /// The lease of a digest with which nobody goes on by himself: one execution after the other has ended without saying how.
    #[must_use]
    pub fn given_up(&self, digest: &str) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.digest == digest && lease.deaths >= MORE_TRIES)
    }

    /// The record of an execution that could not take the service back and has said so: whoever finds its lease goes on. `None`
    /// where the lease is not this execution's.
    #[must_use]
    pub fn unreturned(&self, execution: &str) -> Option<Record> {
        let lease = self.lease.as_ref().filter(|lease| lease.execution == execution)?;
        Some(Record { lease: Some(Lease { deaths: 0, ..lease.clone() }), ..self.clone() })
    }

    /// The record with a verdict that is to be written into the ledger and told.
    #[must_use]
    pub fn concluded(mut self, untold: Untold) -> Record {
        self.untold.retain(|known| known.past.execution != untold.past.execution);
        self.untold.push(untold);
        self.untold.drain(..self.untold.len().saturating_sub(UNTOLD));
        self
    }

    /// The verdict of an execution that is not told yet.
    #[must_use]
    pub fn untold_of(&self, execution: &str) -> Option<&Untold> {
        self.untold.iter().find(|untold| untold.past.execution == execution)
    }

    /// The record after an execution's verdict was told; `None` where it knew of none.
    #[must_use]
    pub fn said(&self, execution: &str) -> Option<Record> {
        self.untold_of(execution)?;
        let mut record = self.clone();
        record.untold.retain(|untold| untold.past.execution != execution);
        Some(record)
    }

    /// The record with the lease marked as one that a person was told of; `None` where it is another by now.
    #[must_use]
    pub fn told(&self, lease: &Lease) -> Option<Record> {
        let told = Lease { told: true, ..lease.clone() };
        (self.lease.as_ref() == Some(lease)).then(|| Record { lease: Some(told), ..self.clone() })
    }

    /// The record with a revision in the place of another one of the same image, which ECS makes no deployment of any more.
    #[must_use]
    pub fn renewed(&self, old: &str, new: &str) -> Record {
        let renew = |known: Verified| {
            let definition = if known.definition == old { new.to_owned() } else { known.definition };
            Verified { definition, ..known }
        };
        let lease = self.lease.clone().map(|lease| Lease { before: lease.before.map(renew), ..lease });
        Record { lease, verified: self.verified.iter().cloned().map(renew).collect(), ..self.clone() }
    }

    /// ARN of the task definition that the service runs by this record; `None` where it does not say. What was read of the
    /// service at the same time as the record, and says otherwise, may be older than the record: it has to be read again.
    #[must_use]
    pub fn stands(&self) -> Option<&str> {
        match &self.lease {
            None => self.verified.first().map(|verified| verified.definition.as_str()),
            Some(lease) => lease.released.as_deref().filter(|_| lease.phase == Phase::Verifying),
        }
    }

    /// Whether the lease is this execution's.
    #[must_use]
    pub fn holds(&self, execution: &str) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.execution == execution)
    }

    /// Digests that ECR's lifecycle must not expire: what serves, and what a rollback needs.
    #[must_use]
    pub fn kept(&self) -> Vec<&str> {
        let mut digests: Vec<&str> = Vec::new();
        for verified in &self.verified {
            if !digests.contains(&verified.digest.as_str()) {
                digests.push(&verified.digest);
            }
        }
        digests.truncate(KEPT);
        digests
    }
}
