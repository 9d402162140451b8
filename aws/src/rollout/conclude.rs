//! What follows a verdict once the service's record has it: the ledger, and the event. `Settle` does it; where its execution was
//! stopped halfway, the sweep does.

use skydeck_core::rollout::ledger::{Entry, Keys, Past, Untold};
use skydeck_core::rollout::record::{Liveness, Record};

use super::{record, tell};
use crate::error::Result;
use crate::execution::{SAFE_TO_DECIDE_SECONDS, liveness};
use crate::home::Marked;
use crate::run::Context;

/// Writes a verdict into the image's entry, where it may be already.
pub(super) async fn write(context: &Context, keys: Keys<'_>, untold: &Untold) -> Result<Entry> {
    let (home, key) = (&context.home, keys.entry(&untold.digest));
    let next = |entry: &Entry| entry.rollout(&untold.past.execution).is_none().then(|| entry.concluded(untold));
    match record::change(home, &key, next).await? {
        Some(written) => Ok(written),
        None => home.read_json::<Entry>(&key).await,
    }
}

/// Tells a verdict, and then that nobody has to any more. Who is stopped in between tells it once more, which is better than never.
pub(super) async fn tell(context: &Context, keys: Keys<'_>, digest: &str, past: &Past, rejected: bool) -> Result<()> {
    tell::ended(context, keys, digest, past, rejected).await?;
    let said = |found: &Record| found.said(&past.execution);
    record::change(&context.home, &keys.record(), said).await.map(drop)
}

/// Does the same for executions that were stopped before they came to it.
pub(super) async fn late(context: &Context, keys: Keys<'_>, record: &Marked<Record>) -> Result<()> {
    for untold in &record.value.untold {
        let execution = &untold.past.execution;
        if liveness(&context.clients, execution, SAFE_TO_DECIDE_SECONDS, record.written).await? != Liveness::Gone {
            continue;
        }
        let entry = write(context, keys, untold).await?;
        tell(context, keys, &untold.digest, &untold.past, entry.rejected.is_some()).await?;
    }
    Ok(())
}
