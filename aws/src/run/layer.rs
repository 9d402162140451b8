//! A layer's state: one attempt, and the journal of all attempts; or its part of a plan.

use futures::try_join;
use skydeck_core::facts::Facts;
use skydeck_core::plan::by_resource;
use skydeck_core::preview::{LayerPlan, part_key};
use skydeck_core::run::{Journal, LayerInput, LayerOutput, LayerReport, Mode, Run};

use super::Context;
use crate::error::Result;
use crate::layer::{Work, converge};

/// One attempt at a layer. What was done is written into the journal also where the attempt ends in an error, so that
/// the layer's report tells of all attempts.
///
/// # Errors
/// Whatever kept the layer from being done; `NotYet` where it only has to be tried again.
pub async fn layer<W: Work>(context: &Context, input: LayerInput) -> Result<LayerOutput> {
    let run = input.run;
    if run.mode == Mode::Plan {
        return plan::<W>(context, &run, input.facts).await;
    }
    let key = run.key(&format!("{}.json", W::LAYER));
    let (mut scope, mut journal) =
        try_join!(context.scope(&run, input.facts), context.home.read_json::<Journal>(&key))?;
    let before = journal.clone();
    scope.done.clone_from(&before.changes);
    let attempt = converge::<W>(&context.clients, &scope, run.mode).await;
    journal.changes.extend(attempt.changes);
    journal.calls += attempt.report.calls;
    journal.milliseconds += attempt.report.milliseconds;
    if journal.changes != before.changes || attempt.error.is_some() {
        context.home.write_json(&key, &journal).await?;
    }
    if let Some(error) = attempt.error {
        return Err(error);
    }
    if !attempt.rollouts.is_empty() {
        journal.changes.extend(attempt.rollouts.iter().map(|rollout| rollout.description.clone()));
        context.home.write_json(&key, &journal).await?;
    }
    let report = LayerReport {
        calls: journal.calls,
        milliseconds: journal.milliseconds,
        notes: attempt.report.notes.into_iter().chain(attempt.deferred.iter().map(ToString::to_string)).collect(),
        changes: (!journal.changes.is_empty()).then_some(key),
        ..LayerReport::count(W::LAYER, &journal.changes)
    };
    let rollouts = attempt.rollouts.into_iter().map(|rollout| rollout.service).collect();
    Ok(LayerOutput { facts: attempt.facts, report, rollouts, deferred: !attempt.deferred.is_empty() })
}

/// What the layer would change, written as a part of the plan. One that is made again replaces the one before.
async fn plan<W: Work>(context: &Context, run: &Run, facts: Facts) -> Result<LayerOutput> {
    let mut scope = context.scope(run, facts).await?;
    scope.facts = scope.facts.clone().or_placeholders(&scope);
    let attempt = converge::<W>(&context.clients, &scope, Mode::Plan).await;
    if let Some(error) = attempt.error {
        return Err(error);
    }
    let (services, handed): (Vec<_>, Vec<_>) =
        attempt.rollouts.into_iter().map(|rollout| (rollout.service, rollout.description)).unzip();
    let changes = [attempt.changes, handed].concat();
    let part = LayerPlan {
        layer: W::LAYER,
        fingerprint: attempt.fingerprint,
        changes: by_resource(&changes),
        notes: attempt.report.notes.clone(),
        warnings: attempt.warnings,
        waits: attempt.waits,
        deferred: attempt.deferred.iter().map(ToString::to_string).collect(),
    };
    let key = part_key(run, W::LAYER);
    if run.drift {
        context.home.keep_json(&key, &part).await?;
    } else {
        context.home.write_json(&key, &part).await?;
    }
    let counted = LayerReport::count(W::LAYER, &part.changes);
    let LayerReport { calls, milliseconds, notes, .. } = attempt.report;
    let report = LayerReport { calls, milliseconds, notes, changes: Some(key), ..counted };
    Ok(LayerOutput { facts: attempt.facts, report, rollouts: services, deferred: false })
}
