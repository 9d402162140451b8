//! The emulator behind the gateway.

use std::collections::BTreeMap;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use serde_json::Value;

use crate::Error;
use crate::answer::Answer;
use crate::guard::{Scope, Secret, sign_post};
use crate::xml::Element;

/// These belong to one connection, not to the message.
const HOP_BY_HOP: [HeaderName; 3] = [CONNECTION, TRANSFER_ENCODING, HeaderName::from_static("keep-alive")];

/// Shows the emulator that it is the gateway which calls.
const PASS: HeaderName = HeaderName::from_static("x-sandbox-pass");
/// Asks it for a key's secret; no client can.
const KEY: HeaderName = HeaderName::from_static("x-sandbox-key");
/// Asks it for keys of a role, as ECS has them; no client can.
const ROLE: HeaderName = HeaderName::from_static("x-sandbox-role");
/// Tells it what it cannot know.
const TOLD: HeaderName = HeaderName::from_static("x-sandbox-told");

/// Keys of a role, for as long as a session lasts.
#[derive(Debug)]
pub(crate) struct RoleKeys {
    key: String,
    secret: Secret,
    token: String,
}

/// Calls the emulator.
#[derive(Debug)]
pub(crate) struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    port: u16,
    pass: HeaderValue,
}

impl Upstream {
    pub(crate) fn new(port: u16, secret: &Secret) -> Self {
        let mut pass = HeaderValue::from_str(secret.pass().text()).unwrap_or(HeaderValue::from_static(""));
        pass.set_sensitive(true);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), port, pass }
    }

    /// Passes a call on; host, path and all signed headers stay, so that its signature still holds. `told` is what the
    /// emulator cannot know of what the call names.
    pub(crate) async fn send(&self, mut parts: Parts, body: Bytes, told: &str) -> Result<Answer, Error> {
        parts.headers.remove(KEY);
        parts.headers.remove(ROLE);
        parts.headers.remove(TOLD);
        if let Some(told) = HeaderValue::from_str(told).ok().filter(|_| !told.is_empty()) {
            parts.headers.insert(TOLD, told);
        }
        self.exchange(parts, body).await
    }

    /// The secret of a key that the emulator has issued.
    pub(crate) async fn secret_of(&self, key: &str) -> Option<String> {
        let (parts, ()) = Request::get("/").header(KEY, key).body(()).ok()?.into_parts();
        let answer = self.exchange(parts, Bytes::new()).await.ok()?;
        let told: Value = serde_json::from_slice(&answer.body).ok()?;
        told["secret"].as_str().map(str::to_owned)
    }

    /// Keys of a role that ECS takes on for a task; none of a role that is not there or does not trust ECS.
    pub(crate) async fn keys_of_role(&self, role: &str, task: &str) -> Option<RoleKeys> {
        let (parts, ()) = Request::get("/").header(ROLE, format!("{role} {task}")).body(()).ok()?.into_parts();
        let answer = self.exchange(parts, Bytes::new()).await.ok()?;
        let told: Value = serde_json::from_slice(&answer.body).ok()?;
        let text = |key: &str| told[key].as_str().map(str::to_owned);
        let secret = Secret::from(told["AWS_SECRET_ACCESS_KEY"].as_str()?);
        Some(RoleKeys { key: text("AWS_ACCESS_KEY_ID")?, secret, token: text("AWS_SESSION_TOKEN")? })
    }

    /// A call of a JSON service with a role's keys, which its policies may deny; like all that the sandbox itself asks it is not
    /// recorded.
    pub(crate) async fn json_as(
        &self,
        keys: &RoleKeys,
        region: &str,
        service: &str,
        target: &str,
        body: &str,
    ) -> Result<Answer, Error> {
        let scope = Scope { key: keys.key.clone(), region: region.to_owned(), service: service.to_owned() };
        let host = format!("127.0.0.1:{}", self.port);
        let headers = [("host", &*host), ("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let unsigned = || Error::net(target.to_owned())("it could not be signed".into());
        let signed = sign_post(&scope, (&keys.secret, &keys.token), &headers, body).ok_or_else(unsigned)?;
        let mut request = Request::post("/");
        for (name, value) in headers.into_iter().chain(signed.iter().map(|(name, value)| (&**name, &**value))) {
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).map_err(|error| Error::net(target.to_owned())(error.into()))?.into_parts();
        self.send(parts, body.to_owned().into(), "").await
    }

    async fn exchange(&self, mut parts: Parts, body: Bytes) -> Result<Answer, Error> {
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let target = format!("http://127.0.0.1:{}{path}", self.port);
        parts.uri = target.parse::<Uri>().map_err(|error| Error::net("the address of a call")(error.into()))?;
        for name in HOP_BY_HOP {
            parts.headers.remove(name);
        }
        parts.headers.insert(PASS, self.pass.clone());
        parts.extensions.clear();
        let request = Request::from_parts(parts, Full::new(body));
        let failed = || Error::net("calling the emulator");
        let response = self.client.request(request).await.map_err(|error| failed()(error.into()))?;
        let (mut parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| failed()(error.into()))?.to_bytes();
        for name in HOP_BY_HOP {
            parts.headers.remove(name);
        }
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// A call of the sandbox's own to a query-protocol service, as the account's root; it is not recorded.
    pub(crate) async fn query(
        &self,
        account: &str,
        region: &str,
        service: &str,
        form: &BTreeMap<String, String>,
    ) -> Result<Element, Error> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post("/")
            .header("host", format!("127.0.0.1:{}", self.port))
            .header("authorization", root_authorization(account, region, service))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(());
        let what = || format!("{service} {}", form.get("Action").map_or("", String::as_str));
        let (parts, ()) = request.map_err(|error| Error::net(what())(error.into()))?.into_parts();
        let answer = self.send(parts, body.into(), "").await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        match Element::parse(&text) {
            Some(root) if answer.status.is_success() => Ok(root),
            _ => Err(Error::Net { what: what(), message: text }),
        }
    }
}

impl Upstream {
    /// Any call of the sandbox's own, as the account's root; `scope` is account, region and service.
    pub(crate) async fn call(
        &self,
        scope: (&str, &str, &str),
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Error> {
        let (account, region, service) = scope;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("127.0.0.1:{}", self.port))
            .header("authorization", root_authorization(account, region, service));
        for (key, value) in headers {
            request = request.header(*key, *value);
        }
        let failed = || Error::net(format!("{method} {path}"));
        let (parts, ()) = request.body(()).map_err(|error| failed()(error.into()))?.into_parts();
        self.send(parts, body.to_owned().into(), "").await
    }

    /// A plain `GET`.
    pub(crate) async fn get(&self, account: &str, region: &str, service: &str, path: &str) -> Result<Answer, Error> {
        let kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, */*";
        self.call((account, region, service), "GET", path, &[("accept", kinds)], b"").await
    }

    /// A call of a JSON service.
    pub(crate) async fn json(
        &self,
        account: &str,
        region: &str,
        service: &str,
        target: &str,
        body: &Value,
    ) -> Result<Value, Error> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let answer = self.call((account, region, service), "POST", "/", &headers, body.to_string().as_bytes()).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(value) if answer.status.is_success() => Ok(value),
            _ => {
                let message = String::from_utf8_lossy(&answer.body).into_owned();
                Err(Error::Net { what: target.to_owned(), message })
            }
        }
    }
}

/// The emulator takes an account's number as the access key of its root, and checks no signature of a root.
fn root_authorization(account: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}
