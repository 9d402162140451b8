//! A refresh on its own: what it does with a group whose instances come and go as told.

use std::collections::BTreeMap;

use super::group::Group;
use super::instance::{Instance, Template};
use super::refresh::{Preferences, Refresh, Status};
use crate::clock::Clock;

const CLOCK: fn() -> Clock = || Clock::new(1.0);

fn template(version: &str) -> Template {
    Template { id: "lt-1".into(), name: "t".into(), version: version.into() }
}

/// An instance that has been in service for long.
fn instance(number: usize, version: &str) -> Instance {
    let then = CLOCK().now() - 5000.0 + number as f64;
    Instance {
        id: format!("i-{number}"),
        group_arn: "arn".into(),
        zone: "a".into(),
        subnet: "s".into(),
        kind: "t4g.small".into(),
        image: "ami".into(),
        cluster: None,
        template: template(version),
        protected: false,
        launched: then,
        in_service: then,
        joined: then,
        draining: false,
        gone: None,
    }
}

/// A group of version 2 with instances of these versions, whose refresh has begun a while ago.
fn group(desired: u32, versions: &[&str], min: u32, max: Option<u32>) -> Group {
    let started = CLOCK().now() - 1000.0;
    Group {
        name: "g".into(),
        arn: "arn".into(),
        min: 0,
        activities: Vec::new(),
        max: desired,
        desired,
        template: template("2"),
        subnets: Vec::new(),
        termination_policies: Vec::new(),
        target_groups: Vec::new(),
        protect_new: false,
        plain: BTreeMap::new(),
        tags: BTreeMap::new(),
        instances: versions.iter().enumerate().map(|(number, version)| instance(number, version)).collect(),
        created: 0.0,
        deleting: false,
        drains: false,
        refreshes: vec![Refresh {
            id: "r".into(),
            status: Status::Pending,
            reason: String::new(),
            started,
            ended: None,
            preferences: Preferences { min, max, warmup: 100 },
            matching: Some(template("2")),
            total: versions.iter().filter(|version| **version != "2").count(),
            remaining: versions.len(),
            progress: started,
            retry: started,
        }],
    }
}

/// Carries one round out: what is to go is gone, and what is started is in service since so many seconds.
fn round(group: &mut Group, since: f64) -> (usize, usize) {
    let Some(moves) = group.moves(CLOCK()) else { return (0, 0) };
    group.instances.retain(|instance| !moves.end.contains(&instance.id));
    for _ in 0..moves.launch {
        let mut new = instance(100 + group.instances.len(), "2");
        (new.launched, new.in_service) = (CLOCK().now() - 500.0, CLOCK().now() - since);
        group.instances.push(new);
    }
    group.note(&moves, moves.launch, CLOCK());
    (moves.end.len(), moves.launch)
}

fn status(group: &Group) -> Status {
    group.refreshes[0].status
}

#[test]
fn one_comes_before_one_goes_though_the_group_is_at_its_largest() {
    let mut group = group(3, &["1", "1", "1"], 100, Some(110));
    let mut sizes = Vec::new();
    while group.refresh().is_some() {
        let (ended, launched) = round(&mut group, 200.0);
        sizes.push((ended, launched, group.staying()));
        assert!(group.staying() >= 3 && sizes.len() < 10, "{sizes:?}");
    }
    assert_eq!(sizes, [(0, 1, 4), (1, 1, 4), (1, 1, 4), (1, 0, 3), (0, 0, 3)]);
    assert_eq!((status(&group), group.refreshes[0].percent()), (Status::Successful, 100));
}

#[test]
fn an_instance_goes_only_when_the_new_one_is_warm() {
    let mut group = group(1, &["1"], 100, Some(200));
    assert_eq!(round(&mut group, 50.0), (0, 1));
    assert_eq!((round(&mut group, 0.0), group.staying(), status(&group)), ((0, 0), 2, Status::InProgress));
    group.instances[1].in_service -= 100.0;
    assert_eq!(round(&mut group, 0.0), (1, 0));
}

#[test]
fn a_larger_range_replaces_more_at_a_time() {
    let mut group = group(4, &["1"; 4], 100, Some(200));
    assert_eq!(round(&mut group, 200.0), (0, 4));
    assert_eq!(round(&mut group, 200.0), (4, 0));
}

#[test]
fn what_matches_is_skipped_and_counted_by_nobody() {
    let mut group = group(2, &["2", "2"], 100, Some(110));
    assert_eq!((round(&mut group, 0.0), status(&group)), ((0, 0), Status::Successful));
}

#[test]
fn without_a_maximum_one_goes_as_its_replacement_comes() {
    let mut group = group(2, &["1", "1"], 90, None);
    assert_eq!((round(&mut group, 50.0), group.staying()), ((1, 1), 2));
    assert_eq!(round(&mut group, 50.0), (0, 0), "the new one is not warm yet");
    group.instances[1].in_service -= 100.0;
    assert_eq!((round(&mut group, 200.0), group.staying()), ((1, 1), 2), "the last is replaced as the others are");
    round(&mut group, 0.0);
    assert_eq!(status(&group), Status::Successful);
}

#[test]
fn it_is_not_over_while_tasks_still_leave_an_instance() {
    let mut group = group(1, &["2", "1"], 100, Some(110));
    group.drains = true;
    assert!(!group.send_off("i-1", CLOCK()), "its tasks come first");
    assert_eq!(group.moves(CLOCK()), None);
    group.instances.pop();
    round(&mut group, 0.0);
    assert_eq!(status(&group), Status::Successful);
}

#[test]
fn without_progress_for_an_hour_it_fails() {
    let mut group = group(1, &["1"], 100, Some(110));
    group.refreshes[0].status = Status::InProgress;
    group.refreshes[0].progress -= 3600.0;
    group.refreshes[0].retry += 5000.0;
    round(&mut group, 0.0);
    assert_eq!(status(&group), Status::Failed);
    assert!(group.refreshes[0].ended.is_some() && !group.refreshes[0].reason.is_empty());
}
