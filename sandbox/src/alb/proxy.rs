//! The way of a request through a load balancer, which is reached by its own DNS name through the gateway as a proxy.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, SERVER};
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use hyper::http::uri::Uri;

use super::config::{Action, Config, Listener};
use super::probe::limit;
use super::route::{Seen, location, weighed};
use super::{TOOK, Target};
use crate::answer::Answer;
use crate::asg::Place;
use crate::gateway::Shared;

/// Seconds on AWS that a load balancer waits for its target.
const IDLE: f64 = 60.0;
/// Whoever goes by this name is inside the VPC.
const INSIDE: &str = "vpc";
/// Where requests come from, as `X-Forwarded-For` says it: an address for examples, and one of the VPC.
const ADDRESSES: (&str, &str) = ("203.0.113.10", "10.0.0.10");
/// These belong to one connection, or to the proxy.
const NOT_PASSED: [&str; 5] =
    ["connection", "keep-alive", "transfer-encoding", "proxy-authorization", "proxy-connection"];

/// From where a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Outside,
    Inside,
}

/// What a client asks the proxy for: a load balancer by its name, at a port, in plain text or by TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    host: String,
    port: u16,
    tls: bool,
}

impl Door {
    pub(crate) fn of(uri: &Uri, tls: bool) -> Option<Self> {
        let usual = if tls || uri.scheme_str() == Some("https") { 443 } else { 80 };
        Some(Self { host: uri.host()?.to_lowercase(), port: uri.port_u16().unwrap_or(usual), tls })
    }
}

/// A request that names another host than the gateway's in its first line, and the user that it gives the proxy.
pub(crate) fn from_proxy(parts: &Parts) -> Option<String> {
    parts.uri.authority()?;
    let given = parts.headers.get("proxy-authorization").and_then(|value| value.to_str().ok());
    let decoded = given.and_then(|text| STANDARD.decode(text.strip_prefix("Basic ")?.trim()).ok());
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    Some(text.split(':').next().unwrap_or_default().to_owned())
}

impl Config {
    /// The listener behind a door, where there is a way to it.
    fn way(&self, via: Via, door: &Door) -> Option<&Listener> {
        let balancer = self.balancer(&door.host)?;
        if balancer.internal && via == Via::Outside {
            tracing::info!(door.host, "an internal load balancer was asked for from outside of its VPC");
            return None;
        }
        self.listener(balancer, door.port)
    }
}

impl Shared {
    /// Where a user of the proxy is: functions go by their names, and those with a VPC are inside it.
    pub(crate) async fn via(&self, user: &str) -> Via {
        if user == INSIDE {
            return Via::Inside;
        }
        if user.is_empty() || !user.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Via::Outside;
        }
        let path = format!("/2015-03-31/functions/{user}/configuration");
        let found = self.upstream.get(crate::ACCOUNT, &self.region, "lambda", &path).await;
        let body = found.ok().and_then(|answer| serde_json::from_slice::<serde_json::Value>(&answer.body).ok());
        let subnets = body.and_then(|body| Some(body.pointer("/VpcConfig/SubnetIds")?.as_array()?.len()));
        if subnets.unwrap_or(0) > 0 { Via::Inside } else { Via::Outside }
    }

    /// Where everything is that belongs to nobody else.
    pub(crate) fn home(&self) -> Place {
        Place { account: crate::ACCOUNT.to_owned(), region: self.region.clone() }
    }

    /// The certificate of the listener of HTTPS that a door leads to; none where there is no such listener, or no way.
    pub(crate) async fn certificate(&self, via: Via, door: &Door) -> Option<String> {
        let config = self.alb.config(&self.upstream, &self.home()).await;
        config.way(via, door).filter(|listener| listener.https).map(|listener| listener.certificate.clone())
    }

    /// A load balancer's answer. None is no answer at all: no such name, no such port, or no way there.
    pub(crate) async fn balance(&self, via: Via, door: &Door, parts: &Parts, body: Bytes) -> Option<Answer> {
        let place = self.home();
        let config = self.alb.config(&self.upstream, &place).await;
        let listener = config.way(via, door)?;
        if listener.https != door.tls {
            return Some(titled(StatusCode::BAD_REQUEST, "The plain HTTP request was sent to HTTPS port"));
        }
        // A name of its own that the client asks for stands in the Host header.
        let named = parts.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or(&door.host);
        let named = named.split(':').next().unwrap_or(named);
        let seen = Seen {
            method: parts.method.as_str(),
            host: named,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
        };
        Some(self.act(&config, listener, &seen, &place, via, parts, body).await)
    }

    #[allow(clippy::too_many_arguments, reason = "one request with all that it is about")]
    async fn act(
        &self,
        config: &Config,
        listener: &Listener,
        seen: &Seen<'_>,
        place: &Place,
        via: Via,
        parts: &Parts,
        body: Bytes,
    ) -> Answer {
        match config.action(listener, seen) {
            Some(Action::Forward(groups)) => {
                let turn = self.alb.turn.fetch_add(1, Ordering::Relaxed);
                match weighed(groups, turn) {
                    Some(group) => self.forward(listener, group, (place, turn / groups.len()), via, parts, body).await,
                    None => page(StatusCode::SERVICE_UNAVAILABLE),
                }
            }
            Some(Action::Fixed { status, kind, body }) => {
                answer(StatusCode::from_u16(*status).unwrap_or(StatusCode::OK), kind, body.clone())
            }
            Some(Action::Redirect { protocol, host, port, path, query, status }) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::MOVED_PERMANENTLY);
                let mut answer = page(status);
                let to = location([protocol, host, port, path, query], listener, seen);
                if let Ok(to) = HeaderValue::from_str(&to) {
                    answer.headers.insert(LOCATION, to);
                }
                answer
            }
            _ => page(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    async fn forward(
        &self,
        listener: &Listener,
        group: &str,
        (place, turn): (&Place, usize),
        via: Via,
        parts: &Parts,
        body: Bytes,
    ) -> Answer {
        let targets = self.alb.with(place, |table| table.open(group));
        if targets.is_empty() {
            return page(StatusCode::SERVICE_UNAVAILABLE);
        }
        let target = &targets[turn % targets.len()];
        let Some(request) = self.request_to(target, listener, via, parts, body) else {
            return page(StatusCode::BAD_GATEWAY);
        };
        let exchange = async {
            let response = self.alb.client.request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            Some((parts, body))
        };
        match tokio::time::timeout(limit(self, IDLE), exchange).await {
            Err(_) => page(StatusCode::GATEWAY_TIMEOUT),
            Ok(None) => page(StatusCode::BAD_GATEWAY),
            Ok(Some((mut parts, body))) => {
                let took = parts.headers.remove(TOOK).and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
                if took.is_some_and(|took| took > IDLE) {
                    return page(StatusCode::GATEWAY_TIMEOUT);
                }
                for name in NOT_PASSED {
                    parts.headers.remove(name);
                }
                Answer { status: parts.status, headers: parts.headers, body }
            }
        }
    }

    fn request_to(
        &self,
        target: &Target,
        listener: &Listener,
        via: Via,
        parts: &Parts,
        body: Bytes,
    ) -> Option<hyper::Request<Full<Bytes>>> {
        let port = self.agents.port(&target.id, target.port)?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("http://127.0.0.1:{port}{path}").parse().ok()?;
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = uri;
        let mut headers: HeaderMap = parts.headers.clone();
        for name in NOT_PASSED {
            headers.remove(name);
        }
        if !headers.contains_key("host")
            && let Some(host) = parts.uri.host().and_then(|host| HeaderValue::from_str(host).ok())
        {
            headers.insert("host", host);
        }
        let address = if via == Via::Inside { ADDRESSES.1 } else { ADDRESSES.0 };
        let before = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
        let chain = before.map_or_else(|| address.to_owned(), |before| format!("{before}, {address}"));
        let trace = format!("Root=1-{:08x}-{}", self.clock.now() as u64, &crate::ids::hex32()[..24]);
        for (name, value) in [
            ("x-forwarded-for", chain.as_str()),
            ("x-forwarded-proto", if listener.https { "https" } else { "http" }),
            ("x-forwarded-port", &listener.port.to_string()),
            ("x-amzn-trace-id", &trace),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
        }
        *request.headers_mut() = headers;
        Some(request)
    }
}

/// An answer of the load balancer's own.
fn answer(status: StatusCode, kind: &str, body: String) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    Answer { status, headers, body: body.into() }
}

/// The page with which a load balancer tells a status.
fn page(status: StatusCode) -> Answer {
    let name = match status {
        StatusCode::SERVICE_UNAVAILABLE => "Service Temporarily Unavailable",
        StatusCode::GATEWAY_TIMEOUT => "Gateway Time-out",
        status => status.canonical_reason().unwrap_or_default(),
    };
    titled(status, name)
}

fn titled(status: StatusCode, name: &str) -> Answer {
    let title = format!("{} {name}", status.as_u16());
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    answer(status, "text/html", body)
}
