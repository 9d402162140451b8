//! What follows from a trigger.

use proptest::prelude::*;
use proptest::sample::select;
use skydeck_core::rollout::decide::{
    Asked, Choice, Decision, Reason, Running, Situation, choose, decide, passed_over, waiting,
};
use skydeck_core::rollout::image::Pushed;
use skydeck_core::rollout::ledger::{Entry, Past, Rejection, Verdict};
use skydeck_core::rollout::record::{Liveness, Phase, Record, Suspended};
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::spec::ImagePolicy;

use crate::claims::{CAUSES, held, verified};

/// A service that runs `old`, in whose repository `new` is the latest.
struct World {
    policy: ImagePolicy,
    images: Vec<Pushed>,
    record: Record,
    running: Running,
    holder: Liveness,
    rejected: Option<&'static str>,
    last: Option<Verdict>,
    records_since: i64,
    since: Option<i64>,
}

fn image(digest: &str, tag: &str, at: i64) -> Pushed {
    Pushed { digest: format!("sha256:{digest}"), tags: vec!["skydeck-keep-1".into(), tag.into()], at }
}

fn world() -> World {
    World {
        policy: ImagePolicy::Glob("v*".into()),
        images: vec![image("old", "v1", 10), image("new", "v2", 20), image("other", "nightly", 30)],
        record: Record { verified: vec![verified("sha256:old", 1)], ..Record::default() },
        running: Running { digest: Some("sha256:old".into()), desired: 2, same_settings: true, registered: 100 },
        holder: Liveness::Running,
        rejected: None,
        last: None,
        records_since: 0,
        since: None,
    }
}

impl World {
    fn now(&self) -> Situation<'_> {
        Situation {
            execution: "me",
            policy: &self.policy,
            images: &self.images,
            record: &self.record,
            running: &self.running,
            holder: self.holder,
            records_since: self.records_since,
        }
    }

    fn says(&self, cause: Cause, image: Option<&str>, tag: Option<&str>) -> Decision {
        let now = self.now();
        let asked = Asked { cause, image, tag, since: self.since };
        let rejection = self.rejected.map(|reason| Rejection { at: 1, execution: "it".into(), reason: reason.into() });
        let past = |verdict| Past {
            execution: "it".into(),
            cause: Cause::Push,
            tag: None,
            definition: None,
            began: 1,
            ended: 2,
            verdict,
            reason: String::new(),
            checks: Vec::new(),
            notes: Vec::new(),
        };
        let entry =
            Entry { rejected: rejection, rollouts: self.last.map(past).into_iter().collect(), ..Entry::default() };
        decide(&asked, &now, choose(&asked, &now), &entry)
    }

    /// What comes of each cause, asked in its usual way.
    fn of(&self, cause: Cause) -> Decision {
        match cause {
            Cause::Push => self.says(cause, Some("sha256:new"), Some("v2")),
            _ => self.says(cause, None, None),
        }
    }
}

fn with(spoil: impl FnOnce(&mut World)) -> World {
    let mut world = world();
    spoil(&mut world);
    world
}

fn release(digest: &str, tag: Option<&str>) -> Decision {
    Decision::Release(Choice { digest: format!("sha256:{digest}"), tag: tag.map(Into::into) })
}

fn ignored(decision: &Decision) -> String {
    match decision {
        Decision::Ignore(reason) => reason.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn each_cause_has_its_image() {
    assert_eq!(world().of(Cause::Push), release("new", Some("v2")));
    assert_eq!(world().of(Cause::Sweep), release("new", Some("v2")));
    assert_eq!(world().of(Cause::Person), release("new", Some("v2")));
    assert_eq!(
        world().says(Cause::Person, Some("nightly"), None),
        release("other", Some("nightly")),
        "outside the policy"
    );
    assert_eq!(world().says(Cause::Person, Some("sha256:other"), None), release("other", Some("nightly")));
    assert_eq!(world().of(Cause::Secret), release("old", None));
    assert_eq!(with(|world| world.running.same_settings = false).of(Cause::Configuration), release("old", None));
    let later = with(|world| {
        world.record.verified.insert(0, verified("sha256:new", 2));
        world.running.digest = Some("sha256:new".into());
    });
    assert_eq!(later.of(Cause::Rollback), release("old", Some("v1")));
}

#[test]
fn what_is_not_wanted_is_told_with_the_reason() {
    let push = |digest: &str, tag: &str| ignored(&world().says(Cause::Push, Some(digest), Some(tag)));
    assert_eq!(push("sha256:other", "nightly"), "tag nightly is outside the service's policy (glob = \"v*\")");
    assert_eq!(
        push("sha256:old", "v1"),
        "sha256:old is not the image that the policy wants now: that is sha256:new (v2)"
    );
    let empty = with(|world| world.images.clear());
    assert_eq!(ignored(&empty.of(Cause::Push)), "sha256:new is not in the repository");
    assert_eq!(ignored(&empty.says(Cause::Person, Some("v9"), None)), "v9 is not in the repository");
    for cause in [Cause::Person, Cause::Sweep] {
        assert_eq!(ignored(&empty.of(cause)), "the repository has no image that the policy admits");
    }
    assert_eq!(ignored(&world().of(Cause::Rollback)), "no other image of the service was ever verified");
    let passed = with(|world| world.record.passed_over = Some("sha256:new".into()));
    for cause in [Cause::Push, Cause::Sweep] {
        assert_eq!(ignored(&passed.of(cause)), "a person chose another image than sha256:new");
    }
}

#[test]
fn each_reason_has_a_word_of_its_own_for_programs() {
    let text = || "a".to_owned();
    let reasons = [
        Reason::OutsidePolicy { tag: text(), policy: text() },
        Reason::NotWanted { digest: text(), wanted: Choice { digest: text(), tag: None } },
        Reason::Gone { image: text() },
        Reason::NotAnImage { image: text() },
        Reason::NoImage,
        Reason::AlreadyRunning { digest: text() },
        Reason::Rejected { digest: text(), reason: text() },
        Reason::Suspended { reason: text() },
        Reason::Claimed { by: text() },
        Reason::KnownAlready,
        Reason::PassedOver { digest: text() },
        Reason::Forgotten { digest: text() },
        Reason::NothingToReturnTo,
        Reason::Refused { digest: text(), reason: text() },
        Reason::IdleEvent { why: text() },
        Reason::NoService { repository: text() },
        Reason::NotMadeYet { service: text() },
    ];
    let name = |reason: &Reason| format!("{reason:?}").split(' ').next().map(ToOwned::to_owned);
    for reason in &reasons {
        assert_eq!(name(reason), Some(format!("{:?}", reason.kind())));
    }
    assert_eq!(serde_json::json!(reasons[5].kind()), "already_running");
}

#[test]
fn nothing_but_a_persons_other_choice_passes_the_wanted_image_over() {
    let world = world();
    let over = |cause, digest: &str| passed_over(cause, &world.now(), &Choice { digest: digest.into(), tag: None });
    for cause in CAUSES {
        assert_eq!(over(cause, "sha256:other").as_deref(), cause.is_person().then_some("sha256:new"), "{cause}");
        assert_eq!(over(cause, "sha256:new"), None, "{cause}");
    }
    let empty = with(|world| world.images.clear());
    let other = Choice { digest: "sha256:other".into(), tag: None };
    assert_eq!(passed_over(Cause::Person, &empty.now(), &other), None, "the policy wants none");
}

#[test]
fn what_runs_already_is_left_alone() {
    let current = |desired| {
        with(move |world| {
            (world.running.digest, world.running.desired) = (Some("sha256:new".into()), desired);
            world.record.verified.insert(0, verified("sha256:new", 2));
        })
    };
    for cause in [Cause::Push, Cause::Sweep, Cause::Person, Cause::Configuration] {
        for desired in [0, 2] {
            assert_eq!(ignored(&current(desired).of(cause)), "sha256:new runs already", "{cause}");
        }
    }
    assert_eq!(current(2).of(Cause::Secret), release("new", None), "the same image with another secret");
    let failed = with(|world| {
        (world.running.digest, world.running.desired) = (Some("sha256:new".into()), 0);
        world.record.verified.clear();
    });
    assert_eq!(failed.of(Cause::Person), release("new", Some("v2")), "it has no tasks and was never verified");
}

#[test]
fn a_secret_that_the_tasks_know_of_is_no_reason() {
    let since = |since| with(|world| world.since = Some(since)).of(Cause::Secret);
    assert_eq!(ignored(&since(99)), "the tasks started after that change");
    assert_eq!(since(101), release("old", None));
}

#[test]
fn a_service_without_an_image_starts_with_the_wanted_one() {
    let awaiting = with(|world| (world.running, world.record) = (Running::default(), Record::default()));
    for cause in [Cause::Push, Cause::Configuration, Cause::Sweep] {
        assert_eq!(awaiting.of(cause), release("new", Some("v2")), "{cause}");
    }
    assert_eq!(ignored(&awaiting.of(Cause::Secret)), "the repository has no image that the policy admits");
}

#[test]
fn what_came_to_a_service_without_tasks_is_tried_once_it_has_some() {
    let unverified = |desired| {
        with(|world| {
            (world.running.digest, world.running.desired) = (Some("sha256:new".into()), desired);
            world.last = Some(Verdict::Unverified);
        })
    };
    assert_eq!(unverified(2).of(Cause::Sweep), release("new", Some("v2")));
    assert_eq!(ignored(&unverified(0).of(Cause::Sweep)), "sha256:new runs already");
    let verified = World { last: Some(Verdict::Succeeded), ..unverified(2) };
    assert_eq!(ignored(&verified.of(Cause::Sweep)), "sha256:new runs already");
}

#[test]
fn what_was_rejected_is_a_persons_to_deploy() {
    let world = with(|world| world.rejected = Some("it crashed"));
    for cause in [Cause::Push, Cause::Sweep] {
        assert_eq!(ignored(&world.of(cause)), "sha256:new was rejected before: it crashed");
    }
    assert_eq!(world.of(Cause::Person), release("new", Some("v2")));
}

#[test]
fn a_suspended_service_heeds_people_and_applies() {
    let world = with(|world| {
        world.record.suspended = Some(Suspended { at: 1, reason: "a sale".into() });
        world.running.same_settings = false;
    });
    for cause in [Cause::Push, Cause::Sweep, Cause::Secret] {
        assert_eq!(ignored(&world.of(cause)), "the service is suspended: a sale");
    }
    assert_eq!(world.of(Cause::Person), release("new", Some("v2")));
    assert_eq!(world.of(Cause::Configuration), release("old", None));
    let silent = Reason::Suspended { reason: String::new() };
    assert_eq!(silent.to_string(), "the service is suspended");
}

#[test]
fn a_sweep_leaves_alone_what_is_older_than_the_records() {
    let lost = with(|world| (world.records_since, world.record) = (25, Record::default()));
    assert_eq!(ignored(&lost.of(Cause::Sweep)), "sha256:new was pushed before skydeck's records begin");
    assert_eq!(lost.of(Cause::Push), release("new", Some("v2")), "an event is of now");
    let awaiting = with(|world| (world.records_since, world.running) = (25, Running::default()));
    assert_eq!(awaiting.of(Cause::Sweep), release("new", Some("v2")));
}

fn working(phase: Phase, holder: Liveness) -> World {
    with(|world| {
        world.record = Record { verified: world.record.verified.clone(), ..held("sha256:new", phase) };
        world.holder = holder;
    })
}

#[test]
fn who_is_at_work_is_left_to_it_waited_for_or_relieved() {
    let alive = working(Phase::Verifying, Liveness::Running);
    assert_eq!(ignored(&alive.of(Cause::Push)), "other rolls it out already");
    assert_eq!(ignored(&alive.of(Cause::Sweep)), "other rolls it out already");
    assert_eq!(
        alive.of(Cause::Configuration),
        Decision::Wait("the rollout other".into()),
        "even if nothing differs now"
    );
    assert_eq!(alive.says(Cause::Person, Some("nightly"), None), release("other", Some("nightly")));
    let dead = working(Phase::Releasing, Liveness::EndedLately);
    assert_eq!(dead.of(Cause::Push), Decision::Wait("other, which ended only just now".into()));
    assert_eq!(working(Phase::Releasing, Liveness::Gone).of(Cause::Push), release("new", Some("v2")));
}

#[test]
fn what_a_dead_rollout_left_is_finished_or_taken_back_by_the_sweep() {
    let dead = |phase, holder, rejected| {
        let world = working(phase, holder);
        World { rejected, ..world }
    };
    assert_eq!(dead(Phase::Verifying, Liveness::Gone, None).of(Cause::Sweep), release("new", Some("v2")));
    for phase in [Phase::Releasing, Phase::RollingBack, Phase::Returning] {
        assert_eq!(dead(phase, Liveness::Gone, Some("bad")).of(Cause::Sweep), Decision::Return);
        assert!(ignored(&dead(phase, Liveness::Gone, Some("bad")).of(Cause::Push)).contains("rejected"));
        assert!(ignored(&dead(phase, Liveness::Running, Some("bad")).of(Cause::Sweep)).contains("rejected"));
    }
    let late = dead(Phase::RollingBack, Liveness::EndedLately, Some("bad")).of(Cause::Sweep);
    assert!(matches!(late, Decision::Wait(who) if who.ends_with("which ended only just now")));
    assert_eq!(dead(Phase::Returning, Liveness::EndedLately, Some("bad")).of(Cause::Sweep), Decision::Return);
    let gone = World { images: Vec::new(), ..dead(Phase::Verifying, Liveness::Gone, None) };
    assert_eq!(gone.of(Cause::Sweep), Decision::Return);
}

proptest! {
    #[test]
    fn nothing_but_a_person_releases_what_was_rejected(
        cause in select(CAUSES.to_vec()),
        phase in select(vec![None, Some(Phase::Releasing), Some(Phase::Verifying), Some(Phase::Returning)]),
        holder in select(vec![Liveness::Running, Liveness::EndedLately, Liveness::Gone]),
        (same, desired, since) in (any::<bool>(), 0..2u32, prop::option::of(0..200i64)),
    ) {
        let mut world = phase.map_or_else(world, |phase| working(phase, holder));
        (world.running.same_settings, world.running.desired, world.since) = (same, desired, since);
        world.rejected = Some("bad");
        let decision = world.of(cause);
        prop_assert!(cause.is_person() || !matches!(decision, Decision::Release(_)), "{decision:?}");
        world.rejected = None;
        world.record.suspended = Some(Suspended { at: 0, reason: String::new() });
        let held = !cause.is_person() && cause != Cause::Configuration;
        let is_held = matches!(world.of(cause), Decision::Ignore(Reason::Suspended { .. }));
        prop_assert_eq!(is_held, held);
    }
}

#[test]
fn what_waits_for_a_parameter_is_what_the_sweep_would_start() {
    assert_eq!(waiting(&world().now()).map(|choice| choice.digest).as_deref(), Some("sha256:new"));
    let passed = with(|world| world.record.passed_over = Some("sha256:new".into()));
    assert_eq!(waiting(&passed.now()), None);
    let runs = with(|world| world.running.digest = Some("sha256:new".into()));
    assert_eq!(waiting(&runs.now()), None);
}

#[test]
fn an_apply_takes_back_what_a_dead_rollout_of_a_rejected_image_has_left() {
    let dead = |cause| {
        let world = with(|world| {
            world.record.lease = held("sha256:new", Phase::Verifying).lease;
            (world.holder, world.rejected) = (Liveness::Gone, Some("it crashed"));
            world.running.digest = Some("sha256:new".into());
        });
        world.of(cause)
    };
    assert_eq!(dead(Cause::Configuration), Decision::Return);
    assert_eq!(dead(Cause::Sweep), Decision::Return);
    assert!(matches!(dead(Cause::Secret), Decision::Ignore(_)));
}
