//! All cases, with their labels.

mod health;
mod images;
mod pushes;
mod records;

use skydeck_core::rollout::ledger::Verdict::{Refused, RolledBack, Succeeded, Superseded};

use health::health;
use pushes::{beside, by_tag, events, together};

use super::case::{Before, Case, Kind, Size, Step, is_good};

/// A new task starts before an old one stops.
const CAREFUL: Size = Size { desired: 2, minimum: 100, maximum: 200 };
/// An old task stops before a new one starts.
const TIGHT: Size = Size { desired: 2, minimum: 50, maximum: 100 };
/// Both at once.
const LOOSE: Size = Size { desired: 4, minimum: 50, maximum: 200 };
/// As the internal services of `SkyFox` have it.
const USUAL: Size = Size { desired: 2, minimum: 50, maximum: 150 };
/// One task, which goes before the next one comes.
const SINGLE: Size = Size { desired: 1, minimum: 0, maximum: 100 };
/// No gap at all, and room for one task more.
const CLOSE: Size = Size { desired: 3, minimum: 100, maximum: 150 };

/// Why nobody could keep the old tasks.
const LATE: &str = "its tasks were healthy, so that ECS let the old ones go, and ended after that";

/// All of them.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        images(),
        health(),
        images::beside(),
        images::platforms(),
        images::arrivals(),
        images::policies(),
        rejected(),
        events(),
        together(),
        beside(),
        by_tag(),
        applies(),
        dead_letters(),
        deaths(),
        people(),
        secrets(),
        records::trouble(),
        records::hands(),
        records::again(),
    ]
    .concat()
}

fn verdict(case: Case, image: &'static str, behaves: &'static str) -> Case {
    let case = case.push(image, behaves);
    match behaves {
        "amd64" => case.told(image, Refused),
        "crash-later" => case.told(image, RolledBack).gap(LATE),
        _ if is_good(behaves) => case.told(image, Succeeded),
        _ => case.told(image, RolledBack),
    }
}

fn images() -> Vec<Case> {
    let table: [(Before, Size, &[&str]); 7] = [
        (
            Before::Good,
            CAREFUL,
            &[
                "healthy",
                "slow:3",
                "large:60",
                "crash",
                "crash-later",
                "error",
                "wrong-path",
                "hang",
                "slow:20",
                "amd64",
                "too-big",
            ],
        ),
        (Before::Good, TIGHT, &["healthy", "crash", "crash-later", "error", "wrong-path", "hang"]),
        (Before::Good, LOOSE, &["healthy", "large:60", "crash-later", "too-big"]),
        (Before::Good, CLOSE, &["healthy", "error"]),
        (Before::Good, SINGLE, &["healthy", "crash-later"]),
        (
            Before::Nothing,
            USUAL,
            &["healthy", "slow:3", "crash", "crash-later", "error", "wrong-path", "hang", "amd64", "too-big"],
        ),
        (Before::OnlyRejected, USUAL, &["healthy", "error"]),
    ];
    let cases = table.into_iter().flat_map(|(before, size, behaviours)| {
        behaviours.iter().map(move |behaves| {
            let Size { desired, minimum, maximum } = size;
            let after = match before {
                Before::Nothing => "first image",
                Before::Good | Before::Rejected => "after a good one",
                Before::OnlyRejected => "after a rejected first one",
            };
            let label = format!("{behaves}, {after}, {desired} tasks, {minimum}/{maximum}");
            let image = if before == Before::Nothing { "v1" } else { "v2" };
            verdict(Case::new(Kind::Images, before, size, label), image, behaves)
        })
    });
    cases.collect()
}

/// After a good one and one that was rejected.
fn rejected() -> Vec<Case> {
    let case = |label| Case::new(Kind::Images, Before::Rejected, USUAL, label);
    vec![
        verdict(case("healthy, after a rejected one"), "v3", "healthy"),
        verdict(case("crash, after a rejected one"), "v3", "crash"),
        case("a rejected one is pushed again by another tag")
            .then(Step::Again { image: "v2", tag: "v2-again" })
            .ignored("was rejected before")
            .then(Step::Settled)
            .then(Step::Sweep),
    ]
}

fn applies() -> Vec<Case> {
    let case = |label| Case::new(Kind::Applies, Before::Good, CAREFUL, label);
    vec![
        case("an apply while nothing rolls out").then(Step::Apply).told("v1", Succeeded),
        case("an apply while a good one rolls out")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .then(Step::Apply)
            .told("v2", Succeeded)
            .told("v2", Succeeded),
        case("an apply while a bad one rolls out")
            .push("v2", "hang")
            .then(Step::Started(1))
            .then(Step::Apply)
            .told("v2", RolledBack)
            .told("v1", Succeeded),
        case("a good one while an apply goes on")
            .then(Step::Apply)
            .push("v2", "healthy")
            .maybe("v1", Superseded)
            .maybe("v1", Succeeded)
            .told("v2", Succeeded)
            .maybe("v2", Succeeded),
        case("a bad one while an apply goes on")
            .then(Step::Apply)
            .push("v2", "crash")
            .maybe("v1", Superseded)
            .maybe("v1", Succeeded)
            .told("v2", RolledBack)
            .serves("v1"),
        Case::new(Kind::Applies, Before::Nothing, CAREFUL, "an apply while a first image rolls out")
            .push("v1", "healthy")
            .then(Step::Started(1))
            .then(Step::Apply)
            .told("v1", Succeeded)
            .told("v1", Succeeded),
    ]
}

fn dead_letters() -> Vec<Case> {
    let case = |label, behaves| {
        let case = Case::new(Kind::DeadLetters, Before::Good, USUAL, label);
        case.then(Step::Forbid).push("v2", behaves).then(Step::Allow).then(Step::Sweep)
    };
    vec![
        case("a good one whose event could not be delivered", "healthy").told("v2", Succeeded),
        case("a bad one whose event could not be delivered", "error").told("v2", RolledBack),
    ]
}

fn deaths() -> Vec<Case> {
    let died = |label, behaves| {
        let case = Case::new(Kind::Deaths, Before::Good, USUAL, label);
        case.push("v2", behaves).then(Step::Started(1)).then(Step::Stop).untold()
    };
    vec![
        died("a good one dies, and the sweep finds it", "healthy").then(Step::Sweep).told("v2", Succeeded),
        died("a bad one dies, and the sweep finds it", "hang").then(Step::Sweep).told("v2", RolledBack),
        died("a bad one dies, and a good one is pushed", "hang").push("v3", "healthy").told("v3", Succeeded),
        died("a good one dies, and a bad one is pushed", "healthy").push("v3", "crash").told("v3", RolledBack),
    ]
}

fn people() -> Vec<Case> {
    let case = |label| Case::new(Kind::People, Before::Good, USUAL, label);
    vec![
        case("a rollback, and the image that was left is pushed again")
            .push("v2", "healthy")
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Command(&["rollback", "SERVICE"]))
            .told("v1", Succeeded)
            .then(Step::Again { image: "v2", tag: "v2-again" })
            .ignored("a person chose another image")
            .then(Step::Settled)
            .then(Step::Sweep),
        case("a rollback while a bad one rolls out")
            .push("v2", "hang")
            .then(Step::Started(1))
            .then(Step::Command(&["rollback", "SERVICE"]))
            .told("v2", Superseded)
            .told("v1", Succeeded)
            .then(Step::Settled)
            .then(Step::Sweep),
        case("suspended, pushed and resumed")
            .then(Step::Command(&["suspend", "SERVICE"]))
            .push("v2", "healthy")
            .ignored("the service is suspended")
            .then(Step::Settled)
            .then(Step::Command(&["resume", "SERVICE"]))
            .then(Step::Sweep)
            .told("v2", Succeeded),
        case("suspended while a bad one rolls out")
            .push("v2", "crash")
            .then(Step::Started(1))
            .then(Step::Command(&["suspend", "SERVICE"]))
            .told("v2", RolledBack),
        case("an older one is asked for while a newer one rolls out")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .then(Step::Command(&["rollout", "SERVICE", "--image", "DIGEST:v1", "--no-follow"]))
            .told("v2", Superseded)
            .told("v1", Succeeded)
            .then(Step::Settled)
            .then(Step::Sweep),
        Case::new(Kind::People, Before::Rejected, USUAL, "a rejected one is asked for, and is still bad")
            .then(Step::Command(&["rollout", "SERVICE", "--image", "DIGEST:v2", "--no-follow"]))
            .told("v2", RolledBack),
        case("an older one is asked for, and stays")
            .push("v2", "healthy")
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Command(&["rollout", "SERVICE", "--image", "DIGEST:v1"]))
            .told("v1", Succeeded)
            .then(Step::Sweep),
    ]
}

fn secrets() -> Vec<Case> {
    let case = |label| Case::new(Kind::Secrets, Before::Good, USUAL, label);
    vec![
        case("a parameter changes").then(Step::Parameter(Some("another"))).told("v1", Succeeded),
        case("a parameter changes while a good one rolls out")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .then(Step::Parameter(Some("another")))
            .told("v2", Succeeded)
            .told("v2", Succeeded),
        case("a parameter changes while a bad one rolls out")
            .push("v2", "hang")
            .then(Step::Started(1))
            .then(Step::Parameter(Some("another")))
            .told("v2", RolledBack)
            .told("v1", Succeeded),
        case("a parameter is missing, and comes back")
            .then(Step::Parameter(None))
            .push("v2", "healthy")
            .told("v2", Refused)
            .maybe("v2", Refused)
            .then(Step::Settled)
            .then(Step::Parameter(Some("again")))
            .maybe("v1", Succeeded)
            .then(Step::Settled)
            .then(Step::Sweep)
            .told("v2", Succeeded),
    ]
}
