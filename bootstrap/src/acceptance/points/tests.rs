use std::collections::BTreeSet;

use serde_json::json;

use super::super::seen::{Associated, Pushed, Registered, Returned, Sample, Stopped, Task};
use super::*;

fn sample(status: &str, instances: usize, old: usize) -> Sample {
    Sample { status: status.into(), instances, old, largest: 1 }
}

fn refused(code: &str) -> Answer {
    Answer::Refused { code: code.into(), message: "no".into() }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

/// What a run sees where all is as assumed.
fn seen() -> Seen {
    Seen {
        push_rule: Some(json!({ "detail": { "image-tag": [{ "anything-but": { "wildcard": ["", "skydeck-*"] } }] } })),
        instance: Some(Registered { kind: "t4g.small".into(), cpu: 2048, memory: 1846 }),
        association: Some(Associated { had: "rtbassoc-1".into(), again: Answer::Took("rtbassoc-1".into()) }),
        configuration: Some(Answer::Took("an address".into())),
        image: Some(Pushed { first: 1.5, later: 1.5, tags: 2 }),
        again: Some(refused("ImageAlreadyExistsException")),
        rollouts_of_image: Some(1),
        task: Some(Task {
            pushed: "sha256:1".into(),
            child: "sha256:2".into(),
            told: "sha256:1".into(),
            tags: texts(&["aws:ecs:serviceName", "skydeck:platform"]),
        }),
        unsaid: Some("succeeded".into()),
        returned: Some(Returned { before: texts(&["a"]), after: texts(&["a", "b"]) }),
        lost: Some(Stopped { code: "TerminationNotice".into(), reason: "Host EC2 (instance i-1) terminated.".into() }),
        refresh: vec![sample("InProgress", 1, 1), sample("InProgress", 2, 1), sample("Successful", 1, 0)],
        cluster: Some("INACTIVE".into()),
        trouble: Vec::new(),
    }
}

fn judged(id: &str, seen: &Seen) -> Finding {
    POINTS.iter().find(|point| point.id == id).unwrap_or_else(|| panic!("there is no point {id}")).judge(seen)
}

#[test]
fn what_is_as_assumed_is_confirmed_and_nothing_is_where_nothing_was_seen() {
    for point in &POINTS {
        assert!(matches!(point.judge(&seen()), Finding::Confirmed(_)), "{}: {:?}", point.id, point.judge(&seen()));
        assert!(matches!(point.judge(&Seen::default()), Finding::NotSeen(_)), "{}", point.id);
    }
}

#[test]
fn what_is_not_as_assumed_is_contradicted_with_the_answer() {
    type Doctor = fn(&mut Seen);
    let doctors: [(&str, Doctor, &str); 17] = [
        ("F-ASG-8", |seen| seen.refresh = vec![sample("Successful", 1, 0)], "1 instances at once"),
        ("F-ASG-11", |seen| seen.refresh[2].old = 1, "1 of the instances before"),
        ("F-ASG-16", |seen| seen.instance.as_mut().unwrap().memory = 1800, "1800 MiB"),
        ("F-ECS-1", |seen| seen.cluster = Some("ACTIVE".into()), "ACTIVE"),
        ("F-EVENT-1", |seen| seen.rollouts_of_image = Some(2), "2 executions"),
        ("F-EVENT-11", |seen| seen.push_rule = Some(json!({ "detail": { "image-tag": ["v1"] } })), "v1"),
        ("F-IMAGE-12", |seen| seen.task.as_mut().unwrap().told = "sha256:3".into(), "sha256:3"),
        ("F-IMAGE-19", |seen| seen.configuration = Some(refused("LayersNotFoundException")), "LayersNotFoundException"),
        ("F-IMAGE-19", |seen| seen.unsaid = Some("rolled_back".into()), "rolled_back"),
        ("F-IMAGE-21", |seen| seen.image.as_mut().unwrap().later = 2.5, "2.5"),
        ("F-IMAGE-21", |seen| seen.image = Some(Pushed { first: 1.0, later: 1.0, tags: 2 }), "1 after the push"),
        ("F-IMAGE-7", |seen| seen.again = Some(Answer::Took("sha256:1".into())), "taken: sha256:1"),
        (
            "F-REFUSE-6",
            |seen| seen.association.as_mut().unwrap().again = refused("Resource.AlreadyAssociated"),
            "Already",
        ),
        ("F-TASK-13", |seen| seen.returned.as_mut().unwrap().after = texts(&["a"]), "0 of 1"),
        ("F-TASK-15", |seen| seen.task.as_mut().unwrap().tags = texts(&["skydeck:platform"]), "platform"),
        ("F-TASK-19", |seen| seen.lost.as_mut().unwrap().code = "ServiceSchedulerInitiated".into(), "ServiceScheduler"),
        ("F-TASK-19", |seen| seen.lost.as_mut().unwrap().reason = "gone".into(), "gone"),
    ];
    for (id, doctor, told) in doctors {
        let mut seen = seen();
        doctor(&mut seen);
        let finding = judged(id, &seen);
        assert!(matches!(&finding, Finding::Contradicted(answer) if answer.contains(told)), "{id}: {finding:?}");
    }
    let covered: BTreeSet<&str> = doctors.iter().map(|(id, ..)| *id).collect();
    assert_eq!(covered, POINTS.iter().map(|point| point.id).collect(), "each point can be contradicted");
}

#[test]
fn what_says_neither_is_not_seen() {
    type Doctor = fn(&mut Seen);
    let doctors: [(&str, Doctor); 6] = [
        ("F-ASG-11", |seen| seen.refresh = vec![sample("Successful", 1, 0)]),
        ("F-ASG-11", |seen| seen.refresh.truncate(2)),
        ("F-EVENT-1", |seen| seen.rollouts_of_image = Some(0)),
        ("F-IMAGE-19", |seen| seen.unsaid = None),
        ("F-IMAGE-21", |seen| seen.image.as_mut().unwrap().tags = 1),
        ("F-TASK-13", |seen| seen.returned.as_mut().unwrap().before.clear()),
    ];
    for (id, doctor) in doctors {
        let mut seen = seen();
        doctor(&mut seen);
        assert!(matches!(judged(id, &seen), Finding::NotSeen(_)), "{id}: {:?}", judged(id, &seen));
    }
}

/// The ids of the page's rows, and of those that are only assumed.
fn rows() -> (BTreeSet<String>, BTreeSet<String>) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fidelity.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (mut all, mut assumed) = (BTreeSet::new(), BTreeSet::new());
    for line in page.lines().filter(|line| line.starts_with("| F-")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        all.insert(cells[0].to_owned());
        if cells[3].starts_with("assumed") {
            assumed.insert(cells[0].to_owned());
        }
    }
    (all, assumed)
}

#[test]
fn every_row_that_is_only_assumed_is_a_point_or_says_why_not() {
    let (all, assumed) = rows();
    let points: BTreeSet<String> = POINTS.iter().map(|point| point.id.to_owned()).collect();
    let unobservable: BTreeSet<String> = UNOBSERVABLE.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert!(assumed.len() > 5, "{assumed:?}");
    let missing: Vec<&String> =
        assumed.iter().filter(|id| !points.contains(*id) && !unobservable.contains(*id)).collect();
    assert!(missing.is_empty(), "neither points nor said to be unobservable: {missing:?}");
    let unknown: Vec<&String> = points.iter().filter(|id| !all.contains(*id)).collect();
    assert!(unknown.is_empty(), "no rows of docs/fidelity.md: {unknown:?}");
    // A row that has a source now, or that is a point, needs no excuse.
    let idle: Vec<&String> = unobservable.iter().filter(|id| !assumed.contains(*id) || points.contains(*id)).collect();
    assert!(idle.is_empty(), "excused for nothing: {idle:?}");
}
