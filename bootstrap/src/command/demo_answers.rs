//! What a demo asks the services through their load balancers, and what they answer.

use serde::Serialize;
use serde_json::Value;
use skydeck_core::spec::{Platform, Scheme};
use skydeck_sandbox::Running;

/// The longest piece of an answer that is shown.
const SHOWN: usize = 80;

/// A request, and what came back.
#[derive(Debug, Serialize)]
pub(super) struct Exchange {
    /// Whether it came from inside the VPC.
    pub(super) inside: bool,
    /// What was asked.
    pub(super) url: String,
    /// The answer's status; none where there was no way.
    pub(super) status: Option<u16>,
    /// Its body.
    pub(super) body: String,
    /// Whether there should be no way.
    pub(super) is_closed: bool,
}

impl Exchange {
    /// Whether it is as it should be.
    pub(super) fn is_good(&self) -> bool {
        match self.status {
            None => self.is_closed,
            Some(status) => !self.is_closed && (200..300).contains(&status),
        }
    }

    pub(super) fn line(&self) -> String {
        let from = if self.inside { "inside " } else { "outside" };
        let mut body: String = self.body.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
        if body.len() < self.body.len() {
            body.push('…');
        }
        match self.status {
            Some(status) => format!("{from}  {}\n           {status} {body}", self.url),
            None => format!("{from}  {}\n           no way from here", self.url),
        }
    }
}

/// Asks each service by its probe path, from where its load balancer is reached; SkyFox's own paths; and what is
/// internal from outside, which must not be reached. `key` is the value of every secret.
pub(super) async fn ask(running: &Running, platform: &Platform, outputs: &Value, key: &str) -> Vec<Exchange> {
    let mut wanted: Vec<(bool, String)> =
        platform.services.keys().filter_map(|service| probe(platform, outputs, service)).collect();
    if platform.name == "skyfox" {
        wanted.push((true, url(outputs, "internal", "/movie-service/movies")));
        // From outside through the backend and the internal load balancer to the movies.
        wanted.push((false, url(outputs, "external", "/movies")));
    }
    wanted.sort();
    let closed = wanted.iter().find(|(inside, _)| *inside).map(|(_, url)| url.clone());
    let mut asked = Vec::new();
    for (inside, url) in wanted {
        asked.push(exchange(running, inside, url, key).await);
    }
    if let Some(url) = closed {
        asked.push(Exchange { is_closed: true, ..exchange(running, false, url, key).await });
    }
    asked
}

/// Asks one service by its probe path, where it has one.
pub(super) async fn ask_service(
    running: &Running,
    platform: &Platform,
    outputs: &Value,
    (service, key): (&str, &str),
) -> Option<Exchange> {
    let (inside, url) = probe(platform, outputs, service)?;
    Some(exchange(running, inside, url, key).await)
}

/// Whether a service is reached from inside the VPC, and the URL of its probe path.
fn probe(platform: &Platform, outputs: &Value, service: &str) -> Option<(bool, String)> {
    let service = platform.services.get(service)?;
    let balancer = platform.load_balancers.get(&service.load_balancer)?;
    let path = service.probe_path.as_ref()?;
    Some((balancer.scheme == Scheme::Internal, url(outputs, &service.load_balancer, path)))
}

fn url(outputs: &Value, balancer: &str, path: &str) -> String {
    let url = outputs["load_balancers"][balancer]["url"].as_str().unwrap_or_default();
    format!("{url}{path}")
}

async fn exchange(running: &Running, inside: bool, url: String, key: &str) -> Exchange {
    let reply = running.ask(inside, "GET", &url, &[("x-api-key", key)]).await;
    let status = reply.as_ref().map(|reply| reply.status);
    Exchange { inside, url, status, body: reply.map(|reply| reply.body).unwrap_or_default(), is_closed: false }
}
