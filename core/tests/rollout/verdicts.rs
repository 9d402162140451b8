//! What is seen of a release, and what it comes to.

use proptest::prelude::*;
use proptest::sample::select;
use skydeck_core::rollout::stop::{Kind, Stop};
use skydeck_core::rollout::verdict::{Observation, Released, look};
use skydeck_core::verdict::{Fault, Name, Outcome, Patience, Questions, Round, Status, Streak, Target, Verification};

pub(crate) const DEFINITION: &str = "arn:aws:ecs:ap-south-1:123456789012:task-definition/backend:7";

/// How many looks most verifications take.
fn rounds() -> u32 {
    Patience::default().rounds()
}

fn target(port: u16, state: &str) -> Target {
    Target { id: format!("i-1:{port}"), state: state.into(), why: None }
}

/// All that was released runs and is healthy.
pub(crate) fn serving() -> Observation {
    Observation {
        holds: true,
        definition: DEFINITION.into(),
        desired: 2,
        running: 2,
        youngest: Some(1),
        ports: vec![32768, 32769],
        targets: vec![target(32768, "healthy"), target(32769, "healthy")],
        ..Observation::default()
    }
}

/// What was seen until now where the tasks have run long enough.
pub(crate) fn steady() -> Streak {
    Streak { youngest: serving().youngest, steady: 75, ..Streak::default() }
}

fn seen(round: u32, observed: &Observation) -> Verification {
    after(&steady(), round, observed)
}

fn after(before: &Streak, round: u32, observed: &Observation) -> Verification {
    let released = Released { service: "backend", definition: DEFINITION };
    look(&released, observed, round, before, (Questions::default(), Questions::default()))
}

fn with(spoil: impl FnOnce(&mut Observation)) -> Observation {
    let mut observed = serving();
    spoil(&mut observed);
    observed
}

fn stop(kind: Kind) -> Stop {
    Stop { at: 1, kind, why: format!("{kind:?}") }
}

fn stops(kind: Kind, count: usize) -> Observation {
    with(|observed| {
        (observed.running, observed.targets, observed.ports) = (0, Vec::new(), Vec::new());
        observed.stops = vec![stop(kind); count];
    })
}

/// Status and fault of a look in an early round.
fn verdict(observed: &Observation) -> (Status, Option<Fault>) {
    let seen = seen(5, observed);
    (seen.status, seen.fault)
}

const WAITING: (Status, Option<Fault>) = (Status::Waiting, None);
const IMAGE: (Status, Option<Fault>) = (Status::Failed, Some(Fault::Image));
const PLATFORM: (Status, Option<Fault>) = (Status::Failed, Some(Fault::Platform));

#[test]
fn a_good_look_is_one_of_three() {
    let found = seen(5, &serving());
    assert_eq!((found.status, found.streak.needed, found.streak.good), (Status::Serving, 3, 0));
    let named: Vec<(Name, Outcome)> = found.checks.iter().map(|check| (check.check, check.outcome)).collect();
    let all = [Name::Definition, Name::Tasks, Name::Digest, Name::Targets, Name::Steady];
    assert_eq!(named, all.map(|name| (name, Outcome::Ok)));
}

#[test]
fn every_task_has_to_run_for_a_while_by_the_seconds_that_were_waited() {
    let mut streak = Streak::default();
    let mut looks = (0..).map(|round| {
        let found = after(&streak, round, &serving());
        streak = found.streak.clone();
        (found.status, found.summary)
    });
    for seconds in (0..75).step_by(5) {
        let text = format!("service backend: the youngest task runs for {seconds} of 75 seconds");
        assert_eq!(looks.next(), Some((Status::Waiting, text)));
    }
    assert_eq!(looks.next(), Some((Status::Serving, String::new())));
}

#[test]
fn a_task_that_began_later_begins_the_while_anew() {
    let other = with(|observed| observed.youngest = Some(2));
    assert_eq!((seen(5, &other).status, seen(5, &other).streak.steady), (Status::Waiting, 0));
    let none = with(|observed| (observed.running, observed.youngest) = (0, None));
    let found = after(&seen(5, &none).streak, 6, &none);
    assert_eq!((found.streak.steady, found.summary.as_str()), (0, "service backend: 0 of 2 tasks running"));
}

#[test]
fn what_is_under_way_is_waited_for() {
    let table: [(&str, Observation); 8] = [
        ("tasks start", with(|observed| observed.running = 1)),
        ("old tasks drain", with(|observed| observed.others = 1)),
        ("targets are checked", with(|observed| observed.targets[1].state = "initial".into())),
        ("a target is not registered yet", with(|observed| drop(observed.targets.pop()))),
        ("an old target is still there", with(|observed| observed.targets.push(target(40000, "healthy")))),
        ("targets are other tasks'", with(|observed| observed.ports = vec![1, 2])),
        ("a target is sick in its grace period", with(|observed| observed.targets[1].state = "unhealthy".into())),
        (
            "the cluster scales out",
            with(|observed| {
                (observed.running, observed.event) = (0, Some("unable to place a task".into()));
            }),
        ),
    ];
    for (what, observed) in table {
        assert_eq!(verdict(&observed), WAITING, "{what}");
    }
    assert_eq!(seen(5, &with(|observed| observed.targets.push(target(1, "draining")))).status, Status::Serving);
}

#[test]
fn crashes_count_up_to_a_threshold() {
    assert_eq!(verdict(&stops(Kind::Exit, 2)), WAITING);
    assert_eq!(verdict(&stops(Kind::Exit, 3)), IMAGE);
    assert_eq!(
        seen(5, &stops(Kind::Exit, 3)).summary,
        "service backend: tasks: 0 of 2 tasks running (Exit; 3 of its tasks have stopped so far)"
    );
    for (desired, crashes) in [(1, 3), (6, 3), (7, 4), (40, 20), (1000, 200)] {
        let few = with(|observed| (observed.desired, observed.stops) = (desired, vec![stop(Kind::Exit); crashes - 1]));
        assert_eq!(verdict(&few).0, Status::Waiting, "{desired}");
        let many = Observation { stops: vec![stop(Kind::Exit); crashes], ..few };
        assert_eq!(verdict(&many), IMAGE, "{desired}");
    }
}

#[test]
fn each_crash_makes_a_success_take_longer() {
    let found = seen(5, &with(|observed| observed.stops = vec![stop(Kind::Exit); 2]));
    assert_eq!((found.status, found.streak.needed), (Status::Serving, 3 + 2 * 12));
    let meant = seen(5, &with(|observed| observed.stops = vec![stop(Kind::Meant), stop(Kind::Platform)]));
    assert_eq!(meant.streak.needed, 3);
}

#[test]
fn what_can_never_run_fails_at_once() {
    assert_eq!(verdict(&stops(Kind::NeverRuns, 1)), IMAGE);
    assert_eq!(seen(0, &stops(Kind::NeverRuns, 1)).status, Status::Failed);
}

#[test]
fn a_failed_health_check_is_final_where_nothing_is_healthy() {
    assert_eq!(verdict(&stops(Kind::Health, 1)), IMAGE);
    let others = with(|observed| {
        (observed.running, observed.stops) = (1, vec![stop(Kind::Health)]);
        observed.targets[1].state = "initial".into();
    });
    assert_eq!(verdict(&others), WAITING, "one of them is healthy");
    let strangers = Observation { ports: Vec::new(), ..others };
    assert_eq!(verdict(&strangers), IMAGE, "healthy are only tasks of an older definition");
}

#[test]
fn an_instance_that_goes_is_nobodys_fault() {
    assert_eq!(verdict(&stops(Kind::Meant, 50)), WAITING);
    assert_eq!(seen(rounds() - 1, &stops(Kind::Meant, 50)).fault, Some(Fault::Platform));
}

#[test]
fn the_platforms_stops_are_not_the_images() {
    assert_eq!(verdict(&stops(Kind::Platform, 2)), WAITING);
    assert_eq!(verdict(&stops(Kind::Platform, 3)), PLATFORM);
    let some = with(|observed| (observed.running, observed.stops) = (1, vec![stop(Kind::Platform); 9]));
    assert_eq!(verdict(&some), WAITING, "some do start");
    let wrong = with(|observed| observed.stranger = Some("sha256:other".into()));
    assert_eq!(verdict(&wrong), PLATFORM);
}

#[test]
fn ecss_own_verdict_is_the_images_only_where_it_stopped() {
    let given_up = |kind: Option<Kind>| {
        with(|observed| {
            (observed.running, observed.given_up) = (0, Some("circuit breaker: tasks failed to start.".into()));
            observed.stops = kind.map(stop).into_iter().collect();
        })
    };
    assert_eq!(verdict(&given_up(None)), PLATFORM);
    assert_eq!(verdict(&given_up(Some(Kind::Platform))), PLATFORM);
    assert_eq!(verdict(&given_up(Some(Kind::Exit))), IMAGE);
    let text = seen(5, &given_up(Some(Kind::Exit))).summary;
    assert!(text.contains("Exit; circuit breaker: tasks failed to start"), "{text}");
}

#[test]
fn a_full_group_fails_the_rollout_and_not_the_image() {
    let full = with(|observed| {
        (observed.full, observed.running) = (true, 1);
        observed.event = Some("service backend was unable to place a task.".into());
    });
    assert_eq!(verdict(&full), WAITING, "one look may be of a moment that never was");
    let third = |observed: &Observation| after(&Streak { full: 2, ..steady() }, 5, observed);
    let verdict = |observed: &Observation| (third(observed).status, third(observed).fault);
    assert_eq!(verdict(&full), PLATFORM);
    let text = third(&full).summary;
    assert!(text.ends_with("was unable to place a task; the Auto Scaling group is at its maximum)"), "{text}");
    let told = |event: Option<&str>| verdict(&Observation { event: event.map(Into::into), ..full.clone() });
    assert_eq!(
        third(&Observation { full: false, ..full.clone() }).streak.full,
        0,
        "room was seen, and it is counted anew"
    );
    assert_eq!(told(None), WAITING, "tasks may fit on the instances that are there");
    // AWS need not say it: tasks that wait for a capacity provider are PROVISIONING.
    let silent = Observation { event: None, waiting: 1, ..full.clone() };
    assert_eq!(verdict(&silent), PLATFORM);
    let text = third(&silent).summary;
    assert!(
        text.ends_with("(1 wait for an instance with room (PROVISIONING); the Auto Scaling group is at its maximum)"),
        "{text}"
    );
    assert_eq!(told(Some("(service backend) is unable to consistently start tasks successfully.")), WAITING);
    assert_eq!(seen(5, &Observation { running: 2, ..full }).status, Status::Serving, "there was room enough");
}

#[test]
fn instances_that_cannot_be_started_are_told_in_auto_scalings_words_and_given_up_early() {
    let observed = with(|observed| {
        (observed.running, observed.waiting) = (1, 1);
        observed.failed_launch = Some("You have requested more vCPU capacity than your limit allows.".into());
    });
    let words = "Auto Scaling cannot start an instance: You have requested more vCPU capacity than your limit allows";
    let first = seen(5, &observed);
    assert_eq!((first.status, first.fault), WAITING);
    assert!(first.summary.contains(words), "{}", first.summary);
    let last = after(&Streak { failed_launches: 23, ..steady() }, 5, &observed);
    assert_eq!((last.status, last.fault), PLATFORM);
    assert!(last.summary.contains(words), "{}", last.summary);
    // It waits for none: whatever became of a launch is no news.
    let other = Observation { waiting: 0, ..observed.clone() };
    assert_eq!(after(&Streak { failed_launches: 23, ..steady() }, 5, &other).streak.failed_launches, 0);
    let started = Observation { failed_launch: None, ..observed };
    assert_eq!(after(&Streak { failed_launches: 23, ..steady() }, 5, &started).streak.failed_launches, 0);
}

#[test]
fn whoever_has_lost_the_lease_is_superseded_at_once() {
    let lost = with(|observed| observed.holds = false);
    assert_eq!(seen(0, &lost).status, Status::Superseded);
    assert_eq!(seen(0, &Observation { stops: vec![stop(Kind::Exit); 9], ..lost }).fault, None);
}

#[test]
fn another_definition_is_believed_after_a_few_looks() {
    let other = with(|observed| observed.definition = DEFINITION.replace(":7", ":8"));
    for round in 0..3 {
        assert_eq!(seen(round, &other).status, Status::Waiting);
    }
    let found = seen(3, &other);
    assert_eq!(found.status, Status::Superseded);
    assert_eq!(found.summary, "service backend runs what another rollout released");
    assert_eq!(found.checks[0].evidence, "the service runs backend:8");
}

#[test]
fn the_deadline_is_the_images_only_with_evidence_against_it() {
    let last = |observed: &Observation| {
        let seen = seen(rounds() - 1, observed);
        (seen.status, seen.fault)
    };
    assert_eq!(last(&with(|observed| observed.running = 1)), PLATFORM);
    assert_eq!(last(&with(|observed| observed.targets[1].state = "unhealthy".into())), IMAGE);
    assert_eq!(last(&stops(Kind::Exit, 1)), IMAGE);
    assert_eq!(last(&stops(Kind::Platform, 1)), PLATFORM);
    assert_eq!(last(&serving()).0, Status::Serving);
}

/// Where the definition has a container check.
fn checked(before: Streak, observed: &Observation) -> Verification {
    after(&Streak { checked: Some(true), ..before }, 5, observed)
}

#[test]
fn every_task_has_to_pass_its_containers_check_where_there_is_one() {
    let some = checked(steady(), &with(|observed| observed.passing = 1));
    assert_eq!(
        (some.status, some.summary.as_str()),
        (Status::Waiting, "service backend: 1 of 2 tasks pass their container's check")
    );
    let failing = checked(steady(), &with(|observed| (observed.passing, observed.failing) = (1, 1)));
    assert_eq!(failing.summary, "service backend: 1 of 2 tasks pass their container's check (1 fail it)");
    assert_eq!(checked(steady(), &with(|observed| observed.passing = 2)).status, Status::Serving);
    assert_eq!(seen(5, &serving()).status, Status::Serving, "without a check nobody passes it");
}

#[test]
fn a_check_that_no_task_ever_passes_beside_healthy_targets_is_at_fault_itself() {
    let stopped = |observed: &mut Observation| observed.stops = vec![stop(Kind::Check)];
    let found = checked(Streak::default(), &with(stopped));
    assert_eq!((found.status, found.fault), PLATFORM);
    assert!(found.summary.contains("has the programs of `container-check.command`"), "{}", found.summary);
    // Its targets were healthy in an earlier look.
    let served = Streak { served: true, ..Streak::default() };
    assert_eq!(checked(served, &stops(Kind::Check, 1)).fault, Some(Fault::Platform));
    // The load balancer never found a task healthy either.
    assert_eq!(checked(Streak::default(), &stops(Kind::Check, 1)).fault, Some(Fault::Image));
    // The check can pass: what fails it now is the image.
    let passed = Streak { passed: true, served: true, ..Streak::default() };
    assert_eq!(checked(passed.clone(), &stops(Kind::Check, 3)).fault, Some(Fault::Image));
    let once = checked(passed, &with(stopped));
    assert_eq!((once.status, once.fault), WAITING);
}

#[test]
fn no_setting_that_the_file_admits_makes_a_good_image_late() {
    let file = |keys: &str| {
        let text = include_str!("../../../platforms/minimal.toml").replace("health = { path = \"/health\" }", keys);
        skydeck_core::spec::parse("platform.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let waits = |keys: &str, desired: u32| {
        let patience = Patience::of(&file(keys).services["web"], desired);
        (0..patience.rounds()).map(|round| u64::from(patience.wait_seconds(round))).sum::<u64>()
    };
    let health = "health = { interval-seconds = 300, healthy-threshold = 10 }";
    let check = "container-check = { command = [\"CMD\", \"/check\"], interval-seconds = 300, retries = 10, start-seconds = 300 }";
    // One after the other: each task comes, with its grace and its checks, and one leaves.
    let slow = "desired = 4\nmaximum-percent = 125\ngrace-seconds = 7200\nderegistration-delay-seconds = 3600\n";
    assert!(waits(&format!("{slow}{health}\n{check}"), 4) >= 4 * (7200 + 3000 + 300 + 3000 + 3600 + 30));
    // A person may want more tasks than the file says.
    assert!(waits("maximum-percent = 200\nderegistration-delay-seconds = 3600", 1) >= 3630);
    assert!(waits("desired = 4\nmaximum-percent = 125\nderegistration-delay-seconds = 3600", 40) >= 4 * 3630);
    let late = Round { number: 300, patience: Patience::of(&file(slow).services["web"], 4) };
    let released = Released { service: "backend", definition: DEFINITION };
    let draining = with(|observed| observed.others = 1);
    let found = look(&released, &draining, late, &steady(), (Questions::default(), Questions::default()));
    assert_eq!(found.status, Status::Waiting, "old tasks drain");
    assert!(found.wait_seconds > 5, "and the looks lie further apart");
}

#[test]
fn a_service_at_zero_has_nothing_to_check_and_is_no_success() {
    let found = seen(5, &with(|observed| (observed.desired, observed.running) = (0, 0)));
    assert_eq!((found.status, found.asks), (Status::NoTasks, false));
    assert_eq!(found.skipped()[0].evidence, "scaled to zero");
}

fn any_sight() -> impl Strategy<Value = Observation> {
    let kinds = vec![Kind::Meant, Kind::NeverRuns, Kind::Exit, Kind::Health, Kind::Check, Kind::Platform];
    let states = vec!["healthy", "initial", "unhealthy", "draining"];
    let targets = prop::collection::vec((32768..32771u16, select(states)), 0..4);
    let stops = prop::collection::vec(select(kinds), 0..5);
    (any::<(bool, bool)>(), 0..4u32, 0..4u32, 0..2u32, targets, stops).prop_map(
        |((holds, full), desired, running, others, targets, kinds)| Observation {
            holds,
            full,
            desired,
            running,
            others,
            targets: targets.into_iter().map(|(port, state)| target(port, state)).collect(),
            stops: kinds.into_iter().map(stop).collect(),
            ..serving()
        },
    )
}

proptest! {
    #[test]
    fn the_image_is_at_fault_only_where_it_stopped_or_is_sick(observed in any_sight(), round in select(vec![0, 9, rounds() - 1])) {
        let found = seen(round, &observed);
        let own = observed.stops.iter().any(|stop| matches!(stop.kind, Kind::Exit | Kind::Health | Kind::Check | Kind::NeverRuns));
        let sick = observed.targets.iter().any(|target| target.state == "unhealthy");
        prop_assert!(found.fault != Some(Fault::Image) || own || sick);
        prop_assert_eq!(found.fault.is_some(), found.status == Status::Failed);
        prop_assert!(observed.holds || found.status == Status::Superseded);
    }

    #[test]
    fn all_that_is_wanted_runs_and_is_healthy_where_it_serves(observed in any_sight()) {
        if seen(5, &observed).status == Status::Serving && observed.desired > 0 {
            let healthy = observed.targets.iter().filter(|target| target.state == "healthy").count();
            prop_assert!(observed.holds && observed.running == observed.desired && observed.others == 0);
            prop_assert_eq!(healthy, usize::try_from(observed.desired).unwrap());
        }
    }

    #[test]
    fn every_rollout_ends_by_its_deadline(observed in any_sight()) {
        prop_assert!(seen(rounds() - 1, &observed).status != Status::Waiting);
    }
}
