//! The question and its answer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, PROXY_AUTHORIZATION, SERVER};
use hyper::http::uri::Scheme;
use hyper::{Request, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use lambda_runtime::Service;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One question.
#[derive(Debug, Clone, Deserialize)]
pub struct Question {
    /// The URL to ask.
    pub url: String,
    /// The load balancer's own DNS name, where the URL has another: it is asked there, by the URL's name, which its
    /// certificate must be for. So the answer does not depend on where that name leads, or whether it does yet.
    #[serde(default)]
    pub connect_to: Option<String>,
    /// Milliseconds to wait for the answer.
    #[serde(default = "default_timeout")]
    pub timeout_milliseconds: u64,
}

fn default_timeout() -> u64 {
    5000
}

/// What came back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// An HTTP answer, whatever its status.
    Answered { status: u16, server: Option<String>, body: String },
    /// None: no connection, or none in time.
    Silent { reason: String },
}

/// As much of a body as a person needs to recognise it.
const BODY_LIMIT: usize = 1024;

/// How this process asks: against what certificates are checked, and which proxies lead where.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) proxies: Matcher,
}

/// Asks. A redirect is not followed: it is what the load balancer answers.
pub(crate) async fn ask(ways: &Ways, question: &Question) -> Answer {
    let timeout = Duration::from_millis(question.timeout_milliseconds);
    match tokio::time::timeout(timeout, answer(ways, question)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(reason)) => Answer::Silent { reason },
        Err(_) => Answer::Silent { reason: "no answer in time".into() },
    }
}

async fn answer(ways: &Ways, question: &Question) -> Result<Answer, String> {
    let url: Uri = question.url.parse().map_err(|error| format!("the URL {}: {error}", question.url))?;
    let host = url.host().ok_or_else(|| format!("the URL {} has no host", question.url))?;
    let at = located(&url, question.connect_to.as_deref()).map_err(|error| told("the load balancer's name", &error))?;
    let proxy = ways.proxies.intercept(&at);
    let request = request(&url, &at, proxy.as_ref()).map_err(|error| told("the request", &error))?;
    let stream = connect(&at, proxy.as_ref()).await.map_err(|error| told("no connection", &*error))?;
    if is_plain(&url) {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| told("the host's name", &error))?;
    let secure = TlsConnector::from(Arc::clone(&ways.tls)).connect(name, stream).await;
    exchange(secure.map_err(|error| told("no connection", &error))?, request).await
}

fn is_plain(url: &Uri) -> bool {
    url.scheme() == Some(&Scheme::HTTP)
}

/// The URL with the name under which it is connected to.
fn located(url: &Uri, name: Option<&str>) -> Result<Uri, hyper::http::Error> {
    let Some(name) = name else { return Ok(url.clone()) };
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let mut parts = url.clone().into_parts();
    parts.authority = Some(format!("{name}{port}").parse()?);
    Ok(Uri::from_parts(parts)?)
}

/// A proxy that speaks HTTP is told all of the URL, one that gives a way through only where that leads.
fn request(url: &Uri, at: &Uri, proxy: Option<&Intercept>) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let host = url.authority().map_or("", |authority| authority.as_str());
    let request = Request::builder().header(HOST, host);
    let request = match proxy.filter(|_| is_plain(url)) {
        None => request.uri(path),
        Some(proxy) => match proxy.basic_auth() {
            None => request.uri(at),
            Some(user) => request.uri(at).header(PROXY_AUTHORIZATION, user),
        },
    };
    request.body(Empty::new())
}

async fn connect(at: &Uri, proxy: Option<&Intercept>) -> Result<TcpStream, Box<dyn Error + Send + Sync>> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let stream = match proxy {
        None => connector.call(at.clone()).await?,
        Some(proxy) if is_plain(at) => connector.call(proxy.uri().clone()).await?,
        Some(proxy) => {
            let tunnel = Tunnel::new(proxy.uri().clone(), connector);
            let mut tunnel = match proxy.basic_auth() {
                None => tunnel,
                Some(user) => tunnel.with_auth(user.clone()),
            };
            tunnel.call(at.clone()).await?
        }
    };
    Ok(stream.into_inner())
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broke = |error: &(dyn Error + 'static)| told("the answer broke off", error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broke(&error))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|error| broke(&error))?;
        let status = response.status().as_u16();
        let server = response.headers().get(SERVER).and_then(|value| value.to_str().ok()).map(Into::into);
        let body = shown(response.into_body()).await.map_err(|error| broke(&error))?;
        Ok(Answer::Answered { status, server, body })
    };
    tokio::pin!(answered);
    // The connection works for as long as the answer takes.
    tokio::select! {
        answer = &mut answered => answer,
        _ = connection => answered.await,
    }
}

/// The beginning of a body.
async fn shown(mut body: Incoming) -> Result<String, hyper::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // The rest is read all the same: an answer is good when it is whole.
        let data = frame?.into_data().unwrap_or_default();
        let room = BODY_LIMIT.saturating_sub(bytes.len());
        bytes.extend_from_slice(&data[..room.min(data.len())]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What went wrong, with the innermost reason, such as a certificate for another name.
fn told(what: &str, error: &(dyn Error + 'static)) -> String {
    let mut reason = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    format!("{what}: {reason}")
}
