//! The HTTP server that stands in front of the emulator: it names and records each call, delays it, fails it where asked
//! to, and passes it on unchanged, or to the modules that answer a service themselves.

pub(crate) mod admin;
mod call;
pub(crate) mod client;
pub(crate) mod fault;
mod lambda_naming;
pub(crate) mod naming;
mod past;
pub(crate) mod record;
pub(crate) mod s3_naming;
pub(crate) mod upstream;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::agent::Agents;
use crate::alb::{Alb, Certificates, Door, Tunnel, from_proxy};
use crate::answer::Answer;
use crate::asg::Asg;
use crate::canary::Canary;
use crate::clock::Clock;
use crate::consistency::Consistency;
use crate::ecs::Ecs;
use crate::events::Events;
use crate::guard::Guard;
use crate::model::Models;
use call::Ending;
use fault::Faults;
use record::Record;
use upstream::Upstream;

/// All that the gateway's connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) guard: Guard,
    pub(crate) upstream: Upstream,
    pub(crate) record: Record,
    pub(crate) canary: Canary,
    pub(crate) models: Models,
    pub(crate) faults: Mutex<Faults>,
    /// How many faults have struck; those that let a call hang are counted when its effect is there.
    pub(crate) strikes: watch::Sender<u64>,
    pub(crate) latency_micros: AtomicU64,
    pub(crate) clock: Clock,
    pub(crate) region: String,
    pub(crate) ecs: Ecs,
    pub(crate) asg: Asg,
    pub(crate) alb: Alb,
    pub(crate) certificates: Certificates,
    pub(crate) agents: Agents,
    pub(crate) events: Events,
    pub(crate) consistency: Consistency,
    /// Something happened that the loop should look at.
    pub(crate) pulse: Notify,
    pub(crate) started: f64,
    /// When the last call came, in whole seconds since 1970.
    pub(crate) active: AtomicU64,
    pub(crate) stop: Notify,
}

impl Shared {
    pub(crate) fn new(
        upstream: Upstream,
        models: Models,
        certificates: Certificates,
        clock: Clock,
        region: String,
        latency: Duration,
        guard: Guard,
    ) -> Arc<Self> {
        let started = clock.now();
        let shared = Self {
            guard,
            upstream,
            record: Record::default(),
            canary: Canary::default(),
            models,
            faults: Mutex::default(),
            strikes: watch::Sender::new(0),
            latency_micros: AtomicU64::new(0),
            clock,
            region,
            ecs: Ecs::default(),
            asg: Asg::default(),
            alb: Alb::default(),
            certificates,
            agents: Agents::default(),
            events: Events::default(),
            consistency: Consistency::default(),
            pulse: Notify::new(),
            started,
            active: AtomicU64::new(started as u64),
            stop: Notify::new(),
        };
        shared.set_latency(latency);
        Arc::new(shared)
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_micros.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    task: JoinHandle<()>,
}

impl Gateway {
    pub(crate) fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        Self { task: tokio::spawn(accept(listener, shared)) }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends, with all connections, when its task is aborted.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Without it every answer waits for the client's delayed acknowledgement.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(connection(TokioIo::new(stream), Arc::clone(&shared)));
                }
                // Such as too many open files: let some of them close.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(io: TokioIo<tokio::net::TcpStream>, shared: Arc<Shared>) {
    let tunnel = Mutex::new(None);
    let service = service_fn(|request| respond(Arc::clone(&shared), &tunnel, request));
    // An error here is a client that went away, or an answer lost on purpose.
    let _ = http1::Builder::new().serve_connection(io, service).with_upgrades().await;
    let tunnel = tunnel.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(tunnel) = tunnel {
        shared.serve_tunnel(tunnel).await;
    }
}

/// The answer to this call is lost: hyper closes the connection on an error.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
pub(crate) struct Lost;

/// Answers one request. `tunnel` is what the connection becomes after it, where the client asks for a way through.
async fn respond(
    shared: Arc<Shared>,
    tunnel: &Mutex<Option<Tunnel>>,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Lost> {
    let upgrade = (request.method() == hyper::Method::CONNECT).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    if let Some(refused) = shared.guard.refuse_page(&parts) {
        return Ok(into_response(refused));
    }
    let Ok(body) = body.collect().await else { return Err(Lost) };
    let body = body.to_bytes();
    if let Some(user) = from_proxy(&parts) {
        shared.active.store(shared.clock.now() as u64, Ordering::Relaxed);
        let via = shared.via(&user).await;
        let door = Door::of(&parts.uri, upgrade.is_some()).ok_or(Lost)?;
        let Some(upgrade) = upgrade else {
            return shared.balance(via, &door, &parts, body).await.map(into_response).ok_or(Lost);
        };
        shared.certificate(via, &door).await.ok_or(Lost)?;
        *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(Tunnel { via, door, upgrade });
        return Ok(Response::default());
    }
    if parts.uri.path().starts_with(admin::PREFIX) {
        let answer = match shared.guard.refuse_stranger(&parts) {
            Some(refused) => refused,
            None => admin::answer(&shared, &parts, &body).await,
        };
        return Ok(into_response(answer));
    }
    // In a task of its own, a call is carried through even when its client goes away.
    let call = tokio::spawn(async move { shared.call(parts, body).await });
    match call.await {
        Ok(Ending::Answer(answer)) => Ok(into_response(answer)),
        // Ends when the client goes away.
        Ok(Ending::Silence) => std::future::pending().await,
        Ok(Ending::Break) | Err(_) => Err(Lost),
    }
}

pub(crate) fn into_response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// The address on which the gateway will listen.
pub(crate) async fn bind(port: u16) -> Result<(TcpListener, SocketAddr), crate::Error> {
    let bound = async {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source: std::io::Error| crate::Error::Net {
        what: format!("listening on 127.0.0.1:{port}"),
        message: source.to_string(),
    })
}
