//! What is released, and where a rollback goes.

use proptest::prelude::*;
use skydeck_core::layer::registry::KEEP_PREFIX;
use skydeck_core::rollout::decide::Running;
use skydeck_core::rollout::image::is_own;
use skydeck_core::rollout::record::{Phase, Record};
use skydeck_core::rollout::release::{deletable, expendable, keep_tag, way_back};
use skydeck_core::rollout::trigger::Cause;

use crate::claims::verified;

#[test]
fn a_rollback_goes_to_what_was_verified_last_then_to_what_ran_before() {
    let found = Some(verified("found", 1));
    let record = Record::default().taken("me", "new", Cause::Push, found.clone(), None);
    let looking = record.moved("me", Phase::Verifying, Some("arn:task/2")).unwrap();
    assert_eq!(way_back(&looking, Some("arn:task/2"), &[]), found);
    let proven = Record { verified: vec![verified("b", 4), verified("a", 3)], ..looking };
    assert_eq!(way_back(&proven, Some("arn:task/2"), &[]), Some(verified("b", 4)));
    assert_eq!(
        way_back(&proven, Some("arn:task/4"), &[]),
        Some(verified("a", 3)),
        "not to what did not serve just now"
    );
    assert_eq!(way_back(&proven, None, &[]), Some(verified("b", 4)));
    let gone = |digests: &[&str]| digests.iter().map(|digest| (*digest).to_owned()).collect::<Vec<_>>();
    assert_eq!(way_back(&proven, None, &gone(&["b"])), Some(verified("a", 3)), "not to an image that is gone");
    assert_eq!(way_back(&proven, None, &gone(&["a", "b", "found"])), Some(verified("b", 4)), "its tasks may run on");
    assert_eq!(way_back(&Record::default(), Some("arn:task/2"), &[]), None);
}

#[test]
fn only_what_has_tasks_of_an_image_serves() {
    let running =
        |digest: Option<&str>, desired| Running { digest: digest.map(Into::into), desired, ..Running::default() };
    assert!(running(Some("a"), 1).serves());
    assert!(!running(Some("a"), 0).serves() && !running(None, 1).serves());
}

#[test]
fn a_keep_tag_is_skydecks_own_and_of_one_image() {
    let tag = keep_tag("sha256:7f5b2640fe6fb4f46592dfd3410c4a79");
    assert_eq!(tag, "skydeck-keep-7f5b2640fe6f");
    assert!(is_own(&tag) && tag.starts_with(KEEP_PREFIX));
}

#[test]
fn the_newest_revisions_and_those_that_are_needed_stay() {
    let active: Vec<String> = (1..=5).rev().map(|revision| format!("r{revision}")).collect();
    assert_eq!(expendable(&active, 2, &["r2"]), ["r3", "r1"]);
    assert!(expendable(&active, 5, &[]).is_empty() && expendable(&[], 0, &[]).is_empty());
    assert_eq!(expendable(&active, 0, &[]).len(), 5);
}

#[test]
fn a_deregistered_revision_is_deleted_unless_somebody_may_go_back_to_it() {
    let inactive: Vec<String> = (1..=6).rev().map(|revision| format!("arn:task/{revision}")).collect();
    let record = Record { verified: vec![verified("a", 6), verified("b", 4)], ..Record::default() };
    assert_eq!(deletable(&inactive, &record, &["arn:task/2"]), ["arn:task/5", "arn:task/3", "arn:task/1"]);
    let at_work = record.taken("me", "a", Cause::Push, None, None);
    let at_work = at_work.moved("me", Phase::Verifying, Some("arn:task/5")).unwrap();
    assert_eq!(deletable(&inactive, &at_work, &[]), ["arn:task/3", "arn:task/2", "arn:task/1"]);
}

proptest! {
    #[test]
    fn a_rollback_never_goes_to_what_it_leaves(revisions in prop::collection::vec(1..5u32, 0..5), released in 1..5u32) {
        let verified: Vec<_> = revisions.iter().map(|revision| verified("a", *revision)).collect();
        let record = Record { verified, ..Record::default() }.taken("me", "a", Cause::Push, None, None);
        let left = format!("arn:task/{released}");
        let back = way_back(&record, Some(&left), &[]);
        prop_assert!(back.as_ref().is_none_or(|back| back.definition != left));
        prop_assert_eq!(back.is_some(), revisions.iter().any(|revision| *revision != released));
    }

    #[test]
    fn what_is_needed_is_never_expendable(count in 0..9usize, keep in 0..9u32, needed in 0..9usize) {
        let active: Vec<String> = (0..count).map(|revision| revision.to_string()).collect();
        let needed = needed.to_string();
        let gone = expendable(&active, keep, &[&needed]);
        prop_assert!(!gone.contains(&needed));
        prop_assert!(active.iter().take(usize::try_from(keep).unwrap()).all(|kept| !gone.contains(kept)));
    }
}
