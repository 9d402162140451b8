//! What was called, by whom, and how it ended.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::naming::Name;

/// A whole run makes some thousands of calls; older ones than these are forgotten.
const KEPT: usize = 100_000;

/// No more than these are ever under way at once.
const RECENT: usize = 1000;

/// One call of AWS that came through the gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// Its number, in the order of arrival, from 1.
    pub seq: u64,
    /// The service by its signing name, such as `ec2`, `elasticloadbalancing`, `states`.
    pub service: String,
    /// The action, such as `CreateVpc`.
    pub action: String,
    /// What it was about, best effort: `bucket/key` in S3, the main name elsewhere.
    pub resource: Option<String>,
    /// Who called: the name that the client gave itself, such as `skydeck-network`, or else its access key id.
    pub caller: String,
    /// The region that the call was signed for.
    pub region: String,
    /// Whether the action changes something, by its name.
    pub write: bool,
    /// When it arrived, in seconds since 1970.
    pub started: f64,
    /// How long it took, in milliseconds.
    pub millis: f64,
    /// The HTTP status; none while under way, and where the answer was lost on purpose.
    pub status: Option<u16>,
    /// The error code of AWS.
    pub error: Option<String>,
    /// The fault that was injected.
    pub fault: Option<String>,
    /// Whether the text that is looked for is in it or in its answer.
    #[serde(default)]
    pub carries: bool,
}

/// How a call ended.
pub(crate) struct Outcome {
    pub(crate) carries: bool,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) fault: Option<String>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    calls: VecDeque<Call>,
}

/// The record of all calls.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<Inner>);

impl Record {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, name: &Name, started: f64) -> u64 {
        let mut inner = self.inner();
        inner.last += 1;
        let seq = inner.last;
        if inner.calls.len() == KEPT {
            inner.calls.pop_front();
        }
        inner.calls.push_back(Call {
            seq,
            service: name.service.clone(),
            action: name.action.clone(),
            resource: name.resource.clone(),
            caller: name.caller.clone(),
            region: name.region.clone(),
            write: name.writes(),
            started,
            millis: 0.0,
            status: None,
            error: None,
            fault: None,
            carries: false,
        });
        seq
    }

    pub(crate) fn end(&self, seq: u64, now: f64, outcome: Outcome) {
        let mut inner = self.inner();
        // Numbers are consecutive, so the place follows from the first; a call may have been forgotten meanwhile.
        let Some(first) = inner.calls.front().map(|call| call.seq) else { return };
        let place = seq.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(call) = place.and_then(|place| inner.calls.get_mut(place)) {
            call.millis = (now - call.started) * 1000.0;
            call.status = outcome.status;
            call.error = outcome.error;
            call.fault = outcome.fault;
            call.carries = outcome.carries;
        }
    }

    pub(crate) fn since(&self, seq: u64) -> Vec<Call> {
        self.inner().calls.iter().filter(|call| call.seq > seq).cloned().collect()
    }

    /// Whether no call is under way; one that hangs on purpose is not.
    pub(crate) fn is_quiet(&self) -> bool {
        self.inner().calls.iter().rev().take(RECENT).all(|call| call.status.is_some() || call.fault.is_some())
    }

    pub(crate) fn last(&self) -> u64 {
        self.inner().last
    }

    pub(crate) fn clear(&self) {
        self.inner().calls.clear();
    }
}
