//! `RollBack`: gives the service back what served before.

use skydeck_core::rollout::record::{Phase, Record};
use skydeck_core::rollout::release::way_back;
use skydeck_core::rollout::run::{Failing, Released, Rollout};
use skydeck_core::verdict::{Fault, Verification};

use super::release::place;
use super::{keys, record};
use crate::error::{Explain, Result};
use crate::home::Swap;
use crate::run::Context;

/// Rejects the image where it is at fault, and returns to what was verified last; where there is nothing, the service is scaled
/// to zero, since what does not serve should not go on failing.
///
/// # Errors
/// Where AWS refuses.
pub async fn rollback(context: &Context, failing: Failing) -> Result<Released> {
    let Failing { rollout, released, verification } = failing;
    let (home, key, me) = (&context.home, keys(&rollout).record(), &rollout.execution);
    let released = released.as_deref();
    let back = |found: &Record| found.moved(me, Phase::RollingBack, released);
    let before = home.read_json::<Record>(&key).await?;
    let left = Released { definition: None, digest: None, superseded: true };
    let lease = before.lease.as_ref();
    // A rollout that died is finished by whoever finds it, in its place.
    let adopts = rollout.returns && lease.is_some_and(|lease| lease.execution != *me);
    let held = if adopts {
        let Some(adopted) = before.adopted(me) else { return Ok(left) };
        let done = record::swap(home, &key, rollout.etag.as_deref(), &adopted).await?;
        (done == Swap::Done).then_some(adopted)
    } else {
        record::hold(home, &key, me, back).await?
    };
    let Some(held) = held else { return Ok(left) };
    // With the lease in hand and before the service is written to: whoever takes over from here on knows that the image is bad.
    reject(context, &rollout, &held, verification.as_ref()).await?;
    let lease = held.lease.as_ref();
    let (released, placed) =
        (lease.and_then(|lease| lease.released.as_deref()), lease.and_then(|lease| lease.placed.as_ref()));
    let target = way_back(&held, released);
    let cluster = &rollout.platform;
    let request = context.clients.ecs.update_service().cluster(cluster).service(&rollout.service);
    let request = match (&target, placed) {
        (Some(target), Some(placed)) => place(request.task_definition(&target.definition), placed)?,
        (Some(target), None) => request.task_definition(&target.definition),
        (None, _) => request.desired_count(0),
    };
    request.send().await.during("roll back service", &rollout.service)?;
    let returning = |found: &Record| found.moved(me, Phase::Returning, None);
    let held = record::hold(home, &key, me, returning).await?;
    let (definition, digest) = target.map(|target| (target.definition, target.digest)).unzip();
    Ok(Released { definition, digest, superseded: held.is_none() })
}

/// Remembers an image as rejected, where that is what the verdict means: it is at fault, and it is not the image that is
/// returned to.
async fn reject(
    context: &Context,
    rollout: &Rollout,
    found: &Record,
    verification: Option<&Verification>,
) -> Result<()> {
    let Some(seen) = verification.filter(|seen| seen.fault == Some(Fault::Image)) else { return Ok(()) };
    let before = found.lease.as_ref().and_then(|lease| lease.before.as_ref());
    if !found.holds(&rollout.execution) || before.is_some_and(|before| before.digest == rollout.digest) {
        return Ok(());
    }
    record::reject(&context.home, rollout, &rollout.digest, &seen.summary).await
}
