//! Cases of what lies in a repository: things that are no images, images for other processors, odd events, policies.

use skydeck_core::rollout::ledger::Verdict::{Refused, RolledBack, Succeeded};
use skydeck_sandbox::EventFaultKind::Lose;

use super::USUAL;
use crate::table::case::{Before, Case, Kind, Step};

const ACTION: &str = "ECR Image Action";

/// Things that are no images and lie beside one.
pub(super) fn beside() -> Vec<Case> {
    let case = |label| Case::new(Kind::Images, Before::Good, USUAL, label);
    let sign = |behaves| Step::Push { image: behaves, tag: "sha256-0123.sig", behaves };
    vec![
        case("a signature is pushed after a good one")
            .push("v2", "healthy")
            .then(sign("signature"))
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Sweep),
        case("a signature is pushed, and the image's event is lost")
            .then(Step::Disturb(Lose, 0))
            .push("v2", "healthy")
            .then(sign("signature"))
            .then(Step::Sweep)
            .told("v2", Succeeded),
        case("nothing but an attestation is pushed")
            .then(sign("attestation"))
            .ignored("is not a container image")
            .then(Step::Settled)
            .then(Step::Sweep),
        case("a chart is the newest").then(sign("chart")).then(Step::Settled).then(Step::Sweep),
        case("what refers to an image is the newest").then(sign("referrer")).then(Step::Settled).then(Step::Sweep),
        case("a bad one, then its signature")
            .push("v2", "crash")
            .then(sign("signature"))
            .told("v2", RolledBack)
            .then(Step::Settled)
            .then(Step::Sweep),
        Case::new(Kind::Images, Before::Nothing, USUAL, "a signature comes before the first image")
            .then(sign("signature"))
            .ignored("is not a container image")
            .then(Step::Settled)
            .then(Step::Sweep)
            .then(Step::Settled)
            .push("v1", "healthy")
            .told("v1", Succeeded),
    ]
}

/// Images whose manifest does not say for which processor they are.
pub(super) fn platforms() -> Vec<Case> {
    let case = |label| Case::new(Kind::Images, Before::Good, USUAL, label);
    vec![
        case("one for amd64 without an index").push("v2", "plain-amd64").told("v2", Refused),
        case("a program for another processor in an image that says arm64")
            .push("v2", "other-processor")
            .told("v2", RolledBack),
        case("an index that names no platform").push("v2", "unsaid").told("v2", Succeeded),
        Case::new(Kind::Images, Before::Nothing, USUAL, "a first one for amd64 without an index")
            .push("v1", "plain-amd64")
            .told("v1", Refused),
    ]
}

/// Events that are not those of a plain push.
pub(super) fn arrivals() -> Vec<Case> {
    let lost = |label| {
        let case = Case::new(Kind::Events, Before::Good, USUAL, label);
        case.then(Step::Disturb(Lose, 0)).push("v2", "healthy")
    };
    let odd = |label, set, reason| {
        let case = lost(label).then(Step::Event { image: "v2", kind: ACTION, set }).ignored(reason);
        case.then(Step::Sweep).told("v2", Succeeded)
    };
    vec![
        odd("an event with an empty tag", &[("image-tag", Some(""))], "has no tag"),
        odd("an event without a result", &[("result", None)], "has no result"),
        odd("an event without an action", &[("action-type", None)], "has no action-type"),
        lost("an image is replicated into the repository")
            .then(Step::Event {
                image: "v2",
                kind: "ECR Replication Action",
                set: &[("action-type", Some("REPLICATE")), ("source-region", Some("us-east-1"))],
            })
            .told("v2", Succeeded),
        lost("an image is pulled through")
            .then(Step::Event {
                image: "v2",
                kind: "ECR Pull Through Cache Action",
                set: &[("action-type", None), ("result", None), ("sync-status", Some("SUCCESS"))],
            })
            .told("v2", Succeeded),
    ]
}

/// Policies that compare versions.
pub(super) fn policies() -> Vec<Case> {
    let push = |tag: &'static str, behaves| Step::Push { image: tag, tag, behaves };
    let first = |label| Case::new(Kind::Images, Before::Nothing, USUAL, label);
    vec![
        first("calendar versions: the highest, not the latest")
            .by("numeric = \"SERVICE.*.*.*\"")
            .then(push("2022.10.1", "healthy"))
            .told("2022.10.1", Succeeded)
            .then(Step::Settled)
            .then(push("2022.04.2", "healthy"))
            .ignored("is not the image that the policy wants now"),
        first("calendar versions: a later one that crashes")
            .by("numeric = \"SERVICE.*.*.*\"")
            .then(push("2022.04.2", "healthy"))
            .told("2022.04.2", Succeeded)
            .then(Step::Settled)
            .then(push("2022.04.10", "crash"))
            .told("2022.04.10", RolledBack)
            .serves("2022.04.2"),
    ]
}
