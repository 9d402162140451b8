//! Whether a trigger becomes a rollout: of which image, or why not.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::image::Pushed;
use super::ledger::Entry;
use super::policy;
use super::record::{Claim, Liveness, Record, claim};
use super::trigger::Cause;
use crate::spec::ImagePolicy;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Why.
    pub cause: Cause,
    /// A digest, or a tag; `None` leaves the choice to the policy, or to what runs.
    pub image: Option<&'a str>,
    /// The tag that an event names.
    pub tag: Option<&'a str>,
    /// When the reason came up, in milliseconds since 1970: a push, or a change of a parameter.
    pub since: Option<i64>,
}

/// What a service runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Digest of its task definition's image; `None` where it awaits its first.
    pub digest: Option<String>,
    /// Tasks wanted.
    pub desired: u32,
    /// Whether the task definition says, but for the image, what the platform file does, and was not deregistered.
    pub same_settings: bool,
    /// When the task definition was registered, in milliseconds since 1970.
    pub registered: i64,
}

impl Running {
    /// Whether it has tasks of an image: only then is it what a rollback goes back to where nothing was verified. A first image
    /// that failed is still the service's, and has none.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.digest.is_some() && self.desired > 0
    }
}

/// All that was read before a decision.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// ARN of the execution that decides.
    pub execution: &'a str,
    /// The service's tag policy.
    pub policy: &'a ImagePolicy,
    /// The images of its repository.
    pub images: &'a [Pushed],
    /// The service's record.
    pub record: &'a Record,
    /// What it runs.
    pub running: &'a Running,
    /// Whether the execution lives that the record's lease names.
    pub holder: Liveness,
    /// Since when skydeck keeps records of this platform, in milliseconds since 1970.
    pub records_since: i64,
}

/// The image of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its digest.
    pub digest: String,
    /// The tag by which it was found, where it has one.
    pub tag: Option<String>,
}

/// What follows from a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Roll this image out.
    Release(Choice),
    /// Finish what an execution that died left half done: go back to what was verified.
    Return,
    /// Nothing is to be done.
    Ignore(Reason),
    /// Somebody has to be waited for.
    Wait(String),
}

/// Why nothing is done, as a person understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the texts say what they are")]
pub enum Reason {
    OutsidePolicy { tag: String, policy: String },
    NotWanted { digest: String, wanted: Choice },
    Gone { image: String },
    NotAnImage { image: String },
    NoImage,
    AlreadyRunning { digest: String },
    Rejected { digest: String, reason: String },
    Suspended { reason: String },
    Claimed { by: String },
    KnownAlready,
    PassedOver { digest: String },
    Forgotten { digest: String },
    NothingToReturnTo,
    Refused { digest: String, reason: String },
    IdleEvent { why: String },
    NoService { repository: String },
    NotMadeYet { service: String },
    Left { service: String },
}

/// A [`Reason`] as programs know it, by a word that stays where its sentence is put better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the reasons' texts say what they are")]
pub enum Kind {
    OutsidePolicy,
    NotWanted,
    Gone,
    NotAnImage,
    NoImage,
    AlreadyRunning,
    Rejected,
    Suspended,
    Claimed,
    KnownAlready,
    PassedOver,
    Forgotten,
    NothingToReturnTo,
    Refused,
    IdleEvent,
    NoService,
    NotMadeYet,
    Left,
}

impl Reason {
    /// The word for it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Reason::OutsidePolicy { .. } => Kind::OutsidePolicy,
            Reason::NotWanted { .. } => Kind::NotWanted,
            Reason::Gone { .. } => Kind::Gone,
            Reason::NotAnImage { .. } => Kind::NotAnImage,
            Reason::NoImage => Kind::NoImage,
            Reason::AlreadyRunning { .. } => Kind::AlreadyRunning,
            Reason::Rejected { .. } => Kind::Rejected,
            Reason::Suspended { .. } => Kind::Suspended,
            Reason::Claimed { .. } => Kind::Claimed,
            Reason::KnownAlready => Kind::KnownAlready,
            Reason::PassedOver { .. } => Kind::PassedOver,
            Reason::Forgotten { .. } => Kind::Forgotten,
            Reason::NothingToReturnTo => Kind::NothingToReturnTo,
            Reason::Refused { .. } => Kind::Refused,
            Reason::IdleEvent { .. } => Kind::IdleEvent,
            Reason::NoService { .. } => Kind::NoService,
            Reason::NotMadeYet { .. } => Kind::NotMadeYet,
            Reason::Left { .. } => Kind::Left,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::OutsidePolicy { tag, policy } => write!(f, "tag {tag} is outside the service's policy ({policy})"),
            Reason::NotWanted { digest, wanted } => {
                let tag = wanted.tag.as_deref().unwrap_or("no tag");
                write!(f, "{digest} is not the image that the policy wants now: that is {} ({tag})", wanted.digest)
            }
            Reason::Gone { image } => write!(f, "{image} is not in the repository"),
            Reason::NotAnImage { image } => {
                write!(f, "{image} is not a container image, but something like a signature, an attestation or a chart")
            }
            Reason::NoImage => write!(f, "the repository has no image that the policy admits"),
            Reason::AlreadyRunning { digest } => write!(f, "{digest} runs already"),
            Reason::Rejected { digest, reason } => write!(f, "{digest} was rejected before: {reason}"),
            Reason::Suspended { reason } if reason.is_empty() => write!(f, "the service is suspended"),
            Reason::Suspended { reason } => write!(f, "the service is suspended: {reason}"),
            Reason::Claimed { by } => write!(f, "{by} rolls it out already"),
            Reason::KnownAlready => write!(f, "the tasks started after that change"),
            Reason::PassedOver { digest } => write!(f, "a person chose another image than {digest}"),
            Reason::Forgotten { digest } => write!(f, "{digest} was pushed before skydeck's records begin"),
            Reason::NothingToReturnTo => write!(f, "no other image of the service was ever verified"),
            Reason::Refused { digest, reason } => write!(f, "{digest} was refused before, and still is: {reason}"),
            Reason::IdleEvent { why } => f.write_str(why),
            Reason::NoService { repository } => write!(f, "{repository} is the repository of no service"),
            Reason::NotMadeYet { service } => {
                write!(f, "service {service} does not exist yet: `skydeck apply` makes it")
            }
            Reason::Left { service } => write!(f, "service {service} is not in the platform file any more"),
        }
    }
}

/// Which image a trigger is about.
///
/// # Errors
/// Why there is none.
pub fn choose(asked: &Asked<'_>, now: &Situation<'_>) -> Result<Choice, Reason> {
    let wanted = wanted(now);
    match asked.cause {
        Cause::Push => pushed(asked, now, wanted),
        Cause::Person => match asked.image {
            Some(image) => named(image, now.images),
            None => wanted.ok_or(Reason::NoImage),
        },
        Cause::Rollback => back(now),
        // The platform file is applied, and a service without an image is to start.
        Cause::Configuration => unchanged(now).or(wanted).ok_or(Reason::NoImage),
        Cause::Secret => unchanged(now).ok_or(Reason::NoImage),
        Cause::Sweep => swept(now, wanted),
    }
}

fn wanted(now: &Situation<'_>) -> Option<Choice> {
    let wanted = policy::wanted(now.policy, now.images)?;
    Some(Choice { digest: wanted.image.digest.clone(), tag: Some(wanted.tag.to_owned()) })
}

/// The image that the policy wants and the service does not run: where it was refused for want of a parameter, a change of one
/// starts it.
#[must_use]
pub fn waiting(now: &Situation<'_>) -> Option<Choice> {
    swept(now, wanted(now)).ok().filter(|choice| Some(&choice.digest) != now.running.digest.as_ref())
}

/// The image that the service runs.
fn unchanged(now: &Situation<'_>) -> Option<Choice> {
    now.running.digest.clone().map(|digest| Choice { digest, tag: None })
}

fn pushed(asked: &Asked<'_>, now: &Situation<'_>, wanted: Option<Choice>) -> Result<Choice, Reason> {
    let digest = asked.image.unwrap_or_default();
    if let Some(tag) = asked.tag.filter(|tag| !policy::admits(now.policy, tag)) {
        return Err(Reason::OutsidePolicy { tag: tag.into(), policy: now.policy.to_string() });
    }
    if now.record.passed_over.as_deref() == Some(digest) {
        return Err(Reason::PassedOver { digest: digest.into() });
    }
    match wanted {
        Some(wanted) if wanted.digest == digest => Ok(wanted),
        Some(wanted) => Err(Reason::NotWanted { digest: digest.into(), wanted }),
        None => Err(Reason::Gone { image: digest.into() }),
    }
}

/// The image that a person names, by digest or by tag.
fn named(image: &str, images: &[Pushed]) -> Result<Choice, Reason> {
    let is_digest = image.starts_with("sha256:");
    let is_meant =
        |pushed: &&Pushed| if is_digest { pushed.digest == image } else { pushed.tags.iter().any(|tag| tag == image) };
    let found = images.iter().find(is_meant).ok_or_else(|| Reason::Gone { image: image.into() })?;
    let tag =
        if is_digest { found.tags.iter().find(|tag| !super::image::is_own(tag)).cloned() } else { Some(image.into()) };
    Ok(Choice { digest: found.digest.clone(), tag })
}

/// The image that was verified last before the one that runs, or is being tried, now.
fn back(now: &Situation<'_>) -> Result<Choice, Reason> {
    let left = now.record.lease.as_ref().map(|lease| &lease.digest).or(now.running.digest.as_ref());
    let is_there = |digest: &str| now.images.iter().any(|image| image.digest == digest);
    let mut verified = now.record.verified.iter().map(|verified| &verified.digest);
    let digest = verified.find(|digest| Some(*digest) != left && is_there(digest)).ok_or(Reason::NothingToReturnTo)?;
    named(digest, now.images)
}

fn swept(now: &Situation<'_>, wanted: Option<Choice>) -> Result<Choice, Reason> {
    let wanted = wanted.ok_or(Reason::NoImage)?;
    let digest = wanted.digest.clone();
    if now.record.passed_over.as_ref() == Some(&digest) {
        return Err(Reason::PassedOver { digest });
    }
    // With the bucket, rejections are lost: what was pushed before it may have been one.
    let old = now.images.iter().any(|image| image.digest == digest && image.at < now.records_since);
    if old && now.running.digest.is_some() && now.record.lease.is_none() {
        return Err(Reason::Forgotten { digest });
    }
    Ok(wanted)
}

/// The image that the policy wants, where a person chose another one: the sweep leaves it alone from then on.
#[must_use]
pub fn passed_over(cause: Cause, now: &Situation<'_>, choice: &Choice) -> Option<String> {
    let wanted = cause.is_person().then(|| policy::wanted(now.policy, now.images)).flatten()?;
    (wanted.image.digest != choice.digest).then(|| wanted.image.digest.clone())
}

/// What follows for the image that was chosen. `entry` is what the ledger says of it.
#[must_use]
pub fn decide(asked: &Asked<'_>, now: &Situation<'_>, choice: Result<Choice, Reason>, entry: &Entry) -> Decision {
    let cause = asked.cause;
    if let Some(suspended) = &now.record.suspended
        && !cause.is_person()
        && cause != Cause::Configuration
    {
        return Decision::Ignore(Reason::Suspended { reason: suspended.reason.clone() });
    }
    let choice = match choice {
        Ok(choice) => choice,
        Err(reason) => return ignore(reason, now, cause),
    };
    let digest = || choice.digest.clone();
    if let Some(rejected) = entry.rejected.as_ref().filter(|_| !cause.is_person()) {
        return ignore(Reason::Rejected { digest: digest(), reason: rejected.reason.clone() }, now, cause);
    }
    if now.record.lease.is_none() {
        let stays = now.running.digest.as_ref() == Some(&choice.digest);
        if cause == Cause::Secret && stays && asked.since.is_some_and(|since| since < now.running.registered) {
            return Decision::Ignore(Reason::KnownAlready);
        }
        let runs = runs(&choice, now) && !untried(&choice, entry, now);
        if runs && cause != Cause::Secret && (cause != Cause::Configuration || now.running.same_settings) {
            return Decision::Ignore(Reason::AlreadyRunning { digest: digest() });
        }
    }
    match claim(now.record, now.execution, &choice.digest, cause, now.holder) {
        Claim::Free | Claim::TakeOver => Decision::Release(choice),
        Claim::Busy(by) => Decision::Wait(by),
        Claim::Claimed(by) => Decision::Ignore(Reason::Claimed { by }),
    }
}

/// Whether the service runs this image for good: it has tasks of it, or a person scaled down what was verified.
fn runs(choice: &Choice, now: &Situation<'_>) -> bool {
    // A first image that failed has no tasks either, and may come up another time; who scaled a service to zero wants none.
    let is_known = !now.record.verified.is_empty();
    now.running.digest.as_ref() == Some(&choice.digest) && (now.running.desired > 0 || is_known)
}

/// Whether the service has got tasks since this image came to it, when it had none: nobody has seen it serve, and nobody would
/// take it back.
#[must_use]
pub fn untried(choice: &Choice, entry: &Entry, now: &Situation<'_>) -> bool {
    let runs = now.running.digest.as_ref() == Some(&choice.digest) && now.running.desired > 0;
    runs && entry.is_unverified()
}

/// Whether a rollout died and left the service with what nobody has verified.
fn left_behind(now: &Situation<'_>) -> bool {
    now.holder != Liveness::Running && now.record.lease.as_ref().is_some_and(|lease| lease.execution != now.execution)
}

/// Nothing is released; what a dead rollout left half done is taken back all the same.
fn ignore(reason: Reason, now: &Situation<'_>, cause: Cause) -> Decision {
    let finishes = matches!(cause, Cause::Sweep | Cause::Configuration);
    let Some(lease) = now.record.lease.as_ref().filter(|_| left_behind(now) && finishes) else {
        return Decision::Ignore(reason);
    };
    if now.holder == Liveness::EndedLately && lease.phase.writes() {
        return Decision::Wait(format!("{}, which ended only just now", lease.execution));
    }
    Decision::Return
}
