//! The sandbox's own interface, beside AWS's on the same port: the record, the faults, the latency, the end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::Method;
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::fault::Fault;
use crate::answer::Answer;
use crate::asg::Place;
use crate::consistency::Lag;
use crate::events::{self, EventFault};
use crate::model::Checked;
use crate::push;

/// Everything under it is not AWS.
pub(crate) const PREFIX: &str = "/_skydeck/";

/// How the sandbox is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The process that serves.
    pub pid: u32,
    /// Its region.
    pub region: String,
    /// How many times as fast as AWS its clocks run.
    pub speed: f64,
    /// The delay added to each call, in milliseconds.
    pub latency_millis: f64,
    /// When it started, in seconds since 1970.
    pub started: f64,
    /// The number of the last call.
    pub last_call: u64,
    /// The faults that wait for their call.
    pub faults: Vec<Fault>,
    /// What was checked against the services' models.
    pub checked: Checked,
}

pub(crate) async fn answer(shared: &Shared, parts: &Parts, body: &[u8]) -> Answer {
    let rest = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&parts.method, rest) {
        (&Method::GET, "status") => ok(&json!(status(shared))),
        (&Method::GET, "calls") => ok(&json!(shared.record.since(since(parts)))),
        (&Method::DELETE, "calls") => {
            shared.record.clear();
            ok(&json!({}))
        }
        (&Method::PUT, "faults") => taken(body, |fault: Fault| shared.faults().arm(fault)),
        (&Method::DELETE, "faults") => {
            shared.faults().clear();
            ok(&json!({}))
        }
        (&Method::PUT, "lags") => taken(body, |lag: Lag| shared.consistency.arm(lag)),
        (&Method::DELETE, "lags") => {
            shared.consistency.clear();
            ok(&json!({}))
        }
        (&Method::PUT, "latency") => match serde_json::from_slice::<Latency>(body) {
            Ok(latency) if latency.millis.is_finite() && latency.millis >= 0.0 => {
                shared.set_latency(Duration::from_secs_f64(latency.millis / 1000.0));
                ok(&json!({}))
            }
            Ok(_) => bad("a latency is a number of milliseconds from 0"),
            Err(error) => bad(&error.to_string()),
        },
        (&Method::POST, "images") => match serde_json::from_slice::<push::Request>(body) {
            Ok(request) => {
                let place = Place { account: crate::ACCOUNT.to_owned(), region: shared.region.clone() };
                match push::push(shared, &place, &request).await {
                    Ok(pushed) => ok(&json!(pushed)),
                    Err(error) => bad(&crate::error::chain(&error)),
                }
            }
            Err(error) => bad(&error.to_string()),
        },
        (&Method::GET, "events") => ok(&json!(shared.events.since(since(parts)))),
        (&Method::PUT, "event-faults") => taken(body, |fault: EventFault| shared.events.arm(fault)),
        (&Method::DELETE, "event-faults") => {
            shared.events.clear();
            ok(&json!({}))
        }
        (&Method::POST, "fire") => match serde_json::from_slice::<Schedule>(body) {
            Ok(schedule) => match events::fire(shared, &schedule.name).await {
                Ok(()) => ok(&json!({})),
                Err(error) => bad(&crate::error::chain(&error)),
            },
            Err(error) => bad(&error.to_string()),
        },
        (&Method::POST, "stop") => {
            shared.stop.notify_one();
            ok(&json!({}))
        }
        (method, _) => {
            let text = format!("the sandbox has no {method} {}", parts.uri.path());
            Answer::plain(StatusCode::NOT_FOUND, &json!({ "error": text }))
        }
    }
}

/// The body of `POST fire`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub(crate) name: String,
}

/// The body of `PUT latency`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) millis: f64,
}

pub(crate) fn status(shared: &Shared) -> Status {
    Status {
        pid: std::process::id(),
        region: shared.region.clone(),
        speed: shared.clock.speed(),
        latency_millis: shared.latency_micros.load(Ordering::Relaxed) as f64 / 1000.0,
        started: shared.started,
        last_call: shared.record.last(),
        faults: shared.faults().armed(),
        checked: shared.models.checked().clone(),
    }
}

fn since(parts: &Parts) -> u64 {
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == "since").and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// What a body asks to be kept is kept.
fn taken<T: DeserializeOwned>(body: &[u8], keep: impl FnOnce(T)) -> Answer {
    match serde_json::from_slice(body) {
        Ok(given) => {
            keep(given);
            ok(&json!({}))
        }
        Err(error) => bad(&error.to_string()),
    }
}

fn ok(value: &Value) -> Answer {
    Answer::plain(StatusCode::OK, value)
}

fn bad(text: &str) -> Answer {
    Answer::plain(StatusCode::BAD_REQUEST, &json!({ "error": text }))
}
