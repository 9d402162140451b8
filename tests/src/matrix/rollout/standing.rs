//! What a rollout leaves, and what it should.

use std::collections::BTreeMap;

use skydeck_core::rollout::ledger::{Past, Verdict};
use skydeck_core::rollout::trigger::Cause;

use super::case::{Function, Kind, Moment};
use super::field::{KEPT, SERVICE, TASKS};
use super::play::{Begun, Ended, Play};
use crate::matrix::case::Case;
use crate::matrix::picture::Difference;

/// What has to become of a rollout.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The image that it is about.
    pub(super) digest: String,
    /// How it has to end.
    pub(super) verdict: Verdict,
    /// The image that serves then.
    pub(super) serves: String,
    /// Whether a person asks for it.
    pub(super) by_person: bool,
    /// The one that is rejected by it.
    pub(super) rejected: Option<String>,
}

impl Play {
    /// How what was left differs from what should be.
    pub(super) async fn compare(&self, begun: &Begun, ended: &Ended, case: Option<&Case<Moment>>) -> Difference {
        let mut difference = Difference::default();
        self.compare_service(&begun.wanted, &mut difference).await;
        self.compare_records(&begun.wanted, &mut difference).await;
        let is_settled = case.is_none_or(|case| case.at.function != Function::Settle);
        self.compare_revisions(is_settled && ended.pasts.iter().all(|past| past.notes.is_empty()), &mut difference)
            .await;
        self.compare_verdicts(begun, ended, is_settled, &mut difference);
        if case.is_none() {
            difference.settings.extend(ended.failures.iter().filter(|failure| !failure.contains("ABORTED")).cloned());
        }
        difference
    }

    /// The service runs what it should, as often as it should.
    async fn compare_service(&self, wanted: &Wanted, difference: &mut Difference) {
        let (definition, desired) = self.field.wants(SERVICE).await;
        let pins = self.field.pins(&definition).await;
        if pins.as_ref() != Some(&wanted.serves) {
            difference.settings.push(format!("the service has {pins:?}, not {}", wanted.serves));
        }
        if desired != TASKS {
            difference.settings.push(format!("the service wants {desired} tasks, not {TASKS}"));
        }
        let (serving, running) = (self.field.stage.serving(SERVICE).await, self.field.running().await);
        if serving.as_ref() != Some(&wanted.serves) || i32::try_from(running) != Ok(TASKS) {
            difference.settings.push(format!("{running} tasks of {serving:?} run, not of {}", wanted.serves));
        }
    }

    /// Nobody holds the lease, what serves is what was verified last, and the right image is rejected.
    async fn compare_records(&self, wanted: &Wanted, difference: &mut Difference) {
        let record = self.field.record().await;
        difference.orphans.extend(record.lease.iter().map(|lease| format!("{lease:?}")));
        difference.orphans.extend(record.untold.iter().map(|untold| format!("{untold:?}")));
        let verified = record.verified.first().map(|verified| &verified.digest);
        if verified != Some(&wanted.serves) {
            difference.settings.push(format!("{verified:?} was verified last, not {}", wanted.serves));
        }
        for digest in [&wanted.digest, &wanted.serves].into_iter().chain(&wanted.rejected) {
            let (is, should) = (self.field.entry(digest).await.rejected, wanted.rejected.as_ref() == Some(digest));
            if is.is_some() != should {
                difference.settings.push(format!("whether {digest} is rejected should be {should}: {is:?}"));
            }
        }
    }

    /// Active revisions are those that the platform file keeps, and those that are needed. Where tidying was struck itself, the
    /// next rollout does it.
    async fn compare_revisions(&self, is_tidy: bool, difference: &mut Difference) {
        let (active, record) = (self.field.active().await, self.field.record().await);
        let kept = record.kept();
        let needed = |arn: &String| {
            record.verified.iter().any(|known| known.definition == *arn && kept.contains(&known.digest.as_str()))
        };
        let surplus: Vec<&String> = active.iter().skip(KEPT).filter(|arn| !needed(arn)).collect();
        if is_tidy {
            difference.orphans.extend(surplus.into_iter().map(|arn| format!("active {arn}")));
        }
    }

    /// One verdict, and it is told once. Of what has died twice it is told that nobody goes on, until a person does. What a person has asked for, and died, the sweep may have taken back before the person
    /// asked again. An attempt of `Settle` whose answer was lost may have told it already.
    fn compare_verdicts(&self, begun: &Begun, ended: &Ended, is_settled: bool, difference: &mut Difference) {
        let wanted = begun.wanted.verdict;
        let taken_back =
            |past: &Past| begun.wanted.by_person && past.cause == Cause::Sweep && past.verdict == Verdict::RolledBack;
        let returns: Vec<&Past> = ended.pasts.iter().filter(|past| taken_back(past)).collect();
        let others = ended.pasts.iter().filter(|past| !taken_back(past));
        let (right, wrong): (Vec<_>, Vec<_>) = others.partition(|past| past.verdict == wanted);
        let words = |verdict: Verdict| verdict.words().to_owned();
        difference
            .settings
            .extend(wrong.iter().map(|past| format!("verdict: {} ({})", words(past.verdict), past.reason)));
        difference.duplicates.extend(right.iter().skip(1).map(|past| format!("verdict: {}", words(past.verdict))));
        let mut told: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut expected = vec!["Rollout Started", "Rollout Superseded"];
        expected.extend((begun.kind == Kind::Death).then_some("Rollout Given Up"));
        let events = self.field.stage.rig.sandbox.events_since(begun.event).into_iter().map(|event| event.envelope);
        for event in events.filter(|event| event.source == "skydeck" && event.detail["service"] == SERVICE) {
            if !expected.contains(&&*event.detail_type) {
                let of = format!("{} by {}", event.detail["digest"], event.detail["execution"]);
                *told.entry((event.detail_type, of)).or_default() += 1;
            }
        }
        let kind = if wanted == Verdict::Succeeded { "Rollout Succeeded" } else { "Rollout Rolled Back" };
        let is_right = |kind_of: &str, of: &str| kind_of == kind && of.contains(&begun.wanted.digest);
        for ((kind_of, of), times) in &told {
            if returns.iter().any(|past| of.contains(&past.execution)) {
                continue;
            }
            if !is_right(kind_of, of) {
                difference.settings.push(format!("told: {kind_of} of {of}"));
            } else if *times > 1 && is_settled {
                difference.duplicates.push(format!("told {times} times: {kind_of} of {of}"));
            }
        }
        let count = told.keys().filter(|(kind_of, of)| is_right(kind_of, of)).count();
        if count == 0 {
            difference.missing.push(format!("nobody was told: {kind} of {}", begun.wanted.digest));
        } else if count > 1 {
            difference.duplicates.push(format!("{count} executions told: {kind}"));
        }
    }
}
