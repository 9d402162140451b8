//! What ECS and the target group say of a service.

use serde::{Deserialize, Serialize};

use super::{Check, Name, Outcome};

/// What was seen of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whether its repository was empty when it was last applied.
    pub awaits_image: bool,
    /// Tasks wanted.
    pub desired: u32,
    /// Tasks of its task definition that run.
    pub running: u32,
    /// Why ECS gave its deployment up, where it did.
    pub given_up: Option<String>,
    /// Why its last task stopped, where one did.
    pub stopped: Option<String>,
    /// What ECS said last of it, such as that it finds no room; or why Auto Scaling starts no instance for it.
    pub event: Option<String>,
    /// Tasks that pass their container's check; `None` where the file asks for none.
    pub passing: Option<u32>,
    /// The targets of its target group.
    pub targets: Vec<Target>,
}

/// A target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Instance and port.
    pub id: String,
    /// AWS's word: `healthy`, `initial`, `unhealthy`, `draining`, `unused`.
    pub state: String,
    /// Why, in AWS's words.
    pub why: Option<String>,
}

/// Checks a service by what was seen; `None` is a service that is not there.
#[must_use]
pub fn look(service: &str, seen: Option<&Seen>) -> Vec<Check> {
    let check = |check, outcome, evidence: String| Check { service: service.to_owned(), check, outcome, evidence };
    let Some(seen) = seen else {
        return vec![check(Name::Tasks, Outcome::Failed, "ECS has no such service any more".into())];
    };
    if seen.awaits_image {
        return vec![check(Name::Tasks, Outcome::Skipped, "no image yet".into())];
    }
    if seen.desired == 0 {
        return vec![check(Name::Tasks, Outcome::Skipped, "scaled to zero".into())];
    }
    let health = seen.passing.map(|passing| health(passing, seen.desired, &check));
    [tasks(seen, &check), targets(seen, &check)].into_iter().chain(health).collect()
}

/// Whether as many tasks as wanted pass their container's check.
fn health(passing: u32, desired: u32, check: &dyn Fn(Name, Outcome, String) -> Check) -> Check {
    let outcome = if passing >= desired { Outcome::Ok } else { Outcome::NotYet };
    check(Name::Health, outcome, format!("{passing} of {desired} tasks pass their container's check"))
}

fn tasks(seen: &Seen, check: &dyn Fn(Name, Outcome, String) -> Check) -> Check {
    let counts = format!("{} of {} tasks running", seen.running, seen.desired);
    let with = |counts: String, why: Option<&String>| match why {
        Some(why) => format!("{counts} ({})", why.trim_end_matches('.')),
        None => counts,
    };
    if let Some(reason) = &seen.given_up {
        // Why its tasks stopped says more than that they did.
        let evidence = with(with(counts, seen.stopped.as_ref()), Some(reason));
        return check(Name::Tasks, Outcome::Failed, evidence);
    }
    if seen.running == seen.desired {
        return check(Name::Tasks, Outcome::Ok, counts);
    }
    check(Name::Tasks, Outcome::NotYet, with(counts, seen.stopped.as_ref().or(seen.event.as_ref())))
}

fn targets(seen: &Seen, check: &dyn Fn(Name, Outcome, String) -> Check) -> Check {
    // What drains belongs to a task that goes.
    let standing: Vec<&Target> = seen.targets.iter().filter(|target| target.state != "draining").collect();
    let healthy = standing.iter().filter(|target| target.state == "healthy").count();
    let wanted = standing.len().max(usize::try_from(seen.desired).unwrap_or(usize::MAX));
    let counts = format!("{healthy} of {wanted} targets healthy");
    if healthy == wanted {
        return check(Name::Targets, Outcome::Ok, counts);
    }
    let sick = standing.iter().find(|target| target.state == "unhealthy");
    let evidence = match sick.and_then(|target| Some((&target.id, target.why.as_ref()?))) {
        Some((id, why)) => format!("{counts} ({id}: {})", why.trim_end_matches('.')),
        None => counts,
    };
    check(Name::Targets, Outcome::NotYet, evidence)
}
