//! Load balancers: the emulator keeps them, their listeners, rules and target groups; here are the targets, their health by
//! real probes, and the way of a request to one of them.

mod actions;
mod config;
mod health;
mod history;
mod probe;
mod proxy;
mod route;
mod tls;
mod words;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::asg::Place;
use config::Config;
use health::Table;
pub use history::{TargetCounts, TargetHistory};
pub(crate) use proxy::{Door, Via, from_proxy};
pub(crate) use tls::{Certificates, Tunnel};

/// An instance and a port behind a target group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    /// The target group, by ARN.
    pub(crate) group: String,
    /// The instance.
    pub(crate) id: String,
    pub(crate) port: u16,
}

/// What the scheduler wants of load balancers.
pub(crate) trait Balancer {
    fn register(&mut self, now: f64, target: &Target);
    /// It gets no new requests, and is known until its deregistration delay is over.
    fn deregister(&mut self, now: f64, target: &Target);
    fn knows(&self, target: &Target) -> bool;
    fn is_healthy(&self, target: &Target) -> bool;
    /// What is wrong with an unhealthy target.
    fn complaint(&self, target: &Target) -> Option<String>;
}

/// What a task tells its prober and its load balancer: how many seconds of AWS its answer took. It goes no further.
pub(crate) const TOOK: &str = "x-sandbox-took";

/// All load balancing.
#[derive(Debug)]
pub(crate) struct Alb {
    places: Mutex<HashMap<Place, Table>>,
    /// As they were last read, and after how many writes.
    configs: Mutex<HashMap<Place, (u64, Arc<Config>)>>,
    /// How often something about load balancers was written.
    written: AtomicU64,
    /// Whose turn it is among healthy targets.
    turn: AtomicUsize,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Reading takes several calls: one at a time.
    reading: tokio::sync::Mutex<()>,
}

impl Default for Alb {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // A connection kept open could reach a task that has another's port by now.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self {
            places: Mutex::default(),
            configs: Mutex::default(),
            written: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            client,
            reading: tokio::sync::Mutex::default(),
        }
    }
}

impl Alb {
    /// Whatever was read of load balancers may be outdated.
    pub(crate) fn outdate(&self) {
        self.written.fetch_add(1, Ordering::Release);
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<Place, Table>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn configs(&self) -> MutexGuard<'_, HashMap<Place, (u64, Arc<Config>)>> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many health checks were made, everywhere.
    pub(crate) fn probes(&self) -> u64 {
        self.tables().values().map(|table| table.probes).sum()
    }

    /// The targets of a place, to look at or change.
    pub(crate) fn with<T>(&self, place: &Place, look: impl FnOnce(&mut Table) -> T) -> T {
        look(self.tables().entry(place.clone()).or_default())
    }
}
