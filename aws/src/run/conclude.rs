//! `Conclude`: the result that a person reads, and the end of the lock.

use std::collections::BTreeMap;

use skydeck_core::outputs::Outputs;
use skydeck_core::preview::{PlanSummary, Preview, plan_key};
use skydeck_core::run::{Conclusion, Ending, Layer, LayerReport, Mode, Outcome, Run, outputs_key};

use super::{Context, drift};
use crate::error::Result;
use crate::{lock, rollout};

/// Writes the outputs, or the plan, and the conclusion, and gives the lock back.
///
/// # Errors
/// Where skydeck's own bucket refuses.
pub async fn conclude(context: &Context, ending: Ending) -> Result<Conclusion> {
    let Ending { run, facts, reports, verification, failure } = ending;
    // A layer that was walked more than once tells of all walks in its last report.
    let reports: BTreeMap<Layer, LayerReport> = reports.into_iter().map(|report| (report.layer, report)).collect();
    let (mut outputs, mut plan) = (None, None);
    match run.purpose() {
        Mode::Apply if failure.is_none() => {
            let made = Outputs::of(&context.scope(&run, facts).await?);
            context.home.write_json(&outputs_key(&run.platform), &made).await?;
            outputs = Some(Outputs { environments: BTreeMap::new(), ..made });
        }
        Mode::Destroy if failure.is_none() => {
            // What it says is there no longer.
            context.home.forget(&outputs_key(&run.platform)).await?;
            rollout::gone(context, &run.platform).await?;
        }
        Mode::Plan if failure.is_none() => plan = Some(keep_plan(context, &run).await?),
        Mode::Plan | Mode::Apply | Mode::Destroy => {}
    }
    let conclusion = Conclusion {
        mode: run.purpose(),
        platform: run.platform.clone(),
        outcome: if failure.is_none() { Outcome::Succeeded } else { Outcome::Failed },
        layers: reports.into_values().collect(),
        plan,
        checks: verification.map(|verification| verification.checks).unwrap_or_default(),
        outputs,
        failure,
    };
    // What a look for drift came to, its execution tells; nobody wants one object more every few minutes.
    if !run.drift {
        context.home.write_json(&run.key("conclusion.json"), &conclusion).await?;
    }
    if run.purpose() != Mode::Plan {
        lock::release(&context.home, &run).await?;
    }
    Ok(conclusion)
}

/// Puts the plan together from the layers' parts, and keeps it under its id; one that looks for drift only where it finds some.
async fn keep_plan(context: &Context, run: &Run) -> Result<PlanSummary> {
    let before = match &run.file {
        None => Some(run.spec_version.clone()),
        Some(_) => run.before.clone(),
    };
    let plan = Preview::of(run, before, context.parts(run).await?);
    let kept = if run.drift {
        drift::tell(context, &plan).await?
    } else {
        context.home.write_json(&plan_key(&run.platform, &plan.id), &plan).await?;
        Some(plan.id.clone())
    };
    let key = kept.as_ref().map(|id| plan_key(&run.platform, id));
    Ok(PlanSummary { id: kept.unwrap_or(plan.id), key, summary: plan.summary })
}
