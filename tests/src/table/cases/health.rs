//! Cases of what is healthy, and of who says so: the load balancer, and a check inside the container where the file has one.

use skydeck_core::rollout::ledger::Verdict::{RolledBack, Succeeded};

use super::{CAREFUL, USUAL};
use crate::table::case::{Before, Case, Kind};

/// Checks inside the container; the image says which programs it has.
const WGET: &str = r#"container-check = { command = ["CMD-SHELL", "wget -qO- http://localhost:PORT/SERVICE/health || exit 1"], interval-seconds = 5, retries = 2, start-seconds = 10 }"#;
const CURL: &str = r#"container-check = { command = ["CMD-SHELL", "curl -f http://localhost:PORT/SERVICE/health || exit 1"], interval-seconds = 5, retries = 2, start-seconds = 10 }"#;
const OWN: &str =
    r#"container-check = { command = ["CMD", "/app/check"], interval-seconds = 5, retries = 2, start-seconds = 10 }"#;
const LIVE: &str = r#"container-check = { command = ["CMD-SHELL", "wget -qO- http://localhost:PORT/live || exit 1"], interval-seconds = 5, retries = 2, start-seconds = 10 }"#;

pub(super) fn health() -> Vec<Case> {
    let good = |label| Case::new(Kind::Health, Before::Good, USUAL, label);
    let first = |label| Case::new(Kind::Health, Before::Nothing, USUAL, label);
    vec![
        good("an image with nothing but its server, and no check inside").push("v2", "healthy").told("v2", Succeeded),
        first("a check inside by wget, which the image has")
            .set(WGET)
            .having("sh wget")
            .push("v1", "healthy")
            .told("v1", Succeeded),
        good("a check inside by a program of the image's own")
            .set(OWN)
            .having("check=0")
            .push("v2", "healthy")
            .told("v2", Succeeded),
        first("a check inside by curl, which the image does not have")
            .set(CURL)
            .having("sh wget")
            .push("v1", "healthy")
            .told("v1", RolledBack),
        first("a check inside by a shell, in an image without one")
            .set(WGET)
            .push("v1", "healthy")
            .told("v1", RolledBack),
        good("a check inside that fails later")
            .set(LIVE)
            .having("sh wget")
            .push("v2", "fails-check-later")
            .told("v2", RolledBack)
            .gap("its tasks were healthy, so that ECS let the old ones go, and failed their check after that"),
        good("a check inside, and an image that answers errors")
            .set(WGET)
            .having("sh wget")
            .push("v2", "error")
            .told("v2", RolledBack),
        good("401 is healthy, and the image answers that").answering(401).push("v2", "healthy").told("v2", Succeeded),
        Case::new(Kind::Health, Before::Good, CAREFUL, "old tasks that take half an hour to drain")
            .set("deregistration-delay-seconds = 1800")
            .push("v2", "healthy")
            .told("v2", Succeeded),
    ]
}
