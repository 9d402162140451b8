//! Records in skydeck's bucket, changed by compare-and-swap.

use serde::Serialize;
use serde::de::DeserializeOwned;
use skydeck_core::rollout::ledger::{Entry, Rejection};
use skydeck_core::rollout::record::Record;
use skydeck_core::rollout::run::Rollout;

use super::{keys, now};
use crate::error::{Error, Result};
use crate::home::{Home, Swap, When};

/// How often an object that changes under our eyes is read again before the state machine is asked to wait.
const ROUNDS: usize = 8;

/// Writes a record if it is still as it was read.
pub(crate) async fn swap(home: &Home, key: &str, etag: Option<&str>, value: &(impl Serialize + Sync)) -> Result<Swap> {
    home.swap_json(key, value, etag.map_or(When::Absent, When::Unchanged)).await
}

/// Changes a record; `change` answers `None` where it is to stay as it is. Returns what it was changed to. A lost answer
/// makes the next round see the change done, so `change` must then answer `None` or the same again.
pub(crate) async fn change<T: DeserializeOwned + Default + Serialize + Sync>(
    home: &Home,
    key: &str,
    change: impl Fn(&T) -> Option<T>,
) -> Result<Option<T>> {
    for _ in 0..ROUNDS {
        let found = home.read_marked::<T>(key).await?;
        let Some(wanted) = change(&found.value) else { return Ok(None) };
        if swap(home, key, found.etag.as_deref(), &wanted).await? == Swap::Done {
            return Ok(Some(wanted));
        }
    }
    Err(Error::NotYet(format!("s3://{}/{key}, which others change", home.bucket)))
}

/// Remembers an image as rejected by a rollout; what was found first stays.
pub(super) async fn reject(home: &Home, rollout: &Rollout, digest: &str, reason: &str) -> Result<()> {
    let rejection = Rejection { at: now(), execution: rollout.execution.clone(), reason: reason.to_owned() };
    let rejecting = |entry: &Entry| entry.rejected.is_none().then(|| entry.rejecting(digest, rejection.clone()));
    change(home, &keys(rollout).entry(digest), rejecting).await.map(drop)
}

/// Changes a service's record, where the lease is still the execution's. Returns the record as it is now; `None` where
/// somebody else has taken over.
pub(crate) async fn hold(
    home: &Home,
    key: &str,
    execution: &str,
    next: impl Fn(&Record) -> Option<Record>,
) -> Result<Option<Record>> {
    for _ in 0..ROUNDS {
        let found = home.read_marked::<Record>(key).await?;
        if !found.value.holds(execution) {
            return Ok(None);
        }
        let Some(wanted) = next(&found.value) else { return Ok(None) };
        if wanted == found.value || swap(home, key, found.etag.as_deref(), &wanted).await? == Swap::Done {
            return Ok(Some(wanted));
        }
    }
    Err(Error::NotYet(format!("s3://{}/{key}, which others change", home.bucket)))
}
