use super::*;

/// How many looks most verifications take.
fn rounds() -> u32 {
    Patience::default().rounds()
}

fn seen() -> Seen {
    let target = |port: u16| Target { id: format!("i-1:{port}"), state: "healthy".into(), why: None };
    Seen { desired: 2, running: 2, targets: vec![target(32768), target(32769)], ..Seen::default() }
}

fn verified(round: u32, seen: &Seen) -> Verification {
    Verification::of(round, look("movie", Some(seen)), Questions::default(), Questions::default())
}

#[test]
fn tasks_that_run_behind_healthy_targets_serve() {
    let found = verified(0, &seen());
    assert_eq!((found.status, found.summary.as_str()), (Status::Serving, ""));
    assert_eq!(found.serving(), ["movie"]);
}

#[test]
fn what_is_not_there_yet_is_waited_for_with_its_counts() {
    let mut seen = seen();
    seen.running = 1;
    seen.targets[1].state = "initial".into();
    let found = verified(0, &seen);
    assert_eq!(found.status, Status::Waiting);
    assert_eq!(found.summary, "service movie: 1 of 2 tasks running, 1 of 2 targets healthy");
}

#[test]
fn a_failure_names_the_services_beside_it_that_do_not_serve_yet() {
    let failed = Seen { given_up: Some("given up".into()), running: 1, ..seen() };
    let coming = Seen { running: 1, ..seen() };
    let checks = [("backend", &failed), ("movie", &coming), ("payment", &seen())];
    let checks = checks.into_iter().flat_map(|(name, seen)| look(name, Some(seen))).collect();
    let found = Verification::of(0, checks, Questions::default(), Questions::default());
    assert_eq!(
        found.summary,
        "service backend: tasks: 1 of 2 tasks running (given up); service movie: not yet: 1 of 2 tasks running"
    );
}

#[test]
fn targets_that_drain_do_not_count_and_sick_ones_say_why() {
    let mut seen = seen();
    seen.targets.push(Target { id: "i-1:1".into(), state: "draining".into(), why: None });
    assert_eq!(verified(0, &seen).status, Status::Serving);
    let why = Some("Health checks failed with these codes: [500].".into());
    seen.targets[0] = Target { id: "i-1:32768".into(), state: "unhealthy".into(), why };
    let text = verified(0, &seen).summary;
    assert_eq!(text, "service movie: 1 of 2 targets healthy (i-1:32768: Health checks failed with these codes: [500])");
}

#[test]
fn tasks_that_do_not_pass_their_containers_check_are_waited_for() {
    let found = verified(0, &Seen { passing: Some(1), ..seen() });
    assert_eq!(found.status, Status::Waiting);
    assert_eq!(found.summary, "service movie: 1 of 2 tasks pass their container's check");
    assert_eq!(verified(0, &Seen { passing: Some(2), ..seen() }).status, Status::Serving);
}

#[test]
fn a_deployment_that_ecs_gave_up_fails_at_once_with_the_reason() {
    let mut seen = seen();
    (seen.running, seen.targets) = (0, Vec::new());
    seen.stopped = Some("Essential container in task exited, exit code 1".into());
    seen.given_up = Some("ECS deployment circuit breaker: tasks failed to start.".into());
    let found = verified(0, &seen);
    assert_eq!(found.status, Status::Failed);
    assert_eq!(
        found.summary,
        "service movie: tasks: 0 of 2 tasks running (Essential container in task exited, exit code 1) (ECS deployment \
         circuit breaker: tasks failed to start)"
    );
}

#[test]
fn the_deadline_is_counted_in_rounds() {
    let mut seen = seen();
    seen.running = 1;
    assert_eq!(verified(rounds() - 2, &seen).status, Status::Waiting);
    let last = verified(rounds() - 1, &seen);
    assert_eq!(last.status, Status::Failed);
    assert_eq!(last.summary, "service movie: tasks: after 240 looks still 1 of 2 tasks running");
}

#[test]
fn a_service_without_an_image_or_at_zero_is_skipped_and_one_that_is_gone_fails() {
    let idle = |awaits_image| Seen { awaits_image, ..Seen::default() };
    for (seen, evidence) in [(idle(true), "no image yet"), (idle(false), "scaled to zero")] {
        let found = verified(0, &seen);
        assert_eq!((found.status, found.skipped()[0].evidence.as_str()), (Status::Serving, evidence));
        assert!(found.serving().is_empty());
    }
    assert_eq!(look("movie", None)[0].outcome, Outcome::Failed);
}

fn asked(expected: Expected) -> Verification {
    let url = "http://internal/movie-service/mshealth".into();
    let question = Question { service: "movie".into(), url, connect_to: None, timeout_milliseconds: 5000, expected };
    Verification::of(0, look("movie", Some(&seen())), Questions::default(), Questions { questions: vec![question] })
}

fn answer(status: u16, server: Option<&str>) -> Answer {
    Answer::Answered { status, server: server.map(Into::into), body: String::new() }
}

fn judged(expected: Expected, answers: Vec<Answer>) -> Verification {
    judge(asked(expected), &Answers::default(), &Answers { answers: vec![answers] })
}

#[test]
fn a_probe_path_answers_as_the_matcher_says_each_time() {
    let codes = || Expected::Status("200-204, 301".into());
    let good = [200, 301, 204].map(|status| answer(status, None)).to_vec();
    assert_eq!(judged(codes(), good).status, Status::Serving);
    for bad in [answer(404, None), answer(205, None), Answer::Silent { reason: "no connection".into() }] {
        assert_eq!(judged(codes(), vec![answer(200, None), bad]).status, Status::Waiting);
    }
    let text = judged(codes(), vec![answer(500, None)]).summary;
    assert_eq!(text, "service movie: http://internal/movie-service/mshealth answers 500, not 200-204, 301");
}

#[test]
fn without_a_probe_path_any_answer_counts_that_is_the_services_own() {
    let own = Some("awselb/2.0");
    for (answer, status) in [
        (answer(404, None), Status::Serving),
        (answer(401, None), Status::Serving),
        (answer(500, None), Status::Serving),
        (answer(404, own), Status::Waiting),
        (answer(502, own), Status::Waiting),
        (answer(503, own), Status::Waiting),
        (answer(504, None), Status::Waiting),
    ] {
        assert_eq!(judged(Expected::Service, vec![answer.clone()]).status, status, "{answer:?}");
    }
}

#[test]
fn a_question_that_nobody_asked_is_not_answered() {
    let found = judge(asked(Expected::Service), &Answers::default(), &Answers::default());
    assert_eq!(found.status, Status::Waiting);
}
