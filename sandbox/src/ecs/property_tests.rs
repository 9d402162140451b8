//! What holds of the scheduler whatever happens.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::percent::{at_least, at_most};
use super::sim::{Sim, TARGETS};
use super::task::Status;

#[derive(Debug, Clone)]
enum Event {
    Scale(i64),
    Roll,
    RollBadly,
    Lose(usize),
    Gain,
    Crash(usize),
    Sicken(usize),
    Wait(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..8_i64).prop_map(Event::Scale),
        Just(Event::Roll),
        Just(Event::RollBadly),
        (0..4_usize).prop_map(Event::Lose),
        Just(Event::Gain),
        (0..8_usize).prop_map(Event::Crash),
        (0..8_usize).prop_map(Event::Sicken),
        (1..40_usize).prop_map(Event::Wait),
    ]
}

fn healthy(sim: &Sim) -> i64 {
    use crate::alb::Balancer;
    let well = |task: &&super::task::Task| {
        task.status == Status::Running
            && task.is_wanted()
            && task.targets.len() == 1
            && task.targets.iter().all(|target| sim.balancer.is_healthy(target))
    };
    sim.region.tasks.values().filter(well).count() as i64
}

fn alive(sim: &Sim) -> i64 {
    sim.region.tasks.values().filter(|task| task.is_alive()).count() as i64
}

/// One second, and what must hold of it.
fn checked_step(sim: &mut Sim, percents: (i64, i64)) -> Result<(), TestCaseError> {
    // What goes by itself goes first, so that only the scheduler's own acts are left.
    let gone: Vec<String> = sim.world.instances.iter().filter(|i| i.gone.is_some()).map(|i| i.id.clone()).collect();
    let on_lost = |task: &&super::task::Task| {
        task.is_wanted() && task.place.as_ref().is_some_and(|place| gone.contains(&place.instance))
    };
    let doomed = sim.region.tasks.values().filter(on_lost).count() as i64;
    let (before, alive_before) = (healthy(sim) - doomed, alive(sim));
    sim.step();
    let desired = sim.service("s")["desiredCount"].as_i64().unwrap();
    let least = at_least(desired, percents.1);
    prop_assert!(healthy(sim) >= least.min(before), "{} healthy of {before}, {least} wanted", healthy(sim));
    let most = at_most(desired, percents.0).max(alive_before);
    prop_assert!(alive(sim) <= most, "{} alive, {most} allowed", alive(sim));
    let mut ports = BTreeSet::new();
    for task in sim.region.tasks.values().filter(|task| task.is_alive()) {
        let Some(place) = &task.place else { continue };
        for port in task.containers.iter().flat_map(|container| &container.ports) {
            prop_assert!(ports.insert((place.instance.clone(), port.host)), "a port was given twice");
            prop_assert!((32768..=60999).contains(&port.host));
        }
    }
    for node in sim.region.nodes(&sim.world, "c") {
        prop_assert!(node.cpu >= 0 && node.memory >= 0, "{} is over-committed", node.id);
    }
    Ok(())
}

fn happen(sim: &mut Sim, event: &Event, percents: (i64, i64)) -> Result<(), TestCaseError> {
    let nth = |sim: &Sim, n: usize| {
        let running: Vec<String> =
            sim.region.tasks.values().filter(|t| t.status == Status::Running).map(|t| t.id.clone()).collect();
        (!running.is_empty()).then(|| running[n % running.len()].clone())
    };
    match event {
        Event::Scale(count) => sim.update("s", json!({ "desiredCount": count })),
        Event::Roll => sim.update("s", json!({ "forceNewDeployment": true, "taskDefinition": "s" })),
        Event::RollBadly => sim.update("s", json!({ "taskDefinition": "bad" })),
        Event::Lose(n) => sim.lose(*n),
        Event::Gain => {
            if sim.world.instances.len() < 4 {
                sim.add_instance(10.0);
            }
        }
        Event::Crash(n) => {
            if let Some(task) = nth(sim, *n) {
                let exited = super::Report::Exited { container: "app".into(), code: 1, reason: None };
                sim.region.report(&sim.world, &task, exited);
            }
        }
        Event::Sicken(n) => {
            if let Some(task) = nth(sim, *n) {
                let targets = sim.region.tasks[&task].targets.clone();
                sim.balancer.sick.extend(targets);
            }
        }
        Event::Wait(seconds) => {
            for _ in 0..*seconds {
                checked_step(sim, percents)?;
            }
        }
    }
    checked_step(sim, percents)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn bounds_hold_and_it_converges(
        events in prop::collection::vec(event(), 1..20),
        percents in prop::sample::select(vec![(200, 100), (150, 50), (100, 0), (100, 50), (125, 75)]),
        memory in 100..700_i64,
    ) {
        let mut sim = Sim::new(3);
        sim.define("s", "i", 100, memory);
        sim.define("bad", "crash", 100, memory);
        let balancer = json!([{ "targetGroupArn": TARGETS, "containerName": "app", "containerPort": 8080 }]);
        sim.serve("s", 2, percents, json!({ "loadBalancers": balancer }));
        for event in &events {
            happen(&mut sim, event, percents)?;
        }
        // With capacity, and an image that runs, everything comes to rest.
        while sim.staying() < 8 {
            sim.add_instance(0.0);
        }
        sim.balancer.sick.clear();
        sim.update("s", json!({ "taskDefinition": "s", "desiredCount": 4, "forceNewDeployment": true }));
        for _ in 0..600 {
            checked_step(&mut sim, percents)?;
        }
        prop_assert!(sim.is_stable("s"), "{:?}", sim.events("s"));
        prop_assert_eq!(&sim.service("s")["deployments"][0]["rolloutState"], "COMPLETED");
    }
}
