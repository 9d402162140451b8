//! The lock of a platform: one run at a time writes.
//!
//! An S3 object that names its execution. Nobody forces it: a holder loses it only when its execution has ended for
//! longer than its functions may outlive it.

use aws_sdk_sfn::types::ExecutionStatus;
use serde::{Deserialize, Serialize};
use skydeck_core::run::Run;

use crate::client::Clients;
use crate::error::{Error, Explain, Result};
use crate::function::TIMEOUT_SECONDS;
use crate::home::{Home, Object, Swap, When};

/// Seconds after an execution's end in which one of its functions may still be writing: the longest function timeout.
pub const SAFE_SECONDS: i64 = TIMEOUT_SECONDS as i64;
/// How often a lock that changes under our eyes is read again before the state machine is asked to wait.
const ROUNDS: usize = 5;

/// What the lock says of its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// ARN of the execution.
    execution: String,
}

/// Takes a platform's lock for a run; again where the run holds it already, after a lost answer.
///
/// # Errors
/// [`Error::Locked`] where another run holds it, [`Error::NotYet`] where that has ended only just now.
pub async fn acquire(clients: &Clients, home: &Home, run: &Run) -> Result<()> {
    let (key, me) = (key(run), Holder { execution: run.execution.clone() });
    for _ in 0..ROUNDS {
        if home.swap_json(&key, &me, When::Absent).await? == Swap::Done {
            return Ok(());
        }
        // A lock that is gone again is free: the next round takes it.
        let Some((object, holder)) = read(home, &key).await? else { continue };
        if holder == me {
            return Ok(());
        }
        ended(clients, &holder, run).await?;
        if home.swap_json(&key, &me, When::Unchanged(&object.etag)).await? == Swap::Done {
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
    let key = key(run);
    if let Some((object, holder)) = read(home, &key).await?
        && holder.execution == run.execution
    {
        // Refused or raced: somebody has taken it over, and it is no longer ours to give.
        home.delete(&key, &object.etag).await?;
    }
    Ok(())
}

fn key(run: &Run) -> String {
    format!("platforms/{}/lock.json", run.platform)
}

async fn read(home: &Home, key: &str) -> Result<Option<(Object, Holder)>> {
    let Some(object) = home.read(key, None).await? else { return Ok(None) };
    let holder = serde_json::from_str(&object.text)
        .map_err(|error| Error::Broken(format!("the lock s3://{}/{key} cannot be read: {error}", home.bucket)))?;
    Ok(Some((object, holder)))
}

/// Fails unless the holder's execution has ended, and long enough ago.
async fn ended(clients: &Clients, holder: &Holder, run: &Run) -> Result<()> {
    let request = clients.sfn.describe_execution().execution_arn(&holder.execution);
    // An execution that Step Functions has forgotten ended 90 days ago or more.
    let found = request.send().await.find(&["ExecutionDoesNotExist"], "describe execution", &holder.execution)?;
    let Some(execution) = found else { return Ok(()) };
    if *execution.status() == ExecutionStatus::Running {
        return Err(Error::Locked { platform: run.platform.clone(), holder: holder.execution.clone() });
    }
    let stopped = execution.stop_date().map(aws_smithy_types::DateTime::secs);
    if !is_safe(stopped, jiff::Timestamp::now().as_second()) {
        return Err(Error::NotYet(format!("the functions of {}, which ended only just now", holder.execution)));
    }
    Ok(())
}

/// Whether no function of an execution that ended then can write any more. One that tells no end has ended just now.
fn is_safe(stopped: Option<i64>, now: i64) -> bool {
    stopped.is_some_and(|stopped| now.saturating_sub(stopped) >= SAFE_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::{SAFE_SECONDS, is_safe};

    #[test]
    fn a_lock_is_taken_over_only_when_its_holder_ended_longer_ago_than_a_function_may_run() {
        let now = 1_800_000_000;
        assert!(is_safe(Some(now - SAFE_SECONDS), now));
        assert!(!is_safe(Some(now - SAFE_SECONDS + 1), now));
        assert!(!is_safe(Some(now + 5), now), "the clocks differ");
        assert!(!is_safe(None, now));
    }
}
