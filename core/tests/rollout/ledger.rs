//! What is remembered of an image.

use skydeck_core::rollout::ledger::{Entry, KEPT, Keys, Past, Rejection, Untold, Verdict, bygone};
use skydeck_core::rollout::trigger::Cause;

fn past(execution: u32, verdict: Verdict) -> Past {
    Past {
        execution: execution.to_string(),
        cause: Cause::Push,
        tag: None,
        definition: None,
        began: 0,
        ended: 1,
        verdict,
        reason: String::new(),
        checks: Vec::new(),
        notes: Vec::new(),
    }
}

fn rejection(reason: &str) -> Rejection {
    Rejection { at: 1, execution: "one".into(), reason: reason.into() }
}

#[test]
fn the_newest_entries_stay_and_older_ones_as_long_as_their_images_do() {
    let entries: Vec<String> = (0..KEPT + 3).map(|number| number.to_string()).collect();
    let there = (KEPT + 1).to_string();
    assert_eq!(bygone(&entries, |entry| entry == there), [KEPT.to_string(), (KEPT + 2).to_string()]);
    assert!(bygone(&entries[..KEPT], |_| false).is_empty());
}

#[test]
fn a_rejection_stays_until_a_success() {
    let entry = Entry::default().rejecting("a", rejection("first"));
    assert_eq!(entry.digest, "a");
    let again = entry.rejecting("a", rejection("second"));
    assert_eq!(again.rejected.as_ref().unwrap().reason, "first", "what was found first stays");
    for verdict in [Verdict::RolledBack, Verdict::Superseded, Verdict::Refused] {
        assert!(again.with("a", past(1, verdict)).rejected.is_some(), "{}", verdict.words());
    }
    assert_eq!(again.with("a", past(1, Verdict::Succeeded)).rejected, None);
}

#[test]
fn rollouts_are_told_newest_first_each_once_and_not_for_ever() {
    let mut entry = Entry::default();
    for execution in 0..30 {
        entry = entry.with("a", past(execution, Verdict::Succeeded));
    }
    assert_eq!((entry.rollouts.len(), entry.rollouts[0].execution.as_str()), (20, "29"));
    let again = entry.with("a", past(25, Verdict::RolledBack));
    assert_eq!((again.rollouts.len(), again.rollouts[0].verdict), (20, Verdict::RolledBack));
    assert_eq!(again.rollouts.iter().filter(|known| known.execution == "25").count(), 1);
}

#[test]
fn an_entry_is_read_as_it_was_written() {
    let entry = Entry::default().rejecting("a", rejection("no")).with("a", past(1, Verdict::RolledBack));
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
}

#[test]
fn each_service_and_image_has_an_object_of_its_own() {
    let keys = Keys { platform: "skyfox-devprod", service: "backend" };
    assert_eq!(keys.record(), "platforms/skyfox-devprod/services/backend/record.json");
    assert_eq!(keys.entry("sha256:abc"), format!("{}abc.json", keys.ledger()));
    assert!(keys.ledger().starts_with("platforms/skyfox-devprod/services/backend/"));
}

#[test]
fn an_image_waits_that_was_refused_last_and_is_not_at_fault() {
    let refused = Entry::default().with("sha256:aa", past(1, Verdict::Refused));
    assert!(refused.waits());
    assert!(!refused.rejecting("sha256:aa", rejection("it is for amd64")).waits());
    assert!(!refused.with("sha256:aa", past(2, Verdict::Succeeded)).waits() && !Entry::default().waits());
}

#[test]
fn a_verdict_brings_its_rejection() {
    let untold = |rejects| Untold { digest: "a".into(), past: past(7, Verdict::Refused), rejects };
    let kept = Entry::default().concluded(&untold(false));
    assert_eq!((kept.rejected.is_none(), kept.rollout("7").is_some(), kept.rollout("8").is_none()), (true, true, true));
    let rejected = Entry::default().concluded(&untold(true)).rejected.unwrap();
    assert_eq!((rejected.at, rejected.execution.as_str()), (1, "7"));
}
