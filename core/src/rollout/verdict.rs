//! The verdict of a rollout, as early as the evidence allows and never earlier: what was released, is it all that runs, does
//! it serve; and if it does not, is that the image's fault or the platform's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::stop::{Kind, Stop};
use crate::layer::service::short;
use crate::verdict::{Check, Fault, Name, Outcome, Questions, Round, Status, Streak, Target, Verification};

/// Good looks in a row that make a success.
const GOOD_LOOKS: u32 = 3;
/// For each task of the released definition that has stopped by its own fault, so many more: it may stop again.
const PER_STOP: u32 = 12;
/// Seconds for which every task of the release has to run. What is wrong with a program that comes up mostly shows within its first
/// minute: connections time out after 30 or 60 seconds by default, and a start that takes too much memory is over. ECS's own
/// circuit breaker looks at a task no longer than until it is healthy.
const STEADY_SECONDS: u32 = 75;
/// What ECS says of a service where no instance has room for a task. It need not say so of tasks that wait for a capacity provider.
const NO_ROOM: &str = "unable to place a task";
/// Looks in a row in which the last instance that Auto Scaling tried to start did not: it tries again, in other zones too.
const FAILED_LAUNCH_LOOKS: u32 = 24;
/// Looks in a row that have to find no room: what a look reads at one moment, AWS does not tell of one moment.
const FULL_LOOKS: u32 = 3;
/// What is told where Auto Scaling starts no instance.
const NO_INSTANCE: &str = "Auto Scaling cannot start an instance";
/// What is told where the check cannot pass.
const CANNOT_PASS: &str = "no task ever passed its container's check, and the load balancer finds them healthy: see whether the image \
                           has the programs of `container-check.command`, and whether that asks the right address";
/// Looks in which AWS may still tell of the service as it was before the release.
const STALE_LOOKS: u32 = 3;

/// What was seen of a service after a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Whether the lease is still this execution's.
    pub holds: bool,
    /// ARN of the task definition that the service runs.
    pub definition: String,
    /// Tasks wanted.
    pub desired: u32,
    /// Tasks of the released definition that run.
    pub running: u32,
    /// Tasks of other definitions that are meant to run.
    pub others: u32,
    /// A digest that a task of the released definition runs and should not.
    pub stranger: Option<String>,
    /// When the youngest of them began to run, in milliseconds since 1970.
    pub youngest: Option<i64>,
    /// Of the tasks that run, how many pass their container's check, and how many fail it. Where there is none, neither.
    pub passing: u32,
    /// See above.
    pub failing: u32,
    /// Host ports of the tasks that run: how their targets are known.
    pub ports: Vec<u16>,
    /// The targets of the service's target group.
    pub targets: Vec<Target>,
    /// Tasks of the released definition that have stopped.
    pub stops: Vec<Stop>,
    /// Why ECS gave the deployment up, where it did.
    pub given_up: Option<String>,
    /// What ECS said last of it, such as that it finds no room.
    pub event: Option<String>,
    /// Tasks of the released definition that wait for an instance with room: `PROVISIONING`.
    pub waiting: u32,
    /// Why the last instance was not started, in Auto Scaling's words, where the group has fewer than it wants.
    pub failed_launch: Option<String>,
    /// Whether a task waits for room that will not come: the Auto Scaling group is at its maximum, and the cluster
    /// [is full](super::room::Cluster::is_full).
    pub full: bool,
}

/// What was released, and is to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released<'a> {
    /// The service.
    pub service: &'a str,
    /// ARN of the task definition.
    pub definition: &'a str,
}

/// One look at what was released. `before` is the verification of the look before this one.
#[must_use]
pub fn look(
    released: &Released<'_>,
    observed: &Observation,
    round: impl Into<Round>,
    before: &Streak,
    (outside, inside): (Questions, Questions),
) -> Verification {
    let round = round.into();
    let mut checks = Vec::new();
    let mut fault = None;
    let now = Streak {
        steady: steady(observed, round, before),
        full: if waits(observed) && observed.full { before.full.saturating_add(1) } else { 0 },
        failed_launches: if waits(observed) && observed.failed_launch.is_some() {
            before.failed_launches.saturating_add(1)
        } else {
            0
        },
        passed: before.passed || observed.passing > 0,
        served: before.served || healthy(observed) > 0,
        ..before.clone()
    };
    for (name, (outcome, evidence, whose)) in table(released, observed, round, &now) {
        fault = fault.or(whose.filter(|_| outcome == Outcome::Failed));
        checks.push(Check { service: released.service.into(), check: name, outcome, evidence });
    }
    let asks = if observed.desired == 0 { (Questions::default(), Questions::default()) } else { (outside, inside) };
    let is_young = |check: &Check| check.check == Name::Steady && check.outcome == Outcome::NotYet;
    let only_young = checks.iter().all(|check| check.outcome < Outcome::NotYet || is_young(check));
    let mut seen = Verification::of(round, checks, asks.0, asks.1);
    if only_young && seen.asks && seen.status == Status::Waiting {
        // What serves already is asked already: bad answers are told as early.
        seen.status = Status::Serving;
    }
    let stops = u32::try_from(faults(observed).count()).unwrap_or(u32::MAX);
    let needed = GOOD_LOOKS.saturating_add(stops.saturating_mul(PER_STOP));
    seen.streak = Streak { needed, youngest: observed.youngest, ..now };
    if seen.status != Status::Serving {
        (seen.streak.good, seen.streak.unanswered) = (0, 0);
    }
    if is_superseded(released, observed, round.number) {
        seen.status = Status::Superseded;
        seen.summary = format!("service {} runs what another rollout released", released.service);
        return seen;
    }
    if observed.desired == 0 && observed.definition == released.definition {
        seen.status = Status::NoTasks;
        seen.summary = format!("service {} is scaled to zero", released.service);
        return seen;
    }
    // A deadline without evidence against the image is the platform's.
    let blamed = (stops > 0 || is_sick(observed)) && !cannot_pass(&seen.streak);
    let late = if blamed { Fault::Image } else { Fault::Platform };
    seen.fault = (seen.status == Status::Failed).then(|| fault.unwrap_or(late));
    seen
}

/// The look at a service that is not there any more: there is nothing to judge.
#[must_use]
pub fn gone(service: &str, round: u32) -> Verification {
    let mut seen = Verification::of(round, Vec::new(), Questions::default(), Questions::default());
    (seen.status, seen.summary) = (Status::Superseded, format!("service {service} is not there any more"));
    seen
}

/// Whether somebody else's release runs. Right after its own, AWS may still tell of the one before.
fn is_superseded(released: &Released<'_>, observed: &Observation, round: u32) -> bool {
    !observed.holds || (observed.definition != released.definition && round >= STALE_LOOKS)
}

type Finding = (Outcome, String, Option<Fault>);

/// The named checks, in the order in which they are told.
fn table(released: &Released<'_>, observed: &Observation, round: Round, now: &Streak) -> Vec<(Name, Finding)> {
    if observed.definition != released.definition {
        let evidence = format!("the service runs {}", short(&observed.definition));
        return vec![(Name::Definition, (Outcome::NotYet, evidence, None))];
    }
    let definition = (Outcome::Ok, short(released.definition).to_owned(), None);
    if observed.desired == 0 {
        let tasks = (Outcome::Skipped, "scaled to zero".to_owned(), None);
        return vec![(Name::Definition, definition), (Name::Tasks, tasks)];
    }
    let mut found = vec![
        (Name::Definition, definition),
        (Name::Tasks, tasks(observed, round, now)),
        (Name::Digest, digest(observed)),
        (Name::Targets, targets(observed)),
    ];
    if now.checked == Some(true) {
        found.push((Name::Health, health(observed)));
    }
    // For how long they run is told once they are all there.
    if found[1].1.0 == Outcome::Ok {
        found.push((Name::Steady, young(now.steady)));
    }
    found
}

/// For how long the youngest task is known to run: the seconds that were waited while it was that. When it began only says
/// whether it is the same one; no clock is compared with another.
fn steady(observed: &Observation, round: Round, before: &Streak) -> u32 {
    let same = observed.youngest.is_some() && observed.youngest == before.youngest;
    if same { before.steady.saturating_add(round.waited_seconds()) } else { 0 }
}

/// Whether a task waits for room.
fn waits(observed: &Observation) -> bool {
    let says = observed.event.as_deref().is_some_and(|said| said.contains(NO_ROOM));
    observed.running < observed.desired && (observed.waiting > 0 || says)
}

/// What a task waits for, as ECS says or shows it.
fn no_room(observed: &Observation) -> Option<String> {
    let said = observed.event.as_deref().map(|said| said.trim_end_matches('.').to_owned());
    said.or_else(|| {
        waits(observed).then(|| format!("{} wait for an instance with room (PROVISIONING)", observed.waiting))
    })
}

fn young(steady: u32) -> Finding {
    if steady < STEADY_SECONDS {
        let evidence = format!("the youngest task runs for {steady} of {STEADY_SECONDS} seconds");
        return (Outcome::NotYet, evidence, None);
    }
    (Outcome::Ok, format!("every task runs for {steady} seconds"), None)
}

fn tasks(observed: &Observation, round: Round, now: &Streak) -> Finding {
    let mut counts = format!("{} of {} tasks running", observed.running, observed.desired);
    if observed.others > 0 {
        counts += &format!(", {} of an older definition", observed.others);
    }
    if let Some((why, fault)) = given_up(observed, now) {
        return (Outcome::Failed, format!("{counts} ({why})"), Some(fault));
    }
    if observed.running == observed.desired && observed.others == 0 {
        return (Outcome::Ok, counts, None);
    }
    let stopped = observed.stops.iter().max_by_key(|stop| stop.at).map(|stop| stop.why.as_str());
    let launch = observed.failed_launch.as_ref().filter(|_| waits(observed)).map(|why| format!("{NO_INSTANCE}: {why}"));
    let why = stopped.map(ToOwned::to_owned).or(launch).or_else(|| no_room(observed));
    let why = why.map(|why| format!(" ({})", why.trim_end_matches('.')));
    let evidence = counts + &why.unwrap_or_default();
    (if round.is_last() { Outcome::Failed } else { Outcome::NotYet }, evidence, None)
}

/// Why the tasks will not come up, and whose fault it is; `None` while they still may.
fn given_up(observed: &Observation, now: &Streak) -> Option<(String, Fault)> {
    let last = |kind: fn(Kind) -> bool| observed.stops.iter().filter(|stop| kind(stop.kind)).max_by_key(|stop| stop.at);
    if let Some(stop) = last(|kind| kind == Kind::NeverRuns) {
        return Some((stop.why.clone(), Fault::Image));
    }
    if let Some(stop) = last(|kind| kind == Kind::Platform).filter(|_| observed.running == 0) {
        let count = observed.stops.iter().filter(|stop| stop.kind == Kind::Platform).count();
        if count >= threshold(observed.desired) {
            return Some((stop.why.clone(), Fault::Platform));
        }
    }
    if let Some(stop) = last(|kind| kind == Kind::Check).filter(|_| cannot_pass(now)) {
        return Some((format!("{}; {CANNOT_PASS}", stop.why.trim_end_matches('.')), Fault::Platform));
    }
    let own = last(|kind| matches!(kind, Kind::Exit | Kind::Health | Kind::Check));
    if let Some(stop) = own {
        let count = faults(observed).count();
        let never_healthy = matches!(stop.kind, Kind::Health | Kind::Check) && healthy(observed) == 0;
        if count >= threshold(observed.desired) || never_healthy {
            let times = if count > 1 { format!("; {count} of its tasks have stopped so far") } else { String::new() };
            return Some((format!("{}{times}", stop.why), Fault::Image));
        }
    }
    if let Some(reason) = &observed.given_up {
        let fault = if own.is_some() { Fault::Image } else { Fault::Platform };
        let why = observed.stops.iter().max_by_key(|stop| stop.at).map(|stop| format!("{}; ", stop.why));
        return Some((why.unwrap_or_default() + reason.trim_end_matches('.'), fault));
    }
    if let Some(why) = observed.failed_launch.as_ref().filter(|_| now.failed_launches >= FAILED_LAUNCH_LOOKS) {
        return Some((format!("{NO_INSTANCE}: {}", why.trim_end_matches('.')), Fault::Platform));
    }
    let why = no_room(observed).filter(|_| now.full >= FULL_LOOKS)?;
    Some((format!("{why}; the Auto Scaling group is at its maximum"), Fault::Platform))
}

/// Whether the check inside the container seems to be at fault, rather than the image: no task ever passed it, and the load balancer
/// found one healthy.
fn cannot_pass(now: &Streak) -> bool {
    now.checked == Some(true) && now.served && !now.passed
}

/// How many tasks fail before a deployment is given up: half of what is wanted, from 3 to 200, as ECS's circuit breaker has it
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>).
fn threshold(desired: u32) -> usize {
    usize::try_from(desired.div_ceil(2).clamp(3, 200)).unwrap_or(3)
}

/// Tasks that have stopped by the image's fault.
fn faults(observed: &Observation) -> impl Iterator<Item = &Stop> {
    observed.stops.iter().filter(|stop| matches!(stop.kind, Kind::Exit | Kind::Health | Kind::Check | Kind::NeverRuns))
}

fn health(observed: &Observation) -> Finding {
    let Observation { passing, failing, running, desired, .. } = observed;
    let mut counts = format!("{passing} of {} tasks pass their container's check", desired.max(running));
    if passing == running && running >= desired {
        return (Outcome::Ok, counts, None);
    }
    if *failing > 0 {
        counts += &format!(" ({failing} fail it)");
    }
    (Outcome::NotYet, counts, None)
}

fn digest(observed: &Observation) -> Finding {
    match &observed.stranger {
        None => (Outcome::Ok, "as released".into(), None),
        Some(digest) => (Outcome::Failed, format!("a task runs {digest}"), Some(Fault::Platform)),
    }
}

/// Targets that are registered for good: what drains belongs to a task that goes.
fn standing(observed: &Observation) -> impl Iterator<Item = &Target> {
    observed.targets.iter().filter(|target| target.state != "draining")
}

fn healthy(observed: &Observation) -> usize {
    let ours = |target: &&Target| port(target).is_some_and(|port| observed.ports.contains(&port));
    standing(observed).filter(|target| target.state == "healthy").filter(ours).count()
}

fn is_sick(observed: &Observation) -> bool {
    standing(observed).any(|target| target.state == "unhealthy")
}

fn port(target: &Target) -> Option<u16> {
    target.id.rsplit(':').next()?.parse().ok()
}

fn targets(observed: &Observation) -> Finding {
    let mut ports: BTreeMap<u16, i32> = BTreeMap::new();
    observed.ports.iter().for_each(|port| *ports.entry(*port).or_default() += 1);
    standing(observed).filter_map(port).for_each(|port| *ports.entry(port).or_default() -= 1);
    let same = ports.values().all(|count| *count == 0);
    let (healthy, all) =
        (standing(observed).filter(|target| target.state == "healthy").count(), standing(observed).count());
    let wanted = usize::try_from(observed.desired).unwrap_or(usize::MAX);
    let counts = format!("{healthy} of {} targets healthy", wanted.max(all));
    if healthy == wanted && all == wanted && same {
        return (Outcome::Ok, counts, None);
    }
    let sick = standing(observed).find(|target| target.state == "unhealthy");
    let why = sick.and_then(|target| Some(format!(" ({}: {})", target.id, target.why.as_ref()?.trim_end_matches('.'))));
    (Outcome::NotYet, counts + &why.unwrap_or_default(), None)
}
