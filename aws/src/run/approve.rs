//! `Approve`: whether a plan that is to be applied still holds.

use skydeck_core::run::{Approval, Mode, Prepared, Run};

use super::Context;
use super::prepare::adopted;
use crate::error::{Error, Result};

/// Compares what the layers have seen now with what they saw when the plan was made. Nothing of the platform has been
/// changed yet. Returns the run as one that applies; a file that was only planned with is the platform's from here on.
///
/// # Errors
/// [`Error::Moved`] with all layers that have seen something else.
pub async fn approve(context: &Context, Approval { run }: Approval) -> Result<Prepared> {
    let id = run.approves.clone().unwrap_or_default();
    let (plan, now) = futures::try_join!(context.plan(&run.platform, &id), context.parts(&run))?;
    let moved = plan.moved(&now);
    if !moved.is_empty() {
        let moved = moved.iter().map(|layer| format!("the {layer} layer")).collect();
        return Err(Error::Moved { plan: id, moved });
    }
    let run = Run { mode: Mode::Apply, ..run };
    let Some(key) = run.file.clone() else { return Ok(Prepared { run }) };
    let object = context.home.read(&key, Some(&run.spec_version)).await?;
    let object = object.ok_or_else(|| Error::Broken(format!("s3://{}/{key} is gone", context.home.bucket)))?;
    Ok(Prepared { run: adopted(context, run, object.text).await? })
}
