//! All cases, with their labels.

use skydeck_core::rollout::ledger::Verdict::{Refused, RolledBack, Succeeded, Superseded};
use skydeck_sandbox::EventFaultKind::{Delay, Double, Lose, Reorder};

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
    [images(), rejected(), events(), together(), by_tag(), applies(), dead_letters(), deaths(), people(), secrets()]
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

fn events() -> Vec<Case> {
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

fn together() -> Vec<Case> {
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
        case("a sweep while a good one rolls out")
            .push("v2", "healthy")
            .then(Step::Started(1))
            .then(Step::Sweep)
            .told("v2", Succeeded),
        case("the same image by two tags")
            .push("v2", "healthy")
            .then(Step::Again { image: "v2", tag: "v2-again" })
            .told("v2", Succeeded),
        case("an older one gets a tag, and stays the older one")
            .push("v2", "healthy")
            .told("v2", Succeeded)
            .then(Step::Settled)
            .then(Step::Again { image: "v1", tag: "v1-again" })
            .ignored("is not the image that the policy wants now"),
        Case::new(Kind::Together, Before::Nothing, USUAL, "two first images at once")
            .push("v1", "healthy")
            .push("v2", "healthy")
            .maybe("v1", Superseded)
            .told("v2", Succeeded),
    ]
}

/// One tag decides: giving it to another image is what rolls out.
fn by_tag() -> Vec<Case> {
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
