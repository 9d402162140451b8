//! The question and its answer.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HOST, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, RequestBuilder, Url};
use serde::{Deserialize, Serialize};

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

/// Asks. `client` says what the answer's certificate is checked against.
pub(crate) async fn ask(client: ClientBuilder, question: Question) -> Answer {
    let timeout = Duration::from_millis(question.timeout_milliseconds);
    match tokio::time::timeout(timeout, answer(client, question)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(reason)) => Answer::Silent { reason },
        Err(_) => Answer::Silent { reason: "no answer in time".into() },
    }
}

async fn answer(client: ClientBuilder, question: Question) -> Result<Answer, String> {
    let response = request(client, question).await?.send().await.map_err(|error| told(&error))?;
    let status = response.status().as_u16();
    let server = response.headers().get("server").and_then(|value| value.to_str().ok()).map(Into::into);
    let body = response.text().await.map_err(|error| told(&error))?;
    Ok(Answer::Answered { status, server, body: body.chars().take(BODY_LIMIT).collect() })
}

/// Redirects are not followed: they are what the load balancer answers.
async fn request(client: ClientBuilder, question: Question) -> Result<RequestBuilder, String> {
    let client = client.redirect(Policy::none());
    let mut url = Url::parse(&question.url).map_err(|error| format!("the URL {}: {error}", question.url))?;
    // Who asks by HTTP needs no roots of trust, and there may be none.
    let client = if url.scheme() == "http" { client.tls_certs_only([]) } else { client };
    let asked = |client: ClientBuilder, url| Ok(client.build().map_err(|error| told(&error))?.get(url));
    let Some((to, name)) = question.connect_to.zip(url.host_str().map(ToOwned::to_owned)) else {
        return asked(client, url);
    };
    if url.scheme() == "https" {
        let found = tokio::net::lookup_host((to.as_str(), 443)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| format!("no address of {to}: {error}"))?.collect();
        // A port of 0 is the URL's own.
        let found: Vec<SocketAddr> = found.into_iter().map(|address| SocketAddr::new(address.ip(), 0)).collect();
        return asked(client.resolve_to_addrs(&name, &found), url);
    }
    // By name, since a proxy may have to find it.
    url.set_host(Some(&to)).map_err(|error| format!("the name {to}: {error}"))?;
    let name = HeaderValue::try_from(name).map_err(|error| error.to_string())?;
    Ok(asked(client, url)?.header(HOST, name))
}

/// What went wrong, with the innermost reason, such as a certificate for another name.
fn told(error: &reqwest::Error) -> String {
    let what = match error {
        error if error.is_timeout() => return "no answer in time".into(),
        error if error.is_connect() => "no connection",
        _ => "the answer broke off",
    };
    let mut reason = error.source();
    while let Some(inner) = reason.and_then(|reason| reason.source()) {
        reason = Some(inner);
    }
    reason.map_or_else(|| what.into(), |reason| format!("{what}: {reason}"))
}
