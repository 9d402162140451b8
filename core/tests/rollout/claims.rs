//! The record of a service and its lease.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use skydeck_core::layer::service::{Behind, Placement};
use skydeck_core::rollout::ledger::{Past, Untold, Verdict};
use skydeck_core::rollout::record::{Claim, Lease, Liveness, Phase, Record, Suspended, Verified, claim};
use skydeck_core::rollout::trigger::Cause;

pub(crate) const CAUSES: [Cause; 6] =
    [Cause::Push, Cause::Person, Cause::Rollback, Cause::Configuration, Cause::Secret, Cause::Sweep];
const PHASES: [Phase; 4] = [Phase::Releasing, Phase::Verifying, Phase::RollingBack, Phase::Returning];
const LIVES: [Liveness; 3] = [Liveness::Running, Liveness::EndedLately, Liveness::Gone];

pub(crate) fn verified(image: &str, revision: u32) -> Verified {
    Verified { definition: format!("arn:task/{revision}"), digest: image.into() }
}

/// A record whose lease is in somebody's hands.
pub(crate) fn held(digest: &str, phase: Phase) -> Record {
    let lease = Lease {
        placed: None,
        execution: "arn:aws:states:::execution:rollout:other".into(),
        digest: digest.into(),
        cause: Cause::Push,
        phase,
        released: None,
        before: None,
        deaths: 0,
        told: false,
    };
    Record { lease: Some(lease), ..Record::default() }
}

#[test]
fn what_a_newcomer_may_do() {
    use Liveness::{EndedLately, Gone, Running};
    use Phase::{Releasing, Returning, RollingBack, Verifying};
    let free = Claim::Free;
    assert_eq!(claim(&Record::default(), "me", "new", Cause::Push, Gone), free);
    let take = || Claim::TakeOver;
    let busy = || Claim::Busy("the rollout other".into());
    let late = || Claim::Busy("other, which ended only just now".into());
    let claimed = || Claim::Claimed("other".into());
    let table = [
        // A newer image relieves who only looks, and waits for who writes.
        ("new", Cause::Push, Verifying, Running, take()),
        ("new", Cause::Push, Returning, Running, take()),
        ("new", Cause::Push, Releasing, Running, busy()),
        ("new", Cause::Push, RollingBack, Running, busy()),
        ("new", Cause::Person, Verifying, Running, take()),
        ("new", Cause::Rollback, Verifying, Running, take()),
        // The same image is rolled out already.
        ("same", Cause::Push, Verifying, Running, claimed()),
        ("same", Cause::Push, Releasing, Running, claimed()),
        ("same", Cause::Person, Releasing, Running, claimed()),
        // The sweep has time.
        ("new", Cause::Sweep, Verifying, Running, claimed()),
        ("new", Cause::Sweep, Releasing, Running, claimed()),
        // Settings are no reason to break a rollout off, and are not done with it either.
        ("new", Cause::Configuration, Verifying, Running, busy()),
        ("same", Cause::Configuration, Verifying, Running, busy()),
        ("same", Cause::Secret, Releasing, Running, busy()),
        // Who died while it looked writes no more; who died while it wrote may still.
        ("same", Cause::Push, Verifying, EndedLately, take()),
        ("same", Cause::Push, Releasing, EndedLately, late()),
        ("new", Cause::Person, RollingBack, EndedLately, late()),
        ("new", Cause::Sweep, Releasing, EndedLately, late()),
        ("same", Cause::Sweep, RollingBack, Gone, take()),
        ("same", Cause::Configuration, Releasing, Gone, take()),
    ];
    for (digest, cause, phase, holder, wanted) in table {
        assert_eq!(
            claim(&held("same", phase), "me", digest, cause, holder),
            wanted,
            "{digest} {cause} {phase:?} {holder:?}"
        );
    }
}

#[test]
fn a_lease_is_taken_moved_and_given_back() {
    let record = Record { verified: vec![verified("old", 1)], ..Record::default() };
    let taken = record.taken("me", "new", Cause::Push, Some(verified("other", 7)), None);
    let lease = taken.lease.clone().unwrap();
    assert_eq!((lease.execution.as_str(), lease.digest.as_str(), lease.phase), ("me", "new", Phase::Releasing));
    assert_eq!(lease.before, Some(verified("old", 1)), "what was verified comes before what runs");
    assert_eq!(taken.turns, record.turns + 1);
    let looking = taken.moved("me", Phase::Verifying, Some("arn:task/2")).unwrap();
    let back = looking.moved("me", Phase::RollingBack, None).unwrap();
    assert_eq!(back.lease.as_ref().unwrap().released.as_deref(), Some("arn:task/2"), "it is not forgotten");
    assert_eq!(back.freed("me").unwrap(), Record { turns: 1, ..record });
    let done = looking.succeeded("me", verified("new", 2)).unwrap();
    assert_eq!((done.lease, done.verified), (None, vec![verified("new", 2), verified("old", 1)]));
}

#[test]
fn where_nothing_was_verified_a_rollback_returns_to_what_ran() {
    let taken = Record::default().taken("me", "new", Cause::Push, Some(verified("found", 1)), None);
    assert_eq!(taken.lease.unwrap().before, Some(verified("found", 1)));
}

#[test]
fn who_takes_over_returns_to_what_the_one_before_would_have() {
    let first = Record::default().taken("one", "new", Cause::Push, Some(verified("found", 1)), None);
    let second = first.taken("two", "newer", Cause::Push, Some(verified("new", 2)), None);
    assert_eq!(second.lease.unwrap().before, Some(verified("found", 1)));
    let nothing = held("new", Phase::Verifying).taken("two", "newer", Cause::Push, Some(verified("new", 2)), None);
    assert_eq!(nothing.lease.unwrap().before, None, "what was never verified is no place to return to");
}

#[test]
fn a_rollback_places_the_service_as_it_was_before_the_first_unfinished_release() {
    let at = |port| {
        let behind = Behind { target_group: "arn:group".into(), container: "backend".into(), port };
        Placement { capacity: BTreeMap::new(), load_balancers: [behind].into() }
    };
    let placed = |record: &Record| record.lease.as_ref().unwrap().placed.clone();
    let first = Record::default().taken("one", "a", Cause::Configuration, Some(verified("a", 1)), None);
    let first = first.placed(Some(&at(80)));
    assert_eq!(placed(&first), Some(at(80)));
    let second = first.taken("two", "b", Cause::Push, None, None).placed(Some(&at(81)));
    assert_eq!(placed(&second), Some(at(80)), "nobody has seen anything serve at the other port");
    assert_eq!(placed(&second.adopted("three").unwrap()), Some(at(80)));
    let done = second.succeeded("two", verified("b", 2)).unwrap().taken("four", "c", Cause::Push, None, None);
    assert_eq!(placed(&done.placed(None)), None, "a release that leaves the placement leaves it to its rollback too");
}

#[test]
fn whoever_finishes_what_died_takes_its_place() {
    let dead = held("new", Phase::Verifying);
    let adopted = dead.adopted("me").unwrap();
    let (old, new) = (dead.lease.unwrap(), adopted.lease.clone().unwrap());
    assert_eq!(new, Lease { execution: "me".into(), phase: Phase::RollingBack, deaths: 1, ..old });
    assert_eq!(Record::default().adopted("me"), None);
}

#[test]
fn what_ends_twice_without_saying_how_is_given_up() {
    let taken = |record: &Record, execution, digest, cause| record.taken(execution, digest, cause, None, None);
    let first = taken(&Record::default(), "one", "a", Cause::Push);
    assert_eq!(first.given_up("a"), None);
    let second = taken(&first, "two", "a", Cause::Sweep);
    let lease = second.given_up("a").unwrap().clone();
    assert_eq!(second.given_up("b"), None, "another image is another matter");
    assert!(second.told(&lease).unwrap().lease.unwrap().told);
    assert_eq!(first.told(&lease), None, "of that nobody was told");
    for (digest, cause) in [("a", Cause::Person), ("a", Cause::Configuration), ("b", Cause::Sweep)] {
        assert_eq!(taken(&second, "three", digest, cause).given_up(digest), None, "{cause} begins anew");
    }
    assert!(first.adopted("two").unwrap().given_up("a").is_some());
    let said = first.adopted("two").unwrap().unreturned("two").unwrap();
    assert_eq!(said.given_up("a"), None, "who says that it could not go back did not die");
    assert_eq!(said.unreturned("one"), None);
}

#[test]
fn a_revision_that_was_registered_anew_takes_the_place_of_the_old_one() {
    let record = Record { verified: vec![verified("b", 2), verified("a", 1)], ..Record::default() };
    let record = record.taken("me", "c", Cause::Push, None, None).renewed("arn:task/2", "arn:task/9");
    assert_eq!(record.verified, [verified("b", 9), verified("a", 1)]);
    assert_eq!(record.lease.unwrap().before, Some(verified("b", 9)));
}

#[test]
fn a_record_says_what_the_service_runs_where_nobody_writes() {
    let record = Record { verified: vec![verified("b", 2), verified("a", 1)], ..Record::default() };
    assert_eq!(record.stands(), Some("arn:task/2"));
    assert_eq!(Record::default().stands(), None);
    let taken = record.taken("me", "new", Cause::Push, None, None);
    assert_eq!(taken.stands(), None);
    let looking = taken.moved("me", Phase::Verifying, Some("arn:task/3")).unwrap();
    assert_eq!(looking.stands(), Some("arn:task/3"));
    for phase in [Phase::Releasing, Phase::RollingBack, Phase::Returning] {
        assert_eq!(looking.moved("me", phase, None).unwrap().stands(), None, "{phase:?}");
    }
}

#[test]
fn a_choice_passes_an_image_over_until_the_next_and_settings_choose_none() {
    let record = Record { passed_over: Some("wanted".into()), ..Record::default() };
    for cause in CAUSES {
        let taken = record.taken("me", "new", cause, None, Some("other".into()));
        let wanted = if cause.keeps_image() { "wanted" } else { "other" };
        assert_eq!(taken.passed_over.as_deref(), Some(wanted), "{cause}");
    }
    assert_eq!(record.taken("me", "new", Cause::Push, None, None).passed_over, None);
}

#[test]
fn one_rollback_after_the_other_goes_further_back() {
    let record = Record { verified: vec![verified("c", 3), verified("b", 2), verified("a", 1)], ..Record::default() };
    let once = record.taken("me", "b", Cause::Rollback, None, None).succeeded("me", verified("b", 4)).unwrap();
    let digests: Vec<&str> = once.verified.iter().map(|known| known.digest.as_str()).collect();
    assert_eq!(digests, ["b", "b", "a"]);
    let settings = record.taken("me", "c", Cause::Rollback, None, None).succeeded("me", verified("c", 4)).unwrap();
    assert_eq!(settings.verified.len(), 4, "what it went to is not what it left");
}

#[test]
fn what_serves_and_what_a_rollback_needs_are_kept() {
    let list = [verified("c", 5), verified("c", 4), verified("b", 3), verified("a", 2)];
    let record = Record { verified: list.to_vec(), ..Record::default() };
    assert_eq!(record.kept(), ["c", "b"]);
    assert!(Record::default().kept().is_empty());
}

#[test]
fn a_record_of_an_earlier_version_is_read() {
    let record: Record =
        serde_json::from_str(r#"{"verified": [{"definition": "arn:task/1", "digest": "a"}]}"#).unwrap();
    assert_eq!((record.turns, &record.lease, record.kept()), (0, &None, vec!["a"]));
}

fn any_record() -> impl Strategy<Value = Record> {
    let list = prop::collection::vec((select(vec!["a", "b", "c"]), 1..6u32), 0..12);
    let lease = prop::option::of((select(vec!["me", "other"]), select(vec!["a", "b"]), select(PHASES.to_vec())));
    (list, lease, 0..9u64).prop_map(|(list, lease, turns)| {
        let lease = lease.map(|(execution, digest, phase)| Lease {
            execution: execution.into(),
            ..held(digest, phase).lease.unwrap()
        });
        let verified = list.into_iter().map(|(digest, revision)| verified(digest, revision)).collect();
        Record { turns, lease, verified, ..Record::default() }
    })
}

proptest! {
    #[test]
    fn nobody_changes_a_record_whose_lease_is_anothers(record in any_record(), phase in select(PHASES.to_vec())) {
        let holds = record.holds("me");
        prop_assert_eq!(record.moved("me", phase, None).is_some(), holds);
        prop_assert_eq!(record.freed("me").is_some(), holds);
        prop_assert_eq!(record.succeeded("me", verified("a", 1)).is_some(), holds);
    }

    #[test]
    fn a_record_whose_lease_was_taken_never_was_before(record in any_record()) {
        let taken = record.taken("me", "a", Cause::Push, None, None);
        prop_assert!(taken.turns > record.turns);
        prop_assert!(taken.freed("me").unwrap() != record);
    }

    #[test]
    fn a_success_is_the_newest_of_few_that_differ(record in any_record(), revision in 1..6u32) {
        let done = record.taken("me", "a", Cause::Push, None, None).succeeded("me", verified("a", revision)).unwrap();
        prop_assert_eq!(&done.verified[0], &verified("a", revision));
        prop_assert!(done.verified.len() <= 10);
        let same = done.verified.iter().filter(|known| known.definition == done.verified[0].definition);
        prop_assert_eq!(same.count(), 1);
        prop_assert_eq!(done.kept()[0], "a");
    }

    #[test]
    fn nobody_relieves_who_may_be_writing(
        phase in select(PHASES.to_vec()),
        digest in select(vec!["same", "new"]),
        cause in select(CAUSES.to_vec()),
        holder in select(LIVES.to_vec()),
    ) {
        let said = claim(&held("same", phase), "me", digest, cause, holder);
        let may_write = phase.writes() && holder != Liveness::Gone;
        prop_assert!(!(may_write && said == Claim::TakeOver));
        // Whoever is not alive any more holds nobody up for good.
        prop_assert!(holder != Liveness::Gone || said == Claim::TakeOver);
    }

    #[test]
    fn ones_own_lease_is_free(record in any_record(), cause in select(CAUSES.to_vec()), holder in select(LIVES.to_vec())) {
        let own = record.taken("me", "a", cause, None, None);
        prop_assert_eq!(claim(&own, "me", "a", cause, holder), Claim::Free);
    }
}

#[test]
fn what_is_remembered_of_a_service_that_is_gone_counts_for_none_that_came_after_it() {
    let verified = Verified { definition: "movie:1".into(), digest: "sha256:aa".into() };
    let first = Record::default().of(Some("movie 1"));
    let suspended = Some(Suspended { at: 1, reason: "opening night".into() });
    let first = Record { verified: vec![verified], passed_over: Some("sha256:bb".into()), suspended, ..first };
    let first = first.taken("one", "sha256:aa", Cause::Push, None, None);
    assert_eq!(first.clone().of(Some("movie 1")), first);
    for other in [Some("movie 2"), None] {
        let found = first.clone().of(other);
        assert_eq!((&found.lease, &found.passed_over, found.verified.len()), (&None, &None, 0), "{other:?}");
        assert_eq!((found.turns, &found.suspended), (first.turns, &first.suspended), "{other:?}");
    }
    let unnamed = Record { service: None, ..first.clone() };
    assert_eq!(unnamed.of(Some("movie 1")), first, "it was written before that was remembered");
}

fn untold(execution: &str) -> Untold {
    let past = Past {
        execution: execution.into(),
        cause: Cause::Push,
        tag: None,
        definition: None,
        began: 0,
        ended: 1,
        verdict: Verdict::RolledBack,
        reason: "no".into(),
        checks: Vec::new(),
        notes: Vec::new(),
    };
    Untold { digest: "sha256:a".into(), past, rejects: false }
}

#[test]
fn a_verdict_waits_in_the_record_until_it_is_told() {
    let held = held("sha256:a", Phase::Verifying);
    let me = held.lease.clone().unwrap().execution;
    let record = held.freed(&me).unwrap().concluded(untold(&me)).concluded(untold("other"));
    assert_eq!(record.clone().concluded(untold(&me)).untold.len(), 2, "once each");
    // Neither the next rollout nor the next service of this name takes it away.
    let taken = record.taken("next", "sha256:b", Cause::Push, None, None);
    assert_eq!(taken.untold, record.untold);
    for service in [Some("new 2"), None] {
        assert_eq!(record.clone().of(service).untold, record.untold);
    }
    let said = record.said(&me).unwrap();
    assert_eq!(said.untold, [untold("other")]);
    assert_eq!(said.said(&me), None, "nothing is left to change");
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
}

#[test]
fn where_nobody_can_be_told_for_good_the_oldest_verdicts_go() {
    let record = (0..50).fold(Record::default(), |record, number| record.concluded(untold(&number.to_string())));
    assert_eq!(record.untold.len(), 20);
    assert!(record.untold_of("49").is_some() && record.untold_of("29").is_none());
}
