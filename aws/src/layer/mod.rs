//! Observe, plan, apply, observe: the one way in which every layer converges.

use std::time::Instant;

use serde::Serialize;
use skydeck_core::facts::Facts;
use skydeck_core::obstacle::Obstacle;
use skydeck_core::plan::{Deferred, Describe, Description, Handover, Plan, Refusal, fingerprint};
use skydeck_core::run::{Layer, LayerReport, Mode};
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Error, Result, not_yet};
use crate::execute::{Made, execute};

pub mod balancer;
pub mod cluster;
pub mod network;
pub mod service;

pub mod identity;
pub mod registry;
pub mod secrets;
pub mod storage;

/// What a layer of the platform can do. The planner is `skydeck-core`'s; the rest calls AWS.
pub trait Work {
    /// Which layer this is.
    const LAYER: Layer;
    /// The IAM actions that observing and changing need: all that the layer's role gets.
    const ACTIONS: &'static [&'static str];
    /// What was observed. Written as JSON it is what a plan's fingerprint is taken of.
    type World: Serialize;
    /// One write.
    type Change: Describe;

    /// Reads the layer's world, in bulk.
    fn observe(clients: &Clients, scope: &Scope) -> impl Future<Output = Result<Self::World>>;

    /// Reads what the teardown needs of the layer's world. A layer whose world is large leaves out the rest.
    fn observe_leaving(clients: &Clients, scope: &Scope) -> impl Future<Output = Result<Self::World>> {
        Self::observe(clients, scope)
    }

    /// What has to change for the world to be what the platform file says.
    ///
    /// # Errors
    /// Where skydeck refuses before touching anything.
    fn plan(scope: &Scope, world: &Self::World) -> Result<Plan<Self::Change>, Refusal>;

    /// What has to change for nothing of ours to be left.
    fn teardown(scope: &Scope, world: &Self::World) -> Plan<Self::Change>;

    /// What of ours keeps an apply from its end: told before it begins.
    fn obstacles(_scope: &Scope, _world: &Self::World) -> Vec<Obstacle> {
        Vec::new()
    }

    /// What of ours keeps a destroy from its end, in the world that the teardown needs.
    fn obstacles_leaving(scope: &Scope, world: &Self::World) -> Vec<Obstacle> {
        Self::obstacles(scope, world)
    }

    /// What later layers need to know, under this layer's own key.
    fn facts(scope: &Scope, world: &Self::World) -> Facts;

    /// What a plan knows the world again by: all that was observed but what moves by itself.
    fn fingerprint(_scope: &Scope, world: &Self::World) -> String {
        fingerprint(world)
    }

    /// Carries out one change; returns the id or ARN that it made, if any.
    fn apply(
        clients: &Clients,
        scope: &Scope,
        change: &Self::Change,
        made: &Made,
    ) -> impl Future<Output = Result<Option<String>>>;
}

/// What one attempt at a layer came to.
#[derive(Debug)]
pub struct Attempt {
    /// The layer's facts, under its own key.
    pub facts: Facts,
    /// The changes that were carried out; in mode `plan`, those that would be.
    pub changes: Vec<Description>,
    /// What the world was known by before it was changed.
    pub fingerprint: String,
    /// What AWS has to finish before the rest can be planned.
    pub waits: Vec<String>,
    /// What is left for when everything serves.
    pub deferred: Vec<Deferred>,
    /// What is left to rollouts.
    pub rollouts: Vec<Handover>,
    /// What is wrong and no apply puts right; among the report's notes too.
    pub warnings: Vec<String>,
    /// Counts and times of this attempt.
    pub report: LayerReport,
    /// Why the layer is not done.
    pub error: Option<Error>,
}

/// One attempt at a layer. What was done before a failure is told with it.
pub async fn converge<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> Attempt {
    let (started, calls) = (Instant::now(), clients.calls());
    let mut attempt = attempt::<W>(clients, scope, mode).await.unwrap_or_else(|error| Attempt {
        facts: Facts::default(),
        changes: Vec::new(),
        fingerprint: String::new(),
        waits: Vec::new(),
        deferred: Vec::new(),
        rollouts: Vec::new(),
        warnings: Vec::new(),
        report: LayerReport::count(W::LAYER, &[]),
        error: Some(error),
    });
    attempt.report.calls = clients.calls() - calls;
    attempt.report.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    attempt
}

/// What is known of a layer before a run changes anything.
#[derive(Debug, Default)]
pub struct Foreseen {
    /// The layer's facts, as far as they are known.
    pub facts: Facts,
    /// What keeps the run from its end.
    pub obstacles: Vec<Obstacle>,
}

/// Looks whether a layer can be changed, or in mode `destroy` deleted, as it is asked for.
///
/// # Errors
/// Where the planner refuses, or AWS cannot be asked.
pub async fn foresee<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> Result<Foreseen> {
    let world = observe::<W>(clients, scope, mode).await?;
    let obstacles = if mode == Mode::Destroy {
        W::obstacles_leaving(scope, &world)
    } else {
        W::plan(scope, &world)?;
        W::obstacles(scope, &world)
    };
    Ok(Foreseen { facts: W::facts(scope, &world), obstacles })
}

async fn attempt<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> Result<Attempt> {
    let want = |world: &W::World| match mode {
        Mode::Plan | Mode::Apply => W::plan(scope, world),
        Mode::Destroy => Ok(W::teardown(scope, world)),
    };
    let mut world = observe::<W>(clients, scope, mode).await?;
    let fingerprint = W::fingerprint(scope, &world);
    let mut plan = want(&world)?;
    if mode == Mode::Plan {
        plan.warnings.extend(W::obstacles(scope, &world).iter().map(ToString::to_string));
    }
    let descriptions = plan.describe();
    let (changes, mut error): (Vec<Description>, _) = if mode == Mode::Plan {
        let deferred = plan.deferred.iter().map(|deferred| deferred.description.clone());
        (descriptions.into_iter().chain(plan.later.iter().cloned()).chain(deferred).collect(), None)
    } else {
        // What this run has seen or made may be unknown to the next write: AWS is eventually consistent.
        let outcome = execute(&plan, async |change, made| {
            not_yet(W::apply(clients, scope, change, made).await, Error::is_unknown)
        })
        .await;
        (outcome.done.iter().map(|id| descriptions[id.0].clone()).collect(), outcome.error)
    };
    if mode != Mode::Plan && error.is_none() && !(plan.is_empty() && plan.waits.is_empty()) {
        world = observe::<W>(clients, scope, mode).await?;
        let next = want(&world)?;
        error = unfinished(&next);
        plan.deferred = next.deferred;
    }
    let mut report = LayerReport::count(W::LAYER, &changes);
    let facts = W::facts(scope, &world);
    let Plan { notes, warnings, waits, rollouts, deferred, .. } = plan;
    report.notes = notes.into_iter().chain(warnings.iter().cloned()).collect();
    Ok(Attempt { facts, changes, fingerprint, waits, deferred, rollouts, warnings, report, error })
}

/// One look at the world. What was listed and is gone when it is described is in the middle of going, or AWS's list is
/// behind: the next attempt looks again.
async fn observe<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> Result<W::World> {
    let world = match mode {
        Mode::Plan | Mode::Apply => W::observe(clients, scope).await,
        Mode::Destroy => W::observe_leaving(clients, scope).await,
    };
    not_yet(world, Error::is_not_found)
}

/// What is still open after a plan was carried out: AWS is at work, or does not show yet what it has done.
fn unfinished<C: Describe>(next: &Plan<C>) -> Option<Error> {
    let mut open = next.waits.clone();
    open.extend(next.describe().iter().map(Description::noun));
    open.dedup();
    (!open.is_empty()).then(|| Error::NotYet(open.join(", ")))
}
