//! The lock of a platform: one run at a time writes.
//!
//! An S3 object that names its execution. Nobody forces it: a holder loses it only when its execution has ended for
//! longer than its functions may outlive it.

use serde::{Deserialize, Serialize};
use skydeck_core::rollout::record::Liveness;
use skydeck_core::run::Run;

use crate::client::Clients;
use crate::error::{Error, Result};
use crate::execution::{SAFE_SECONDS, liveness};
use crate::home::{Home, Swap, When};

/// How often a lock that changes under our eyes is read again before the state machine is asked to wait.
const ROUNDS: usize = 5;

/// What the lock says of its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// ARN of the execution.
    execution: String,
}

/// A lock that is held.
struct Held {
    holder: Holder,
    etag: String,
    /// When it was taken, in seconds since 1970.
    written: i64,
}

/// Takes a platform's lock for a run; again where the run holds it already, after a lost answer.
///
/// # Errors
/// [`Error::Locked`] where another run holds it, [`Error::NotYet`] where that has ended only just now.
pub async fn acquire(clients: &Clients, home: &Home, run: &Run) -> Result<()> {
    let (key, me) = (key(&run.platform), Holder { execution: run.execution.clone() });
    for _ in 0..ROUNDS {
        if home.swap_json(&key, &me, When::Absent).await? == Swap::Done {
            return Ok(());
        }
        // A lock that is gone again is free: the next round takes it.
        let Some(held) = read(home, &key).await? else { continue };
        if held.holder == me {
            return Ok(());
        }
        ended(clients, &held, run).await?;
        if home.swap_json(&key, &me, When::Unchanged(&held.etag)).await? == Swap::Done {
            return Ok(());
        }
    }
    Err(Error::NotYet(format!("the lock of {}, which changes hands", run.platform)))
}

/// Gives the lock back, where this run holds it.
///
/// # Errors
/// Where S3 refuses.
pub async fn release(home: &Home, run: &Run) -> Result<()> {
    let key = key(&run.platform);
    if let Some(held) = read(home, &key).await?
        && held.holder.execution == run.execution
    {
        // Refused or raced: somebody has taken it over, and it is no longer ours to give.
        home.delete(&key, &held.etag).await?;
    }
    Ok(())
}

/// Whether a run is at work on a platform. One that died and left its lock is not.
///
/// # Errors
/// Where S3 or Step Functions refuse.
pub async fn is_held(clients: &Clients, home: &Home, platform: &str) -> Result<bool> {
    let Some(held) = read(home, &key(platform)).await? else { return Ok(false) };
    Ok(liveness(clients, &held.holder.execution, SAFE_SECONDS, held.written).await? != Liveness::Gone)
}

fn key(platform: &str) -> String {
    format!("platforms/{platform}/lock.json")
}

async fn read(home: &Home, key: &str) -> Result<Option<Held>> {
    let found = home.read_marked::<Option<Holder>>(key).await?;
    let (Some(holder), Some(etag)) = (found.value, found.etag) else { return Ok(None) };
    Ok(Some(Held { holder, etag, written: found.written }))
}

/// Fails unless the holder's execution has ended, and long enough ago.
async fn ended(clients: &Clients, Held { holder, written, .. }: &Held, run: &Run) -> Result<()> {
    match liveness(clients, &holder.execution, SAFE_SECONDS, *written).await? {
        Liveness::Running => Err(Error::Locked { platform: run.platform.clone(), holder: holder.execution.clone() }),
        Liveness::EndedLately => {
            Err(Error::NotYet(format!("the functions of {}, which ended only just now", holder.execution)))
        }
        Liveness::Gone => Ok(()),
    }
}
