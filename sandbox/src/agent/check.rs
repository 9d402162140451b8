//! The container health check: its command, run inside the container as Docker runs it.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::LOCATION;
use hyper::{Method, Request as HttpRequest};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::command::{Answer, Command, Inside};
use super::request::Request;
use super::{Port, Prepared};
use crate::alb::TOOK;
use crate::asg::Place;
use crate::ecs::{Container, Report};
use crate::gateway::Shared;

/// However fast the sandbox's clock, this machine needs some time to answer.
const LEAST: Duration = Duration::from_millis(500);
/// By which a container knows its own check.
pub(super) const CHECKER: &str = "container-health-check";

/// A container's health check; times in seconds of AWS.
pub(super) struct Check {
    shared: Arc<Shared>,
    container: Arc<Prepared>,
    command: Vec<String>,
    instance: String,
    ports: Vec<Port>,
    interval: f64,
    timeout: f64,
    retries: u32,
    start: f64,
}

impl Check {
    pub(super) fn of(
        shared: &Arc<Shared>,
        container: &Arc<Prepared>,
        definition: &Container,
        ports: &[Port],
        instance: &str,
    ) -> Option<Self> {
        let check = definition.rest.get("healthCheck")?;
        let number = |key: &str, usual: f64| check[key].as_f64().unwrap_or(usual);
        let words = check["command"].as_array()?.iter().filter_map(Value::as_str);
        Some(Self {
            shared: Arc::clone(shared),
            container: Arc::clone(container),
            command: words.map(str::to_owned).collect(),
            instance: instance.to_owned(),
            ports: ports.to_vec(),
            interval: number("interval", 30.0),
            timeout: number("timeout", 5.0),
            retries: number("retries", 3.0) as u32,
            start: number("startPeriod", 0.0),
        })
    }

    /// Asks again and again, and tells whenever the answer changes what the container's health is.
    pub(super) async fn run(self, place: Place, task: String) {
        let shared = &self.shared;
        let begun = shared.clock.now();
        let (mut told, mut failures) = (None, 0);
        loop {
            let pause = Duration::from_secs_f64(shared.clock.scaled(self.interval)).max(Duration::from_millis(5));
            tokio::time::sleep(pause).await;
            let healthy = self.passes().await;
            let starting = told.is_none() && shared.clock.now() - begun < shared.clock.scaled(self.start);
            failures = if healthy || starting { 0 } else { failures + 1 };
            let now = if healthy { Some(true) } else { (failures >= self.retries).then_some(false) };
            if now.is_some() && now != told {
                told = now;
                let report = Report::Health { container: self.container.name.clone(), healthy };
                shared.ecs.report(shared, &place, &task, report);
            }
        }
    }

    /// Whether the command ends with 0 in time. One that the sandbox cannot run ends with something else, and says so.
    async fn passes(&self) -> bool {
        let (programs, environment) = (&self.container.programs, self.container.app.environment());
        let command = Command { programs, environment, inside: self };
        let limit = Duration::from_secs_f64(self.shared.clock.scaled(self.timeout)).max(LEAST);
        match tokio::time::timeout(limit, command.run(&self.command)).await {
            Ok(Ok(code)) => code == 0,
            Ok(Err(what)) => {
                let container = &self.container.name;
                tracing::warn!(container, "the sandbox cannot run the health check: it does not know {what}");
                false
            }
            Err(_) => false,
        }
    }
}

impl Inside for Check {
    async fn ask(&self, request: &Request) -> Option<Answer> {
        let host = self.ports.iter().find(|known| known.container == request.port)?.host;
        let port = self.shared.agents.port(&self.instance, host)?;
        let method = if request.head { Method::HEAD } else { Method::GET };
        let address = format!("http://127.0.0.1:{port}{}", request.path);
        let asked = HttpRequest::builder().method(method).uri(address).header("user-agent", CHECKER);
        let asked = asked.body(Full::new(Bytes::new())).ok()?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let response = client.request(asked).await.ok()?;
        let text = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (took, location) = (text(TOOK).and_then(|took| took.parse::<f64>().ok()), text(LOCATION.as_str()));
        let status = response.status().as_u16();
        response.into_body().collect().await.ok()?;
        // What took longer by AWS's clock than the check waits for came too late.
        took.is_none_or(|took| took <= self.timeout).then_some(Answer { status, location })
    }
}
