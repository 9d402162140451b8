//! Cases of what is remembered of a service while other hands are at it, and of calls that AWS refuses.

use skydeck_core::rollout::ledger::Verdict::{Refused, RolledBack, Succeeded, Superseded, Unverified};

use super::USUAL;
use crate::table::case::{Before, Case, Kind, Step};

/// Why fewer targets may be healthy.
const BY_HAND: &str = "somebody took its tasks";

fn case(label: &str) -> Case {
    Case::new(Kind::Records, Before::Good, USUAL, label)
}

/// So many calls of a function are refused.
fn refuse(function: &'static str, call: (&'static str, &'static str), times: u32) -> Step {
    Step::Refuse { function, call, says: ("AccessDeniedException", "the table wants it so"), times }
}

/// What a function has made or seen is unknown to so many of its next writes.
fn unknown(function: &'static str, says: (&'static str, &'static str)) -> Step {
    Step::Refuse { function, call: ("ecs", "UpdateService"), says, times: 5 }
}

const REVISION: (&str, &str) = ("ClientException", "TaskDefinition not found.");
const SERVICE: (&str, &str) = ("ServiceNotFoundException", "Service not found.");

/// What a function may not do, or does not see, says nothing of an image.
pub(super) fn trouble() -> Vec<Case> {
    // A look that is denied is tried four times, and each time whether the service is gone is asked by the same call.
    let one_look = refuse("look", ("ecs", "DescribeServices"), 8);
    let five_looks = || refuse("look", ("ecs", "DescribeServices"), 40);
    let young = Step::Refuse {
        function: "decide",
        call: ("states", "DescribeExecution"),
        says: ("ExecutionDoesNotExist", "Execution Does Not Exist"),
        times: 2,
    };
    vec![
        case("a manifest that does not say its media type").push("v2", "podman").told("v2", Succeeded),
        case("the image may not be kept")
            .then(refuse("settle", ("ecr", "PutImage"), 0))
            .push("v2", "healthy")
            .told("v2", Succeeded),
        case("one bad look").then(one_look).push("v2", "healthy").told("v2", Succeeded),
        case("five bad looks in a row").then(five_looks()).push("v2", "healthy").told("v2", RolledBack),
        case("five bad looks in a row, and an image that crashes")
            .then(five_looks())
            .push("v2", "crash")
            .told("v2", RolledBack)
            .then(Step::Settled)
            .push("v3", "healthy")
            .told("v3", Succeeded),
        case("an execution that is not known yet")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .then(young)
            .push("v3", "healthy")
            .maybe("v2", Superseded)
            .maybe("v2", Succeeded)
            .told("v3", Succeeded),
        case("a revision that is not known yet")
            .then(unknown("release", REVISION))
            .push("v2", "healthy")
            .told("v2", Succeeded),
        case("a service that is not known yet")
            .then(unknown("release", SERVICE))
            .push("v2", "healthy")
            .told("v2", Succeeded),
        case("on the way back, a revision that is not known yet")
            .then(unknown("rollback", REVISION))
            .push("v2", "crash")
            .told("v2", RolledBack),
    ]
}

/// Other hands have been at what a rollback needs, or at the service itself.
pub(super) fn hands() -> Vec<Case> {
    vec![
        case("the revision that runs is deregistered, then a bad one")
            .then(Step::Deregister)
            .push("v2", "crash")
            .told("v2", RolledBack),
        case("the revision that runs is deregistered, then a good one")
            .then(Step::Deregister)
            .push("v2", "healthy")
            .told("v2", Succeeded),
        case("the image that runs is deleted, then a bad one")
            .push("v2", "healthy")
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Delete { image: "v2" })
            .push("v3", "crash")
            .told("v3", RolledBack)
            .serves("v1"),
        case("the service is deleted and made again, then a bad one and a good one")
            .then(Step::Remake)
            .push("v2", "crash")
            .told("v2", RolledBack)
            .then(Step::Settled)
            .push("v3", "healthy")
            .told("v3", Succeeded)
            .gap(BY_HAND),
        case("scaled to zero by hand, then a bad one")
            .then(Step::Scale(0))
            .push("v2", "crash")
            .told("v2", Unverified)
            .serves_nothing()
            .gap(BY_HAND),
    ]
}

/// What was refused, or is pushed once more.
pub(super) fn again() -> Vec<Case> {
    let missing = |before, label, image: &'static str| {
        let case = Case::new(Kind::Records, before, USUAL, label).then(Step::Parameter(None));
        let case = case.push(image, "healthy").told(image, Refused).maybe(image, Refused).then(Step::Settled);
        case.then(Step::Parameter(Some("at last"))).told(image, Succeeded)
    };
    vec![
        missing(Before::Good, "a parameter comes late", "v2"),
        missing(Before::Nothing, "a parameter comes late for a first image", "v1"),
        case("an older one is pushed again by another tag, and stays")
            .push("v2", "healthy")
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Again { image: "v1", tag: "v3" })
            .told("v1", Succeeded)
            .then(Step::Settled)
            .then(Step::Sweep),
        case("an older one is pushed again after a bad one")
            .push("v2", "crash")
            .told("v2", RolledBack)
            .then(Step::Settled)
            .then(Step::Again { image: "v1", tag: "v3" })
            .ignored("runs already"),
    ]
}
