//! Whether an execution may still write: what takes over a lock or a lease rests on it.

use aws_sdk_sfn::types::ExecutionStatus;
use skydeck_core::rollout::record::Liveness;

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::function::TIMEOUT_SECONDS;

/// Seconds after an execution's end in which one of its functions may still be writing: the longest function timeout. Enough
/// for who reads all that it goes by afterwards, as a run does once it has the lock.
pub(crate) const SAFE_SECONDS: i64 = TIMEOUT_SECONDS as i64;
/// The same for who has read before it asks, as a rollout decides: what it has read is no older than its own function, which
/// has a timeout too.
pub(crate) const SAFE_TO_DECIDE_SECONDS: i64 = 2 * SAFE_SECONDS;

/// Whether an execution may still write. It is gone when it has ended `safe` seconds ago.
pub(crate) async fn liveness(clients: &Clients, execution: &str, safe: i64) -> Result<Liveness> {
    let request = clients.sfn.describe_execution().execution_arn(execution);
    // An execution that Step Functions has forgotten ended 90 days ago or more.
    let found = request.send().await.find(&["ExecutionDoesNotExist"], "describe execution", execution)?;
    let Some(found) = found else { return Ok(Liveness::Gone) };
    if *found.status() == ExecutionStatus::Running {
        return Ok(Liveness::Running);
    }
    let stopped = found.stop_date().map(aws_smithy_types::DateTime::secs);
    let is_gone = is_gone(stopped, jiff::Timestamp::now().as_second(), safe);
    Ok(if is_gone { Liveness::Gone } else { Liveness::EndedLately })
}

/// Whether an execution ended that long ago. One that tells no end has ended just now.
fn is_gone(stopped: Option<i64>, now: i64, safe: i64) -> bool {
    stopped.is_some_and(|stopped| now.saturating_sub(stopped) >= safe)
}

#[cfg(test)]
mod tests {
    use super::{SAFE_SECONDS, SAFE_TO_DECIDE_SECONDS, is_gone};

    #[test]
    fn an_execution_is_gone_only_when_it_ended_longer_ago_than_its_functions_may_run() {
        let now = 1_800_000_000;
        for safe in [SAFE_SECONDS, SAFE_TO_DECIDE_SECONDS] {
            assert!(is_gone(Some(now - safe), now, safe));
            assert!(!is_gone(Some(now - safe + 1), now, safe));
            assert!(!is_gone(Some(now + 5), now, safe), "the clocks differ");
            assert!(!is_gone(None, now, safe));
        }
    }
}
