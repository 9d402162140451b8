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
    let mut asked = Vec::new();
    let url = |balancer: &str, path: &str| {
        let url = outputs["load_balancers"][balancer]["url"].as_str().unwrap_or_default();
        format!("{url}{path}")
    };
    let mut wanted = Vec::new();
    for service in platform.services.values() {
        let inside =
            platform.load_balancers.get(&service.load_balancer).map(|found| found.scheme) == Some(Scheme::Internal);
        let Some(path) = &service.probe_path else { continue };
        wanted.push((inside, url(&service.load_balancer, path), false));
    }
    if platform.name == "skyfox" {
        wanted.push((true, url("internal", "/movie-service/movies"), false));
        // From outside through the backend and the internal load balancer to the movies.
        wanted.push((false, url("external", "/movies"), false));
    }
    let closed = wanted.iter().find(|(inside, ..)| *inside).map(|(_, url, _)| (false, url.clone(), true));
    wanted.sort();
    wanted.extend(closed);
    for (inside, url, is_closed) in wanted {
        let reply = running.ask(inside, "GET", &url, &[("x-api-key", key)]).await;
        let status = reply.as_ref().map(|reply| reply.status);
        asked.push(Exchange {
            inside,
            url,
            status,
            body: reply.map(|reply| reply.body).unwrap_or_default(),
            is_closed,
        });
    }
    asked
}
