//! Answers to the questions that a rollout asks, look by look.

use skydeck_core::rollout::verdict::{Observation, Released, look};
use skydeck_core::verdict::{
    Answer, Answers, Expected, Fault, Question, Questions, Status, Streak, Verification, judge,
};

use crate::verdicts::{DEFINITION, serving, steady};

fn questions() -> Questions {
    let question = Question {
        service: "backend".into(),
        url: "http://backend/health".into(),
        connect_to: None,
        timeout_milliseconds: 5000,
        expected: Expected::Status("200".into()),
    };
    Questions { questions: vec![question] }
}

/// Look after look at what is seen, with the statuses that are answered.
fn looks(observed: &Observation, lenient: bool, statuses: &[u16]) -> Vec<Verification> {
    looks_after(Streak { lenient, ..steady() }, observed, statuses)
}

fn looks_after(mut streak: Streak, observed: &Observation, statuses: &[u16]) -> Vec<Verification> {
    let released = Released { service: "backend", definition: DEFINITION };
    let asked = |(round, status): (u32, &u16)| {
        let seen = look(&released, observed, round, &streak, (questions(), Questions::default()));
        let answer = Answer::Answered { status: *status, server: None, body: String::new() };
        let judged = judge(seen, &Answers { answers: vec![vec![answer]] }, &Answers::default());
        streak = judged.streak.clone();
        judged
    };
    (0..).zip(statuses).map(asked).collect()
}

fn statuses(looks: &[Verification]) -> Vec<Status> {
    looks.iter().map(|look| look.status).collect()
}

#[test]
fn a_success_needs_three_good_looks_in_a_row() {
    use Status::{Serving, Waiting};
    assert_eq!(statuses(&looks(&serving(), false, &[200; 3])), [Waiting, Waiting, Serving]);
    let seen = looks(&serving(), false, &[200, 200, 500, 200, 200, 200]);
    assert_eq!(statuses(&seen), [Waiting, Waiting, Waiting, Waiting, Waiting, Serving]);
    assert_eq!(seen[0].summary, "1 of 3 good looks in a row");
}

#[test]
fn five_bad_answers_in_a_row_are_the_images_fault() {
    let seen = looks(&serving(), false, &[500, 500, 500, 500, 200, 500, 500, 500, 500, 500]);
    assert!(statuses(&seen[..9]).iter().all(|status| *status == Status::Waiting));
    let last = &seen[9];
    assert_eq!((last.status, last.fault), (Status::Failed, Some(Fault::Image)));
    assert_eq!(last.summary, "service backend: answers: http://backend/health answers 500, not 200");
}

#[test]
fn young_tasks_are_asked_too_so_that_bad_answers_fail_as_early() {
    let seen = looks_after(Streak::default(), &serving(), &[500; 5]);
    assert_eq!((seen[4].status, seen[4].fault), (Status::Failed, Some(Fault::Image)));
    assert_eq!(seen[4].summary, "service backend: answers: http://backend/health answers 500, not 200");
    let good = statuses(&looks_after(Streak::default(), &serving(), &[200; 16]));
    assert_eq!(good, [&[Status::Waiting; 15][..], &[Status::Serving]].concat());
}

#[test]
fn answers_that_were_bad_before_are_told_and_let_pass() {
    let seen = looks(&serving(), true, &[500; 3]);
    let last = &seen[2];
    assert_eq!((last.status, last.fault), (Status::Serving, None));
    assert_eq!(last.skipped()[0].evidence, "http://backend/health answers 500, not 200, as it did before this rollout");
}

#[test]
fn a_look_at_less_than_all_begins_the_count_anew() {
    let mut observed = serving();
    observed.running = 1;
    let seen = looks(&observed, false, &[500; 8]);
    assert!(statuses(&seen).iter().all(|status| *status == Status::Waiting), "no answer is expected yet");
    assert!(seen.iter().all(|look| look.streak.good == 0));
}
