//! What a pipeline that has pushed an image wants to know: how its rollout ended, or whether one is to be waited for.

use super::content::Content;
use super::decide::{Choice, Reason};
use super::image::{self, Pushed};
use super::ledger::{Entry, Verdict};
use super::policy;
use super::record::{Lease, Record};
use crate::spec::ImagePolicy;

/// What is known of an image of a service.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The image's digest.
    pub digest: &'a str,
    /// The service's record.
    pub record: &'a Record,
    /// The image's entry in the ledger.
    pub entry: &'a Entry,
    /// Executions that the ledger knew when the wait began: of an earlier push of the same image. By name and not by time,
    /// since the clock here is not the functions'.
    pub before: &'a [String],
}

/// Where the image's rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It has ended so, for this reason.
    Ended(Verdict, String),
    /// It goes on.
    Going(Lease),
    /// Nothing is known of one yet: the push's event may still be on its way.
    Open,
}

/// Where the rollout is, by what skydeck remembers.
#[must_use]
pub fn progress(known: &Known<'_>) -> Progress {
    let Known { digest, record, entry, before } = *known;
    let rejected = entry.rejected.clone();
    let new = entry.rollouts.first().filter(|past| !before.contains(&past.execution));
    let lease = record.lease.as_ref().filter(|lease| lease.digest == digest);
    match (new, lease, rejected) {
        (Some(past), ..) if past.verdict == Verdict::Succeeded => Progress::Ended(past.verdict, past.reason.clone()),
        // Another attempt at the same image: by a person, or by the sweep.
        (_, Some(lease), _) => Progress::Going(lease.clone()),
        (Some(past), ..) => Progress::Ended(past.verdict, past.reason.clone()),
        (None, None, Some(rejected)) => Progress::Ended(Verdict::RolledBack, rejected.reason),
        (None, None, None) if record.verified.first().is_some_and(|verified| verified.digest == digest) => {
            Progress::Ended(Verdict::Succeeded, "it runs, and was verified already".into())
        }
        (None, None, None) => Progress::Open,
    }
}

/// How the rollout ended where none has begun for so long that the push's event should have come: as the one before the wait
/// did, or with another image taking its place before it was its turn. `choice` is what a push of it would mean now.
#[must_use]
pub fn ended_before(known: &Known<'_>, choice: &Result<Choice, Reason>) -> Option<(Verdict, String)> {
    let past = known.entry.rollouts.first().filter(|past| past.verdict != Verdict::Succeeded);
    match (past, choice) {
        (Some(past), _) => Some((past.verdict, past.reason.clone())),
        (None, Err(reason @ (Reason::NotWanted { .. } | Reason::PassedOver { .. }))) => {
            Some((Verdict::Superseded, reason.to_string()))
        }
        (None, _) => None,
    }
}

/// Why a push of this becomes no rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Because of what it is.
    Never(String),
    /// Because of the tags that it has so far.
    Tags(String),
}

/// Why what lies in the repository becomes no rollout; `None` where it may. `index` is a tagged index that lists it.
#[must_use]
pub fn obstacle(image: &Pushed, index: Option<&Pushed>, content: &Content, policy: &ImagePolicy) -> Option<Obstacle> {
    if content.has(&image.digest) && !content.is_image(&image.digest) {
        return Some(Obstacle::Never("it is not a container image, and is not rolled out".into()));
    }
    let tags: Vec<&str> = image.tags.iter().map(String::as_str).filter(|tag| !image::is_own(tag)).collect();
    match index {
        _ if tags.iter().any(|tag| policy::admits(policy, tag)) => None,
        Some(index) if tags.is_empty() => {
            let (tag, digest) = (index.tags.first().map_or("", String::as_str), &index.digest);
            Some(Obstacle::Never(format!(
                "it is only a part of the index {digest} ({tag}), which is what is rolled out"
            )))
        }
        _ if tags.is_empty() => Some(Obstacle::Tags("it has no tag, and is not rolled out without one".into())),
        _ => {
            let tags = tags.join(", ");
            Some(Obstacle::Tags(format!("its tags ({tags}) are outside the service's policy ({policy})")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::ledger::{Past, Rejection};
    use crate::rollout::record::{Phase, Verified};
    use crate::rollout::trigger::Cause;

    const DIGEST: &str = "sha256:aa";

    fn past(execution: &str, verdict: Verdict) -> Past {
        Past {
            execution: execution.into(),
            cause: Cause::Push,
            tag: None,
            definition: None,
            began: 1,
            ended: 2,
            verdict,
            reason: format!("reason of {execution}"),
            checks: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn entry(rollouts: Vec<Past>) -> Entry {
        Entry { digest: DIGEST.into(), rejected: None, rollouts }
    }

    fn rejected() -> Entry {
        let rejected = Rejection { at: 1, execution: "old".into(), reason: "it crashed".into() };
        Entry { rejected: Some(rejected), ..entry(vec![past("old", Verdict::RolledBack)]) }
    }

    fn leased(digest: &str) -> Record {
        let lease = Lease {
            execution: "now".into(),
            digest: digest.into(),
            cause: Cause::Push,
            phase: Phase::Verifying,
            released: None,
            before: None,
            placed: None,
            deaths: 0,
            told: false,
        };
        Record { lease: Some(lease), ..Record::default() }
    }

    fn serving(digest: &str) -> Record {
        let verified = Verified { definition: "movie:1".into(), digest: digest.into() };
        Record { verified: vec![verified], ..Record::default() }
    }

    fn at(record: &Record, entry: &Entry) -> Progress {
        progress(&Known { digest: DIGEST, record, entry, before: &["old".into()] })
    }

    fn ends(progress: &Progress) -> Option<Verdict> {
        if let Progress::Ended(verdict, _) = progress { Some(*verdict) } else { None }
    }

    #[test]
    fn a_rollout_that_ends_after_the_wait_began_decides() {
        for verdict in [Verdict::Succeeded, Verdict::RolledBack, Verdict::Superseded, Verdict::Refused] {
            let known = entry(vec![past("new", verdict), past("old", Verdict::Succeeded)]);
            assert_eq!(at(&serving("sha256:bb"), &known), Progress::Ended(verdict, "reason of new".into()));
        }
    }

    #[test]
    fn an_earlier_rollout_of_the_same_image_does_not_pass_for_this_one() {
        for verdict in [Verdict::Succeeded, Verdict::RolledBack, Verdict::Superseded, Verdict::Refused] {
            assert_eq!(at(&serving("sha256:bb"), &entry(vec![past("old", verdict)])), Progress::Open, "{verdict:?}");
        }
    }

    #[test]
    fn what_serves_already_is_a_success_and_what_was_rejected_a_rollback() {
        assert_eq!(ends(&at(&serving(DIGEST), &entry(Vec::new()))), Some(Verdict::Succeeded));
        assert_eq!(at(&serving(DIGEST), &rejected()), Progress::Ended(Verdict::RolledBack, "it crashed".into()));
        assert_eq!(at(&Record::default(), &entry(Vec::new())), Progress::Open);
    }

    #[test]
    fn a_rollout_that_goes_on_is_waited_for_whatever_was_before_it() {
        let again = entry(vec![past("new", Verdict::RolledBack)]);
        for known in [&rejected(), &again, &entry(Vec::new())] {
            assert!(matches!(at(&leased(DIGEST), known), Progress::Going(lease) if lease.execution == "now"));
        }
        assert_eq!(at(&leased("sha256:bb"), &entry(Vec::new())), Progress::Open, "that is another image's");
        let done = entry(vec![past("new", Verdict::Succeeded)]);
        assert_eq!(ends(&at(&leased(DIGEST), &done)), Some(Verdict::Succeeded), "its settings change by now");
    }

    #[test]
    fn when_no_event_comes_the_rollout_before_the_wait_or_the_image_in_its_place_is_told() {
        let (record, choice) = (Record::default(), Choice { digest: DIGEST.into(), tag: None });
        let late = |entry: &Entry, choice: &Result<Choice, Reason>| {
            ended_before(&Known { digest: DIGEST, record: &record, entry, before: &[] }, choice)
                .map(|(verdict, _)| verdict)
        };
        let wanted = Choice { digest: "sha256:bb".into(), tag: Some("v2".into()) };
        let other = Err(Reason::NotWanted { digest: DIGEST.into(), wanted });
        let passed = Err(Reason::PassedOver { digest: DIGEST.into() });
        let refused = entry(vec![past("old", Verdict::Refused)]);
        let once = entry(vec![past("old", Verdict::Succeeded)]);
        assert_eq!(late(&refused, &Ok(choice.clone())), Some(Verdict::Refused));
        assert_eq!(late(&entry(Vec::new()), &other), Some(Verdict::Superseded));
        assert_eq!(late(&once, &passed), Some(Verdict::Superseded));
        assert_eq!(late(&once, &Ok(choice.clone())), None, "an older image is promoted again");
        assert_eq!(late(&entry(Vec::new()), &Ok(choice)), None);
    }
}
