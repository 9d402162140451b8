//! Cases of pushes: what becomes of their events, and what else goes on beside them.

use skydeck_core::rollout::ledger::Verdict::{RolledBack, Succeeded, Superseded};
use skydeck_sandbox::EventFaultKind::{Delay, Double, Lose, Reorder};

use super::{CAREFUL, USUAL};
use crate::table::case::{Before, Case, Kind, Step};

pub(super) fn events() -> Vec<Case> {
    let case = |label| Case::new(Kind::Events, Before::Good, USUAL, label);
    let careful = |label| Case::new(Kind::Events, Before::Good, CAREFUL, label);
    vec![
        case("lost, good").then(Step::Disturb(Lose, 0)).push("v2", "healthy").then(Step::Sweep).told("v2", Succeeded),
        case("lost, bad, and swept twice")
            .then(Step::Disturb(Lose, 0))
            .push("v2", "crash")
            .then(Step::Sweep)
            .told("v2", RolledBack)
            .then(Step::Settled)
            .then(Step::Sweep),
        case("the second of two lost")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .then(Step::Disturb(Lose, 0))
            .push("v3", "healthy")
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Sweep)
            .told("v3", Succeeded),
        careful("doubled, good")
            .then(Step::Disturb(Double { after: 0.0 }, 1))
            .push("v2", "healthy")
            .told("v2", Succeeded),
        case("doubled late, good")
            .then(Step::Disturb(Double { after: 600.0 }, 1))
            .push("v2", "healthy")
            .told("v2", Succeeded)
            .ignored("runs already"),
        case("doubled, bad").then(Step::Disturb(Double { after: 1.0 }, 1)).push("v2", "crash").told("v2", RolledBack),
        case("doubled late, bad")
            .then(Step::Disturb(Double { after: 900.0 }, 1))
            .push("v2", "crash")
            .told("v2", RolledBack)
            .ignored("was rejected before"),
        case("delayed, good")
            .then(Step::Disturb(Delay { seconds: 120.0 }, 1))
            .push("v2", "healthy")
            .told("v2", Succeeded),
        careful("delayed until after a newer one")
            .then(Step::Disturb(Delay { seconds: 300.0 }, 1))
            .push("v2", "healthy")
            .push("v3", "healthy")
            .told("v3", Succeeded)
            .ignored("is not the image that the policy wants now"),
        case("two good ones in reverse")
            .then(Step::Disturb(Reorder { among: 2 }, 2))
            .push("v2", "healthy")
            .push("v3", "healthy")
            .told("v3", Succeeded)
            .ignored("is not the image that the policy wants now"),
        case("a good one and a bad one in reverse")
            .then(Step::Disturb(Reorder { among: 2 }, 2))
            .push("v2", "healthy")
            .push("v3", "crash")
            .told("v3", RolledBack)
            .ignored("is not the image that the policy wants now"),
    ]
}

pub(super) fn together() -> Vec<Case> {
    let case = |label| Case::new(Kind::Together, Before::Good, USUAL, label);
    let careful = |label| Case::new(Kind::Together, Before::Good, CAREFUL, label);
    vec![
        careful("two good ones, the second while the first rolls out")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .push("v3", "healthy")
            .told("v2", Superseded)
            .told("v3", Succeeded),
        case("two good ones at once")
            .push("v2", "healthy")
            .push("v3", "healthy")
            .maybe("v2", Superseded)
            .told("v3", Succeeded),
        careful("a good one, then a bad one")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .push("v3", "crash")
            .told("v2", Superseded)
            .told("v3", RolledBack),
        case("a bad one, then a good one")
            .push("v2", "hang")
            .then(Step::Started(1))
            .push("v3", "healthy")
            .told("v2", Superseded)
            .told("v3", Succeeded),
        case("two bad ones")
            .push("v2", "hang")
            .then(Step::Started(1))
            .push("v3", "crash")
            .told("v2", Superseded)
            .told("v3", RolledBack),
        careful("three in a row")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .push("v3", "healthy")
            .then(Step::Started(2))
            .push("v4", "healthy")
            .told("v2", Superseded)
            .told("v3", Superseded)
            .told("v4", Succeeded),
        case("three at once, a bad one among them")
            .push("v2", "healthy")
            .push("v3", "hang")
            .push("v4", "healthy")
            .maybe("v2", Superseded)
            .maybe("v3", Superseded)
            .told("v4", Succeeded),
        case("one that ends later, then a good one")
            .push("v2", "crash-later")
            .then(Step::Started(1))
            .push("v3", "healthy")
            .told("v2", Superseded)
            .told("v3", Succeeded),
    ]
}

/// Pushes beside something else, or of what is known already.
pub(super) fn beside() -> Vec<Case> {
    let case = |label| Case::new(Kind::Together, Before::Good, USUAL, label);
    vec![
        case("a sweep while a good one rolls out")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .then(Step::Sweep)
            .told("v2", Succeeded),
        case("the same image by two tags")
            .push("v2", "healthy")
            .then(Step::Again { image: "v2", tag: "v2-again" })
            .told("v2", Succeeded),
        case("an older one gets a tag, and is the newest by that")
            .push("v2", "healthy")
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Again { image: "v1", tag: "v1-again" })
            .told("v1", Succeeded),
        Case::new(Kind::Together, Before::Nothing, USUAL, "two first images at once")
            .push("v1", "healthy")
            .push("v2", "healthy")
            .maybe("v1", Superseded)
            .told("v2", Succeeded),
    ]
}

/// One tag decides: giving it to another image is what rolls out.
pub(super) fn by_tag() -> Vec<Case> {
    let live = |image, behaves| Step::Push { image, tag: "live", behaves };
    let case = |label| Case::new(Kind::Together, Before::Nothing, USUAL, label).by_tag().then(live("v1", "healthy"));
    vec![
        case("the tag goes back to an older image")
            .told("v1", Succeeded)
            .then(Step::Settled)
            .then(live("v2", "healthy"))
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Again { image: "v1", tag: "live" })
            .told("v1", Succeeded),
        case("the tag leaves a bad image while that rolls out")
            .told("v1", Succeeded)
            .then(Step::Settled)
            .then(live("v2", "hang"))
            .then(Step::Started(2))
            .told("v2", Superseded)
            .then(Step::Again { image: "v1", tag: "live" })
            .told("v1", Succeeded),
        case("another tag is nobody's business")
            .told("v1", Succeeded)
            .then(Step::Settled)
            .push("v2", "healthy")
            .ignored("is outside the service's policy"),
    ]
}
