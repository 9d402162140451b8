//! Health checks: real requests to the tasks.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;

use super::health::{Check, Outcome};
use super::{Alb, TOOK};
use crate::asg::Place;
use crate::gateway::Shared;

/// However fast the sandbox's clock, this machine needs some time to answer.
const LEAST: Duration = Duration::from_millis(500);

impl Alb {
    /// Asks one target, and keeps the answer.
    pub(crate) async fn probe(shared: Arc<Shared>, place: Place, check: Check) {
        let outcome = ask(&shared, &check).await;
        if shared.alb.with(&place, |table| table.probed(shared.clock.now(), &check.target, outcome)) {
            shared.ecs.touch(&place);
            shared.pulse.notify_one();
        }
    }
}

/// How long to wait for what may take so many seconds of AWS.
pub(super) fn limit(shared: &Shared, seconds: f64) -> Duration {
    LEAST.max(Duration::from_secs_f64(shared.clock.scaled(seconds).clamp(0.0, 3600.0)))
}

async fn ask(shared: &Shared, check: &Check) -> Outcome {
    let Some(port) = shared.agents.port(&check.target.id, check.port) else { return Outcome::Failed };
    let request = Request::get(format!("http://127.0.0.1:{port}{}", check.path))
        .header("host", format!("{}:{}", check.target.id, check.port))
        .header("user-agent", "ELB-HealthChecker/2.0")
        .body(Full::new(Bytes::new()));
    let Ok(request) = request else { return Outcome::Failed };
    let exchange = async {
        let response = shared.alb.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        body.collect().await.ok()?;
        let took: f64 = parts.headers.get(TOOK).and_then(|v| v.to_str().ok()?.parse().ok()).unwrap_or(0.0);
        Some((parts.status.as_u16(), took))
    };
    match tokio::time::timeout(limit(shared, check.timeout), exchange).await {
        Err(_) => Outcome::Timeout,
        Ok(None) => Outcome::Failed,
        Ok(Some((_, took))) if took > check.timeout => Outcome::Timeout,
        Ok(Some((code, _))) => Outcome::Code(code),
    }
}
