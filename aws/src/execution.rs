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

/// Seconds for which an execution that Step Functions does not know is taken for one that it does not know yet: its answers are
/// eventually consistent. Much longer than that ever took, and no longer than a person waits where a machine was deleted and installed
/// anew, with all that it knew.
const YOUNG_SECONDS: i64 = 15 * 60;

/// Whether an execution may still write, which wrote what names it at a time (in seconds since 1970). It is gone when it has ended
/// `safe` seconds ago.
pub(crate) async fn liveness(clients: &Clients, execution: &str, safe: i64, written: i64) -> Result<Liveness> {
    let now = jiff::Timestamp::now().as_second();
    let request = clients.sfn().describe_execution().execution_arn(execution);
    let found = request.send().await.find(&["ExecutionDoesNotExist"], "describe execution", execution)?;
    let Some(found) = found else { return Ok(unknown(written, now)) };
    if *found.status() == ExecutionStatus::Running {
        return Ok(Liveness::Running);
    }
    let stopped = found.stop_date().map(aws_smithy_types::DateTime::secs);
    let is_gone = is_gone(stopped, now, safe);
    Ok(if is_gone { Liveness::Gone } else { Liveness::EndedLately })
}

/// What an execution is that Step Functions does not know: too young, or forgotten 90 days after its end.
fn unknown(written: i64, now: i64) -> Liveness {
    if now.saturating_sub(written) < YOUNG_SECONDS { Liveness::Running } else { Liveness::Gone }
}

/// Whether an execution ended that long ago. One that tells no end has ended just now.
fn is_gone(stopped: Option<i64>, now: i64, safe: i64) -> bool {
    stopped.is_some_and(|stopped| now.saturating_sub(stopped) >= safe)
}

#[cfg(test)]
mod tests {
    use super::{Liveness, SAFE_SECONDS, SAFE_TO_DECIDE_SECONDS, YOUNG_SECONDS, is_gone, unknown};

    #[test]
    fn an_execution_that_is_not_known_yet_holds_what_it_has_taken() {
        let now = 1_800_000_000;
        for young in [now + 5, now, now - 1, now - YOUNG_SECONDS + 1] {
            assert_eq!(unknown(young, now), Liveness::Running);
        }
        assert_eq!(unknown(now - YOUNG_SECONDS, now), Liveness::Gone);
    }

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
