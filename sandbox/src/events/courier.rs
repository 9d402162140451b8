//! Who carries events to EventBridge, when their time has come.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;

use crate::gateway::Shared;

/// The emulator's own action: clients may not put events of AWS's services.
const EMIT: &str = "AWSEvents.SandboxEmit";
/// A day: a longer pause is only a sleep that ends to look again.
const LONGEST: f64 = 86_400.0;

/// The running carrier; what it still has is lost with it.
#[derive(Debug)]
pub(crate) struct Courier(JoinHandle<()>);

impl Courier {
    pub(crate) fn start(shared: &Arc<Shared>) -> Self {
        Self(tokio::spawn(run(Arc::clone(shared))))
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(shared: Arc<Shared>) {
    loop {
        let now = shared.clock.now();
        let next = shared.events.inner().next(now);
        match next {
            Ok(due) => {
                let envelope = &due.envelope;
                let (account, region) = (&envelope.account, &envelope.region);
                match shared.upstream.json(account, region, "events", EMIT, &json!(envelope)).await {
                    Ok(_) => shared.events.inner().delivered(due.seq),
                    Err(error) => tracing::warn!(%error, id = envelope.id, "an event could not be delivered"),
                }
            }
            Err(at) => {
                let pause = Duration::from_secs_f64((at - now).clamp(0.0, LONGEST));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shared.events.wake.notified() => {}
                }
            }
        }
    }
}
