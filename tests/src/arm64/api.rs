//! A Lambda Runtime API for one process, on 127.0.0.1: it hands out events and is told what came of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use miette::IntoDiagnostic;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};

const PREFIX: &str = "/2018-06-01/runtime/";
/// What Lambda gives every function of skydeck's.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What is answered to who asks for anything else: a probe needs somebody to ask.
pub(super) const GREETING: &str = "here I am";

/// An event, as Lambda hands it to a function.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Its text.
    pub(super) body: String,
    /// Whether it comes with its deadline, as every one of Lambda's does.
    pub(super) has_deadline: bool,
}

/// What the process told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// It asks for the next event.
    Asks,
    /// What it made of the event.
    Answered(Value),
    /// It made nothing of it: the error as the function's caller gets it.
    Failed(Value),
    /// It could not start.
    Unable(Value),
}

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Api {
    address: SocketAddr,
    events: mpsc::UnboundedSender<Event>,
    told: mpsc::UnboundedReceiver<Told>,
    server: JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What the connections share.
struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Event>>,
    told: mpsc::UnboundedSender<Told>,
}

impl Api {
    pub(super) async fn start() -> miette::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.into_diagnostic()?;
        let address = listener.local_addr().into_diagnostic()?;
        let (events, waiting) = mpsc::unbounded_channel();
        let (teller, told) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { events: Mutex::new(waiting), told: teller });
        let server = tokio::spawn(serve(listener, shared));
        Ok(Self { address, events, told, server })
    }

    /// Where it listens, as the environment variable of Lambda's says it.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hands out an event as soon as the process asks for one.
    pub(super) fn hand(&self, event: Event) {
        // The server, which takes it, lives as long as this.
        let _ = self.events.send(event);
    }

    /// What the process tells next. Can be given up at any time, and nothing is lost.
    pub(super) async fn told(&mut self) -> Option<Told> {
        self.told.recv().await
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // The connections end with the server.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let answer = service_fn(move |request| answer(Arc::clone(&shared), request));
        // One that breaks off is the process's end, which is seen elsewhere.
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let Some(path) = parts.uri.path().strip_prefix(PREFIX) else { return Ok(plain(StatusCode::OK, GREETING)) };
    let told = |told| {
        // Who does not listen any more wants to know nothing.
        let _ = shared.told.send(told);
        plain(StatusCode::ACCEPTED, "")
    };
    let value = || serde_json::from_slice(&body).unwrap_or_default();
    Ok(match (&parts.method, path.rsplit_once('/')) {
        (&Method::GET, Some((_, "next"))) => {
            told(Told::Asks);
            match shared.events.lock().await.recv().await {
                Some(event) => handed(event),
                None => plain(StatusCode::GONE, ""),
            }
        }
        (&Method::POST, Some((_, "response"))) => told(Told::Answered(value())),
        (&Method::POST, Some(("init", "error"))) => told(Told::Unable(value())),
        (&Method::POST, Some((_, "error"))) => told(Told::Failed(value())),
        _ => plain(StatusCode::NOT_FOUND, ""),
    })
}

fn handed(event: Event) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::OK, "");
    let headers = response.headers_mut();
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    let deadline = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    headers.insert("lambda-runtime-aws-request-id", hyper::header::HeaderValue::from(deadline));
    if event.has_deadline {
        headers.insert("lambda-runtime-deadline-ms", hyper::header::HeaderValue::from(deadline));
    }
    *response.body_mut() = event.body.into();
    response
}

fn plain(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}
