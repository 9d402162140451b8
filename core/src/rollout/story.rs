//! How a rollout ended, as a sentence.

use super::image;
use super::ledger::Verdict;
use super::record::Lease;
use super::run::{Rollout, Settlement};
use super::trigger::Cause;
use crate::layer::service::short;
use crate::verdict::{Status, Verification};

/// What was wrong, and what became of the service; for a success what is worth knowing, which may be nothing.
#[must_use]
pub fn story(ended: &Settlement) -> String {
    let why = why(ended);
    match ended.verdict {
        Verdict::Succeeded => warning(ended.verification.as_ref()),
        Verdict::Superseded => match &ended.left {
            Some(why) => why.clone(),
            None => format!("a newer rollout of service {} took over", ended.rollout.service),
        },
        Verdict::Refused => format!("{} was not released: {why}", subject(&ended.rollout)),
        Verdict::Unverified => {
            format!(
                "{} was given to it, and nothing was verified: the service is scaled to zero",
                subject(&ended.rollout)
            )
        }
        // The image may well be good.
        Verdict::RolledBack if nobody_saw(ended) => {
            format!(
                "the rollout of {} died, and nobody verified what it released; {}{}",
                subject(&ended.rollout),
                back(ended),
                lost(ended)
            )
        }
        Verdict::RolledBack => {
            let what = if is_untouched(ended) { "could not be released" } else { "does not serve" };
            format!("{} {what}: {why}; {}{}", subject(&ended.rollout), back(ended), lost(ended))
        }
    }
}

/// Why nobody goes on with a rollout, and what a person can do.
#[must_use]
pub fn abandoned(platform: &str, service: &str, lease: &Lease) -> String {
    let name = lease.execution.rsplit(':').next().unwrap_or(&lease.execution);
    format!(
        "rollout {name} of image {} of service {service} ended without saying how, and so did the one before it: it is given up. \
         See why in that execution, and begin anew with `skydeck rollout {service} --platform {platform}`",
        image::name(&lease.digest, None)
    )
}

/// What was rolled out, and where.
fn subject(rollout: &Rollout) -> String {
    format!("image {} of service {}", image::name(&rollout.digest, rollout.tag.as_deref()), rollout.service)
}

fn why(ended: &Settlement) -> String {
    let seen = ended.verification.as_ref().map(|seen| seen.summary.as_str()).filter(|summary| !summary.is_empty());
    match (&ended.error, seen) {
        (Some(trouble), _) => trouble.message(),
        (None, Some(summary)) => {
            summary.strip_prefix(&format!("service {}: ", ended.rollout.service)).unwrap_or(summary).into()
        }
        (None, None) => "nobody verified what was released".into(),
    }
}

/// Whether it took back what a dead rollout had released.
fn nobody_saw(ended: &Settlement) -> bool {
    ended.rollout.returns && ended.verification.is_none() && ended.error.is_none()
}

/// Whether the service was never given anything, so that there was nothing to take back.
fn is_untouched(ended: &Settlement) -> bool {
    ended.returned.as_ref().is_some_and(|returned| returned.untouched)
}

fn back(ended: &Settlement) -> String {
    if is_untouched(ended) {
        return "the service was not touched".into();
    }
    let target = ended.returned.as_ref().map(|returned| returned.definition.as_deref());
    let serves = |seen: &Verification| seen.status == Status::Serving;
    let is_empty = |seen: &Verification| seen.status == Status::NoTasks;
    match (target, &ended.returning) {
        (None, _) => "the service could not be rolled back, and is left as it is".into(),
        (Some(None), _) => "there was nothing to return to, so that the service has no tasks now".into(),
        (Some(Some(arn)), Some(seen)) if is_empty(seen) => {
            format!("it was rolled back to {}, which has no tasks: the service is scaled to zero", short(arn))
        }
        (Some(Some(arn)), Some(seen)) if !serves(seen) => {
            let summary =
                seen.summary.strip_prefix(&format!("service {}: ", ended.rollout.service)).unwrap_or(&seen.summary);
            format!("it was rolled back to {}, which does not serve either: {summary}", short(arn))
        }
        (Some(Some(arn)), Some(_)) => format!("it was rolled back to {}, which serves", short(arn)),
        (Some(Some(arn)), None) => {
            format!("it was rolled back to {}, and nobody could see whether that serves", short(arn))
        }
    }
}

/// What a rollback cannot undo.
fn lost(ended: &Settlement) -> &'static str {
    if ended.rollout.cause == Cause::Secret { ". A parameter's old value is not brought back by that" } else { "" }
}

/// Checks that did not count.
fn warning(seen: Option<&Verification>) -> String {
    let told =
        seen.into_iter().flat_map(|seen| &seen.checks).filter(|check| check.evidence.ends_with("before this rollout"));
    told.map(|check| check.evidence.clone()).collect::<Vec<_>>().join("; ")
}
