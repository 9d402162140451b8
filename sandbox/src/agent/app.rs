//! What a container answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::check::CHECKER;
use super::image::{Behaviour, Image};
use super::skyfox::{self, Reply};
use crate::alb::{Door, TOOK, Via};
use crate::gateway::Shared;
use crate::glob;

/// A running container's program.
pub(super) struct App {
    shared: Arc<Shared>,
    repository: String,
    behaviour: Behaviour,
    serves: Option<BTreeMap<String, Value>>,
    environment: HashMap<String, String>,
    /// Since when it is there, by this machine's clock.
    since: f64,
}

impl App {
    pub(super) fn new(shared: &Arc<Shared>, image: Image, environment: HashMap<String, String>) -> Self {
        let shared = Arc::clone(shared);
        let since = shared.clock.now();
        Self {
            since,
            shared,
            repository: image.repository,
            behaviour: image.behaviour,
            serves: image.serves,
            environment,
        }
    }

    /// Whether the program listens on a port: on the one that its environment says, as programs in containers do, or on any where
    /// that says none.
    pub(super) fn listens_on(&self, port: u16) -> bool {
        let told = self.environment.get("PORT").and_then(|text| text.parse::<u16>().ok());
        told.is_none_or(|told| told == port)
    }

    pub(super) fn environment(&self) -> &HashMap<String, String> {
        &self.environment
    }

    pub(super) async fn answer(&self, parts: &Parts, body: Bytes) -> Response<Full<Bytes>> {
        let mut took = 0.0;
        match self.behaviour {
            Behaviour::Error => return response(500, &json!({ "error": "internal server error" }), took),
            Behaviour::FailsCheckLater if is_own_check(parts) && self.is_old() => {
                return response(500, &json!({ "error": "worn out" }), took);
            }
            Behaviour::WrongPath if !is_health_check(parts) => {
                return response(404, &json!({ "error": "not found" }), took);
            }
            Behaviour::Hang => std::future::pending::<()>().await,
            Behaviour::Slow(seconds) => {
                took = seconds;
                tokio::time::sleep(Duration::from_secs_f64(self.shared.clock.scaled(seconds.max(0.0)))).await;
            }
            _ => {}
        }
        let key = parts.headers.get("x-api-key").and_then(|value| value.to_str().ok());
        let reply = match &self.serves {
            Some(serves) => served(serves, parts.uri.path()),
            None => skyfox::reply(&self.repository, &parts.method, parts.uri.path(), key, &self.environment),
        };
        match reply {
            Reply::Json(status, value) => response(status, &self.filled(&value), took),
            Reply::Moved(status, location) => moved(status, &location),
            Reply::Fetch { url, method, key } => self.fetch(&url, &method, key.as_deref(), body, took).await,
        }
    }

    fn is_old(&self) -> bool {
        self.shared.clock.now() - self.since > self.shared.clock.scaled(super::LATER)
    }

    /// Asks another service through its load balancer, from inside the VPC, and passes the answer on.
    async fn fetch(&self, url: &str, method: &str, key: Option<&str>, body: Bytes, took: f64) -> Response<Full<Bytes>> {
        let url = self.expanded(url);
        let mut request = hyper::Request::builder().method(method).uri(&url);
        if let Some(key) = key.and_then(|name| self.environment.get(name)) {
            request = request.header("x-api-key", key);
        }
        let Ok(request) = request.body(()) else {
            return response(502, &json!({ "error": format!("no address: {url}") }), took);
        };
        let (parts, ()) = request.into_parts();
        let Some(door) = Door::of(&parts.uri, parts.uri.scheme_str() == Some("https")) else {
            return response(502, &json!({ "error": format!("no host: {url}") }), took);
        };
        match self.shared.balance(Via::Inside, &door, &parts, body).await {
            Some(answer) => {
                let mut response = Response::new(Full::new(answer.body));
                *response.status_mut() = answer.status;
                if let Some(kind) = answer.headers.get(CONTENT_TYPE) {
                    response.headers_mut().insert(CONTENT_TYPE, kind.clone());
                }
                mark(&mut response, took);
                response
            }
            None => response(502, &json!({ "error": format!("no route to {url}") }), took),
        }
    }

    /// A text with `${NAME}` of the environment filled in.
    fn expanded(&self, text: &str) -> String {
        self.environment
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    /// A body with the environment, and the time as `{timestamp}`.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text == "{timestamp}" => json!(self.shared.clock.now() as u64),
            Value::String(text) => json!(self.expanded(text)),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect(),
            other => other.clone(),
        }
    }
}

fn is_own_check(parts: &Parts) -> bool {
    parts.headers.get(USER_AGENT).is_some_and(|agent| agent == CHECKER)
}

/// By the name that the prober of a load balancer, or a container's own check, gives itself: where the path that people ask
/// is that of the health check, nothing else tells them apart.
fn is_health_check(parts: &Parts) -> bool {
    let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    agent.starts_with("ELB-HealthChecker/") || agent == CHECKER
}

/// The answer that a label gives for a path: the path itself, or the first pattern that matches it.
fn served(serves: &BTreeMap<String, Value>, path: &str) -> Reply {
    let found = serves.get(path).or_else(|| serves.iter().find(|(p, _)| glob::matches(p, path)).map(|(_, v)| v));
    let Some(found) = found else { return Reply::Json(404, json!({ "error": "not found" })) };
    if let Some(url) = found["fetch"].as_str() {
        let method = found["method"].as_str().unwrap_or("GET").to_owned();
        return Reply::Fetch { url: url.to_owned(), method, key: found["key"].as_str().map(str::to_owned) };
    }
    let status = found["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    if let Some(location) = found["location"].as_str() {
        return Reply::Moved(status, location.to_owned());
    }
    Reply::Json(status, found["body"].clone())
}

fn moved(status: u16, location: &str) -> Response<Full<Bytes>> {
    let mut response = response(status, &json!("moved"), 0.0);
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn response(status: u16, body: &Value, took: f64) -> Response<Full<Bytes>> {
    let (kind, text) = match body {
        Value::String(text) => ("text/plain; charset=utf-8", text.clone()),
        other => ("application/json", other.to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    mark(&mut response, took);
    response
}

fn mark(response: &mut Response<Full<Bytes>>, took: f64) {
    if took > 0.0
        && let Ok(value) = HeaderValue::from_str(&took.to_string())
    {
        response.headers_mut().insert(HeaderName::from_static(TOOK), value);
    }
}
