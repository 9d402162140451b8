//! Histories of real runs in the sandbox, and what a person reads of them.

use console::Style;
use serde_json::json;
use skydeck_core::verdict::{Check, Name, Outcome, Questions, Verification};

use super::{Event, Line, Story, summary};

fn recorded(name: &str) -> Vec<Event> {
    let text = match name {
        "apply" => include_str!("history/apply.json"),
        "destroy" => include_str!("history/destroy.json"),
        "rollback" => include_str!("history/rollback.json"),
        "rolled_back" => include_str!("history/rolled_back.json"),
        _ => include_str!("history/failed.json"),
    };
    serde_json::from_str(text).unwrap()
}

/// Everything that a person reads, the end included.
fn told(events: &[Event], error: Option<(&str, &str)>) -> String {
    let plain = Style::new().force_styling(false);
    let mut story = Story::default();
    let lines: Vec<Line> = events.iter().flat_map(|event| story.read(event)).collect();
    assert!(story.is_over());
    let status = if error.is_some() { "FAILED" } else { "SUCCEEDED" };
    let finished = story.into_finished("arn", status, error.map(|(name, cause)| (name.into(), cause.into())).unzip());
    let mut text: Vec<String> = lines.iter().map(|line| line.text(&plain)).collect();
    text.push(summary(&finished, &plain));
    text.join("\n")
}

#[test]
fn an_apply_is_told_layer_by_layer_with_what_it_waits_for() {
    insta::assert_snapshot!("apply", told(&recorded("apply"), None));
}

#[test]
fn a_destroy_is_told_with_the_layers_own_names() {
    insta::assert_snapshot!("destroy", told(&recorded("destroy"), None));
}

#[test]
fn a_failed_apply_is_told_with_every_layer_that_failed() {
    let error = ("BucketAlreadyExists", "storage: create bucket skyfox-devprod-profile-images: taken");
    insta::assert_snapshot!("failed", told(&recorded("failed"), Some(error)));
}

#[test]
fn a_rollback_is_told_from_the_decision_to_the_checks() {
    insta::assert_snapshot!("rollback", told(&recorded("rollback"), None));
}

#[test]
fn a_rollout_that_is_rolled_back_is_told_with_the_way_back_and_what_was_wrong() {
    insta::assert_snapshot!("rolled_back", told(&recorded("rolled_back"), Some(("RolledBack", "told by its result"))));
}

#[test]
fn a_trigger_that_starts_nothing_says_why_and_one_that_waits_for_whom() {
    let decided = json!({
        "decision": "ignored",
        "reason": "sha256:aa runs already",
        "kind": "already_running",
        "rollout": null,
        "verification": null,
    });
    let waits = json!({ "errorType": "NotYet", "errorMessage": "still waiting for the rollout b" }).to_string();
    let event = |id, kind: &str| Event { id, time: 1000 * id, kind: kind.into(), ..Event::default() };
    let events = [
        Event { name: Some("Decide".into()), ..event(1, "TaskStateEntered") },
        Event { error: Some("NotYet".into()), cause: Some(waits), previous: 1, ..event(2, "TaskFailed") },
        Event { payload: json!({ "Payload": decided }), ..event(3, "TaskSucceeded") },
        event(4, "ExecutionSucceeded"),
    ];
    let wanted = "decide: still waiting for the rollout b\nNothing is rolled out: sha256:aa runs already.";
    assert_eq!(told(&events, None), wanted);
}

#[test]
fn a_rollout_that_came_to_no_verdict_is_told_by_its_error() {
    let arn = "arn:aws:states:ap-south-1:111122223333:execution:skydeck-rollout:a";
    let error = (Some("BadInput".into()), Some("nosuch is not in the repository".into()));
    let finished = Story::default().into_finished(arn, "FAILED", error);
    let text = summary(&finished, &Style::new().force_styling(false));
    assert_eq!(text, "Rollout failed: nosuch is not in the repository (BadInput)");
}

#[test]
fn a_history_without_links_is_told_all_the_same() {
    let mut events = recorded("apply");
    // As the emulator has it by itself: no links, and no states inside a Parallel.
    events.retain(|event| !matches!(event.name.as_deref(), Some("Network" | "Identity" | "Balancer" | "Cluster")));
    events.iter_mut().for_each(|event| event.previous = 0);
    let text = told(&events, None);
    assert!(text.contains("\nstill waiting for 3 instances to terminate\n"), "{text}");
    assert!(text.contains("  network      1.0 s  10 created, 12 changed\n"), "{text}");
}

#[test]
fn a_run_that_somebody_stops_says_so() {
    let plain = Style::new().force_styling(false);
    let finished = Story::default().into_finished("arn", "ABORTED", (None, None));
    assert_eq!(summary(&finished, &plain), "Run was stopped by somebody.");
}

#[test]
fn a_plan_says_what_would_be() {
    let mut events = recorded("apply");
    for event in &mut events {
        if let Some(run) = event.payload.pointer_mut("/Payload/run/mode") {
            *run = "plan".into();
        }
        if let Some(mode) = event.payload.pointer_mut("/Payload/mode") {
            *mode = "plan".into();
        }
    }
    let text = told(&events, None);
    assert!(text.contains("10 to create, 12 to change"), "{text}");
    assert!(
        text.ends_with(
            "Plan: 31 to create, 12 to change, 0 to replace, 0 to delete. Nothing was changed. It is plan arn."
        ),
        "{text}"
    );
}

#[test]
fn services_that_come_up_are_told_once_per_change_and_good_only_when_they_have_answered() {
    let check =
        |check, outcome, evidence: &str| Check { service: "movie".into(), check, outcome, evidence: evidence.into() };
    let skipped = Check { service: "payment".into(), ..check(Name::Tasks, Outcome::Skipped, "no image yet") };
    let waiting = vec![check(Name::Tasks, Outcome::NotYet, "1 of 2 tasks running"), skipped.clone()];
    let running = vec![check(Name::Tasks, Outcome::Ok, "2 of 2 tasks running"), skipped];
    let mut answered = running.clone();
    answered.push(check(Name::Answers, Outcome::Ok, "it answers 200"));
    let mut story = Story::default();
    let mut told = Vec::new();
    for (id, checks) in (1..).zip([waiting.clone(), waiting, running, answered]) {
        let mut found = Verification::of(0, checks, Questions::default(), Questions::default());
        found.asks = true;
        let payload = json!({ "Payload": found });
        let event = Event { id, time: 1000 * id, kind: "TaskSucceeded".into(), payload, ..Event::default() };
        told.extend(story.read(&event).iter().map(|line| line.text(&Style::new().force_styling(false))));
    }
    let [first, second, third] = told.as_slice() else { panic!("{told:#?}") };
    assert_eq!(first, "serving: service movie: 1 of 2 tasks running");
    assert!(second.ends_with(" 3.0 s  service movie: 2 of 2 tasks running"), "{second}");
    assert!(third.starts_with("  serving ") && third.contains("movie answer"), "{third}");
    assert!(third.ends_with("note: service payment: no image yet"), "{third}");
}
