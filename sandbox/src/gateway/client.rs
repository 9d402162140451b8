//! A client of the sandbox's own interface, for the command and for tests in another process.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::admin::{Latency, Schedule, Status};
use super::fault::Fault;
use super::record::Call;
use crate::Error;
use crate::consistency::Lag;
use crate::events::{Event, EventFault};
use crate::guard::Secret;
use crate::push::{self, Image, Pushed};

/// It answers from memory on this machine: a longer silence is a failure.
const LIMIT: Duration = Duration::from_secs(10);

/// A client of one sandbox.
#[derive(Debug, Clone)]
pub struct Admin {
    endpoint: String,
    token: Secret,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Admin {
    /// The sandbox at that endpoint, such as `http://127.0.0.1:4566`, by the secret key of its account's root.
    pub fn new(endpoint: &str, secret: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), token: Secret::from(secret).token(), client }
    }

    /// How it is.
    ///
    /// # Errors
    /// When it does not answer, as with all of the following.
    pub async fn status(&self) -> Result<Status, Error> {
        self.send(Method::GET, "status", None).await
    }

    /// The calls after number `since` (0 is all of them), in the order of their arrival.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn calls(&self, since: u64) -> Result<Vec<Call>, Error> {
        self.send(Method::GET, &format!("calls?since={since}"), None).await
    }

    /// Forgets the calls so far; numbers go on.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn clear_calls(&self) -> Result<(), Error> {
        self.unit(Method::DELETE, "calls", None).await
    }

    /// Lets a chosen call fail.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn inject(&self, fault: &Fault) -> Result<(), Error> {
        self.unit(Method::PUT, "faults", Some(json!(fault))).await
    }

    /// Takes all faults back.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn clear_faults(&self) -> Result<(), Error> {
        self.unit(Method::DELETE, "faults", None).await
    }

    /// Lets what is created from now on be seen late.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn lag(&self, lag: &Lag) -> Result<(), Error> {
        self.unit(Method::PUT, "lags", Some(json!(lag))).await
    }

    /// Everything is seen at once again.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn clear_lags(&self) -> Result<(), Error> {
        self.unit(Method::DELETE, "lags", None).await
    }

    /// Adds this delay to each call.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn set_latency(&self, latency: Duration) -> Result<(), Error> {
        let body = Latency { millis: latency.as_secs_f64() * 1000.0 };
        self.unit(Method::PUT, "latency", Some(json!(body))).await
    }

    /// Pushes an image into a repository under a tag.
    ///
    /// # Errors
    /// When it does not answer, or the repository does not exist.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) -> Result<Pushed, Error> {
        let request = push::Request { repository: repository.into(), tag: tag.into(), image: image.clone() };
        self.send(Method::POST, "images", Some(json!(request))).await
    }

    /// The events after number `since` (0 is all of them), in the order in which they happened.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn events(&self, since: u64) -> Result<Vec<Event>, Error> {
        self.send(Method::GET, &format!("events?since={since}"), None).await
    }

    /// Lets chosen events get lost, come twice, late or out of order.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn disturb(&self, fault: &EventFault) -> Result<(), Error> {
        self.unit(Method::PUT, "event-faults", Some(json!(fault))).await
    }

    /// Takes all faults of events back; what a reordering still holds is delivered.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn clear_event_faults(&self) -> Result<(), Error> {
        self.unit(Method::DELETE, "event-faults", None).await
    }

    /// Makes a schedule due now.
    ///
    /// # Errors
    /// When it does not answer, or there is none of that name.
    pub async fn fire(&self, schedule: &str) -> Result<(), Error> {
        self.unit(Method::POST, "fire", Some(json!(Schedule { name: schedule.to_owned() }))).await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn stop(&self) -> Result<(), Error> {
        self.unit(Method::POST, "stop", None).await
    }

    async fn unit(&self, method: Method, path: &str, body: Option<Value>) -> Result<(), Error> {
        self.send::<Value>(method, path, body).await.map(|_| ())
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> Result<T, Error> {
        let uri = format!("{}{}{path}", self.endpoint, super::admin::PREFIX);
        let failed = || Error::net(format!("{method} {uri}"));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder().method(&method).uri(&uri);
        let request = request.header(AUTHORIZATION, format!("Bearer {}", self.token.text()));
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| failed()(error.into()))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| failed()(error.into()))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|error| failed()(error.into()))?.to_bytes();
            if !status.is_success() {
                return Err(failed()(String::from_utf8_lossy(&body).into_owned().into()));
            }
            serde_json::from_slice(&body).map_err(|error| failed()(error.into()))
        };
        let late = |_| Error::Late { what: format!("{method} {uri}"), limit: LIMIT };
        tokio::time::timeout(LIMIT, exchange).await.map_err(late)?
    }
}
