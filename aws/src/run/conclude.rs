//! `Conclude`: the result that a person reads, and the end of the lock.

use skydeck_core::outputs::Outputs;
use skydeck_core::run::{Conclusion, Ending, Mode, Outcome, outputs_key};

use super::Context;
use crate::error::Result;
use crate::lock;

/// Writes the outputs and the conclusion, and gives the lock back.
///
/// # Errors
/// Where skydeck's own bucket refuses.
pub async fn conclude(context: &Context, ending: Ending) -> Result<Conclusion> {
    let Ending { run, facts, mut reports, verification, failure } = ending;
    reports.sort_by_key(|report| report.layer);
    let outputs = if failure.is_none() && run.mode == Mode::Apply {
        let outputs = Outputs::of(&context.scope(&run, facts).await?);
        context.home.write_json(&outputs_key(&run.platform), &outputs).await?;
        Some(outputs)
    } else {
        None
    };
    if failure.is_none() && run.mode == Mode::Destroy {
        // What it says is there no longer.
        context.home.forget(&outputs_key(&run.platform)).await?;
    }
    let conclusion = Conclusion {
        mode: run.mode,
        platform: run.platform.clone(),
        outcome: if failure.is_none() { Outcome::Succeeded } else { Outcome::Failed },
        layers: reports,
        checks: verification.map(|verification| verification.checks).unwrap_or_default(),
        outputs,
        failure,
    };
    context.home.write_json(&run.key("conclusion.json"), &conclusion).await?;
    if run.mode != Mode::Plan {
        lock::release(&context.home, &run).await?;
    }
    Ok(conclusion)
}
