//! What a rollout releases, what it goes back to, and what it tidies up.

use jiff::Timestamp;

use super::decide::{Choice, Running};
use super::record::{Lease, Record, Verified};
use crate::layer::service::{Definition, task_definition};
use crate::plan::Refusal;
use crate::scope::{Scope, TAG_DIGEST, TAG_EXECUTION, TAG_PUSHED, TAG_TAG};
use crate::spec::Service;

/// Prefix of the tag that keeps an image from the repository's lifecycle rules.
const KEEP: &str = "skydeck-keep-";

/// The tag that keeps an image: of its own for each digest, since no tag may ever move in an immutable repository.
#[must_use]
pub fn keep_tag(digest: &str) -> String {
    let hex: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    format!("{KEEP}{hex}")
}

/// The task definition to register: everything as the platform file says, the image by its digest, and where it comes from.
///
/// # Errors
/// Where an earlier layer has not said what the definition needs.
pub fn definition(
    scope: &Scope,
    service: &str,
    choice: &Choice,
    pushed_at: Option<i64>,
    execution: &str,
) -> Result<Definition, Refusal> {
    let mut definition = task_definition(scope, service, &choice.digest)?;
    let pushed = pushed_at.and_then(|at| Timestamp::from_millisecond(at).ok()).map(|at| at.to_string());
    let tags = [
        (TAG_DIGEST, Some(choice.digest.clone())),
        (TAG_TAG, choice.tag.clone()),
        (TAG_PUSHED, pushed),
        (TAG_EXECUTION, Some(execution.to_owned())),
    ];
    definition.tags.extend(tags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    Ok(definition)
}

/// How many tasks to want: the file's number until something was verified, and from then on whatever the service has, since
/// a person or autoscaling may own it. `None` leaves it as it is.
#[must_use]
pub fn desired(service: &Service, record: &Record, running: &Running) -> Option<u32> {
    (record.verified.is_empty() && !running.serves()).then_some(service.desired)
}

/// What a rollback may go to, best first: what was verified, the last first, then what ran before. `released` is what did not
/// serve.
pub fn ways_back<'a>(record: &'a Record, released: Option<&'a str>) -> impl Iterator<Item = &'a Verified> {
    let before = record.lease.as_ref().and_then(|lease| lease.before.as_ref());
    record.verified.iter().chain(before).filter(move |known| Some(known.definition.as_str()) != released)
}

/// Where a rollback goes: to the best whose image is still there. Where all of these are `gone`, to the best: its tasks may run on.
/// `None` where there is nothing to go to.
#[must_use]
pub fn way_back(record: &Record, released: Option<&str>, gone: &[String]) -> Option<Verified> {
    let is_there = |known: &&Verified| !gone.contains(&known.digest);
    ways_back(record, released).find(is_there).or_else(|| ways_back(record, released).next()).cloned()
}

/// Revisions that are not needed any more. `active` is newest first; what runs or is remembered for a rollback is never among
/// them.
#[must_use]
pub fn expendable(active: &[String], keep: u32, needed: &[&str]) -> Vec<String> {
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    active.iter().skip(keep).filter(|arn| !needed.contains(&arn.as_str())).cloned().collect()
}

/// Deregistered revisions that nobody goes back to: all but those that were verified, which a rollback reads although they were
/// deregistered, and those that somebody works with.
#[must_use]
pub fn deletable(inactive: &[String], record: &Record, needed: &[&str]) -> Vec<String> {
    let lease = record.lease.iter();
    let held = lease.flat_map(|lease| lease.released.as_deref().into_iter().chain(before(lease)));
    let held: Vec<&str> = held
        .chain(record.verified.iter().map(|verified| verified.definition.as_str()))
        .chain(needed.iter().copied())
        .collect();
    inactive.iter().filter(|arn| !held.contains(&arn.as_str())).cloned().collect()
}

fn before(lease: &Lease) -> Option<&str> {
    lease.before.as_ref().map(|before| before.definition.as_str())
}
