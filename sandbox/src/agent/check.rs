//! The container health check: the request that its command makes, made to the container itself.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::alb::TOOK;
use crate::asg::Place;
use crate::ecs::{Container, Port, Report};
use crate::gateway::Shared;

/// However fast the sandbox's clock, this machine needs some time to answer.
const LEAST: Duration = Duration::from_millis(500);
/// By which a container knows its own check.
pub(super) const CHECKER: &str = "container-health-check";

/// A container's health check; times in seconds of AWS.
pub(super) struct Check {
    container: String,
    /// Instance, host port and path; none where the command makes no request to the container.
    asks: Option<(String, u16, String)>,
    interval: f64,
    timeout: f64,
    retries: u32,
    start: f64,
}

impl Check {
    pub(super) fn of(container: &Container, ports: &[Port], instance: &str) -> Option<Self> {
        let check = container.rest.get("healthCheck")?;
        let number = |key: &str, usual: f64| check[key].as_f64().unwrap_or(usual);
        let words: Vec<&str> = check["command"].as_array()?.iter().filter_map(Value::as_str).collect();
        let asks = address(&words.join(" ")).and_then(|(port, path)| {
            let host = ports.iter().find(|known| known.container == port)?.host;
            Some((instance.to_owned(), host, path))
        });
        Some(Self {
            container: container.name.clone(),
            asks,
            interval: number("interval", 30.0),
            timeout: number("timeout", 5.0),
            retries: number("retries", 3.0) as u32,
            start: number("startPeriod", 0.0),
        })
    }

    /// Asks again and again, and tells whenever the answer changes what the container's health is.
    pub(super) async fn run(self, shared: Arc<Shared>, place: Place, task: String) {
        let begun = shared.clock.now();
        let (mut told, mut failures) = (None, 0);
        loop {
            let pause = Duration::from_secs_f64(shared.clock.scaled(self.interval)).max(Duration::from_millis(5));
            tokio::time::sleep(pause).await;
            let healthy = self.ask(&shared).await;
            let starting = told.is_none() && shared.clock.now() - begun < shared.clock.scaled(self.start);
            failures = if healthy || starting { 0 } else { failures + 1 };
            let now = if healthy { Some(true) } else { (failures >= self.retries).then_some(false) };
            if now.is_some() && now != told {
                told = now;
                let report = Report::Health { container: self.container.clone(), healthy };
                shared.ecs.report(&shared, &place, &task, report);
            }
        }
    }

    async fn ask(&self, shared: &Shared) -> bool {
        let Some((instance, port, path)) = &self.asks else { return true };
        let Some(port) = shared.agents.port(instance, *port) else { return false };
        let request = Request::get(format!("http://127.0.0.1:{port}{path}")).header("user-agent", CHECKER);
        let Ok(request) = request.body(Full::new(Bytes::new())) else { return false };
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let exchange = async {
            let response = client.request(request).await.ok()?;
            let took = response.headers().get(TOOK).and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
            let well = response.status().is_success() && took.is_none_or(|took| took <= self.timeout);
            response.into_body().collect().await.ok()?;
            Some(well)
        };
        let limit = Duration::from_secs_f64(shared.clock.scaled(self.timeout)).max(LEAST);
        tokio::time::timeout(limit, exchange).await.ok().flatten().unwrap_or(false)
    }
}

/// Port and path of the request in a command such as `curl -f http://localhost:8080/health || exit 1`.
fn address(command: &str) -> Option<(u16, String)> {
    let (_, rest) = command.split_once("http://")?;
    let rest = rest.split(|c: char| c.is_whitespace() || "\"'|;&)".contains(c)).next()?;
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let port = host.split_once(':').map_or(Some(80), |(_, port)| port.parse().ok())?;
    Some((port, if path.is_empty() { "/".to_owned() } else { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_found_in_the_command() {
        let found = |command: &str| address(command);
        let health = Some((8080, "/health".to_owned()));
        assert_eq!(found("CMD-SHELL curl -f http://localhost:8080/health || exit 1"), health);
        assert_eq!(found("CMD-SHELL wget -q --spider \"http://127.0.0.1:8080/health\""), health);
        assert_eq!(found("CMD curl http://localhost"), Some((80, "/".to_owned())));
        assert_eq!(found("CMD true"), None);
    }
}
