//! What is used: counted by the executions' histories and by the record of calls.

use std::collections::BTreeSet;
use std::iter::Sum;
use std::ops::{Add, Mul};

use serde::Serialize;
use skydeck_aws::function::FUNCTIONS;
use skydeck_sandbox::{ACCOUNT, Call};

use super::Prices;
use crate::Rig;

/// Skydeck's state machines.
const MACHINES: [&str; 4] = ["provision", "rollout", "sweep", "drift"];

/// Memory of a function in GB, and how long one is assumed to run for an invocation, in seconds.
pub(super) const MEMORY_GB: f64 = 0.5;
pub(super) const SECONDS: f64 = 1.0;
/// What an invocation is assumed to write to its log, in GB: its start, its end, and a few lines.
pub(super) const LOG_GB: f64 = 2e-6;

/// What is paid for by its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// State transitions, retries among them.
    pub transitions: u32,
    /// Invocations of functions.
    pub invocations: u32,
    /// S3 requests that write or list.
    pub puts: u32,
    /// Other S3 requests, but for those that delete.
    pub gets: u32,
    /// Events that were sent.
    pub events: u32,
}

impl Usage {
    /// What it costs, in US dollars.
    #[must_use]
    pub fn cost(&self, prices: &Prices) -> f64 {
        let invocations = f64::from(self.invocations);
        prices.of("transition", self.transitions.into())
            + prices.of("invocation", invocations)
            + prices.of("gb-second", invocations * MEMORY_GB * SECONDS)
            + prices.of("log-gb", invocations * LOG_GB)
            + prices.of("put", self.puts.into())
            + prices.of("get", self.gets.into())
            + prices.of("event", self.events.into())
    }

    fn of_calls(calls: &[Call]) -> Usage {
        // The functions, by their names, and the command.
        let is_ours =
            |call: &&Call| call.caller == "skydeck" || FUNCTIONS.iter().any(|known| known.name == call.caller);
        let ours = || calls.iter().filter(is_ours);
        let s3 = |is_meant: &dyn Fn(&str) -> bool| count(ours().filter(|c| c.service == "s3" && is_meant(&c.action)));
        let is_put =
            |action: &str| ["Put", "Copy", "Post", "List", "Create"].iter().any(|verb| action.starts_with(verb));
        Usage {
            puts: s3(&is_put),
            gets: s3(&|action| !is_put(action) && !action.starts_with("Delete")),
            events: count(ours().filter(|call| call.action == "PutEvents")),
            ..Usage::default()
        }
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

impl Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        Usage {
            transitions: self.transitions + other.transitions,
            invocations: self.invocations + other.invocations,
            puts: self.puts + other.puts,
            gets: self.gets + other.gets,
            events: self.events + other.events,
        }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Usage>>(all: I) -> Usage {
        all.fold(Usage::default(), Add::add)
    }
}

impl Mul<u32> for Usage {
    type Output = Usage;

    fn mul(self, times: u32) -> Usage {
        std::iter::repeat_n(self, usize::try_from(times).unwrap_or(usize::MAX)).sum()
    }
}

/// Reads what is used from here on.
pub(super) struct Meter<'a> {
    rig: &'a Rig,
    known: BTreeSet<String>,
    call: u64,
}

impl<'a> Meter<'a> {
    pub(super) async fn start(rig: &'a Rig) -> Self {
        Meter { rig, known: executions(rig).await, call: rig.sandbox.last_call() }
    }

    /// What was used since; all executions have ended.
    pub(super) async fn read(self) -> Usage {
        let mut used = Usage::of_calls(&self.rig.sandbox.calls_since(self.call));
        for execution in executions(self.rig).await.difference(&self.known) {
            used = used + of_execution(self.rig, execution).await;
        }
        used
    }
}

/// ARNs of all executions so far.
async fn executions(rig: &Rig) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for machine in MACHINES {
        let arn = format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-{machine}");
        let listed = rig.aws.sfn().list_executions().state_machine_arn(arn).max_results(1000).send().await;
        found.extend(listed.expect("executions").executions.into_iter().map(|execution| execution.execution_arn));
    }
    found
}

/// A transition for each state that was entered, and for each retry; every task invokes a function.
async fn of_execution(rig: &Rig, arn: &str) -> Usage {
    let history = rig.aws.sfn().get_execution_history().execution_arn(arn).into_paginator().items().send();
    let events = history.collect::<Result<Vec<_>, _>>().await.expect("a history");
    let number =
        |is_meant: &dyn Fn(&str) -> bool| count(events.iter().filter(|event| is_meant(event.r#type().as_str())));
    let entered = number(&|kind| kind.ends_with("StateEntered"));
    let (tasks, invocations) = (number(&|kind| kind == "TaskStateEntered"), number(&|kind| kind == "TaskScheduled"));
    Usage { transitions: entered + invocations.saturating_sub(tasks), invocations, ..Usage::default() }
}
