//! Who may call: no page in a browser, and nobody without this run's secret.

mod chunks;
mod claim;
mod page;
mod refusal;
mod signature;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hyper::Method;
use hyper::header::CONTENT_LENGTH;
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::Error;
use crate::answer::Answer;
use crate::gateway::naming::{Name, header};
use crate::gateway::upstream::Upstream;
use claim::{Claim, Place};
use refusal::Refusal;

/// How long the address of a layer holds, as on AWS.
const LENT: Duration = Duration::from_secs(3600);
/// A sandbox that serves for days issues keys without end.
const KEPT: usize = 10_000;

/// What nobody can guess. A root signs with it, the sandbox's own interface asks for it, and the gateway shows it to the
/// emulator.
#[derive(Clone)]
pub(crate) struct Secret(Arc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Secret {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        let random = rustls::crypto::ring::default_provider().secure_random;
        let failed = |_| Error::net("a random secret")("the system gave no random bytes".into());
        random.fill(&mut bytes).map_err(failed)?;
        Ok(Self(hex::encode(bytes).into()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// Whether two texts are the same; the time that it takes says nothing about where they differ.
fn is_same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

/// What stands in front of everything that the gateway does.
#[derive(Debug)]
pub(crate) struct Guard {
    secret: Secret,
    /// The names under which the gateway is asked.
    hosts: [String; 2],
    /// Secrets of keys that the emulator has issued.
    issued: Mutex<HashMap<String, Arc<str>>>,
}

impl Guard {
    pub(crate) fn new(secret: Secret, address: SocketAddr) -> Self {
        let hosts = [address.to_string(), format!("localhost:{}", address.port())];
        Self { secret, hosts, issued: Mutex::default() }
    }

    /// The refusal of a request that only a browser makes.
    pub(crate) fn refuse_page(&self, parts: &Parts) -> Option<Answer> {
        page::refuse(parts, &self.hosts)
    }

    /// The refusal of who asks for the sandbox's own interface without its secret.
    pub(crate) fn refuse_stranger(&self, parts: &Parts) -> Option<Answer> {
        let given = header(parts, "authorization").and_then(|value| value.strip_prefix("Bearer "));
        let admitted = given.is_some_and(|given| is_same(given, self.secret.text()));
        (!admitted).then(|| page::forbidden("the sandbox's own interface asks for its secret, as a bearer token"))
    }

    /// The refusal of a call that nobody has signed who has a key of this run.
    pub(crate) async fn refuse_forgery(
        &self,
        upstream: &Upstream,
        name: &Name,
        parts: &Parts,
        body: &[u8],
    ) -> Option<Answer> {
        let checked = async {
            let claim = Claim::of(parts)?;
            claim.refuse_time(SystemTime::now())?;
            let secret = self.secret_of(upstream, &claim.key).await.ok_or(Refusal::UnknownKey)?;
            signature::check(&claim, &secret, parts, body)
        };
        checked.await.err().map(|refusal| refusal.answer(name.protocol))
    }

    async fn secret_of(&self, upstream: &Upstream, key: &str) -> Option<Arc<str>> {
        if key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Arc::clone(&self.secret.0));
        }
        let issued = || self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let known = issued().get(key).cloned();
        if known.is_some() {
            return known;
        }
        let told: Arc<str> = upstream.secret_of(key).await?.into();
        let mut issued = issued();
        if issued.len() >= KEPT {
            issued.clear();
        }
        // A key is never issued again with another secret. One that was taken back is refused by the emulator.
        issued.insert(key.to_owned(), Arc::clone(&told));
        Some(told)
    }

    /// Signs the address of a layer, which is fetched without keys.
    pub(crate) fn lend(&self, name: &Name, answer: &mut Answer) -> Option<()> {
        let mut body: Value = serde_json::from_slice(&answer.body).ok()?;
        let url = body["downloadUrl"].as_str()?;
        let place = Place { key: name.account(), region: &name.region, service: "ecr" };
        body["downloadUrl"] = signature::presign(&place, self.secret.text(), url, LENT)?.into();
        answer.body = body.to_string().into();
        answer.headers.remove(CONTENT_LENGTH);
        Some(())
    }
}

/// Takes the signature off a request for a layer: what is left is no call of AWS's API. Says whether it was one.
pub(crate) fn take_lent(name: &Name, parts: &mut Parts) -> bool {
    let is_lent = name.service == "ecr" && parts.method == Method::GET && parts.uri.path().starts_with("/v2/");
    if !is_lent || parts.headers.contains_key("authorization") {
        return false;
    }
    let Ok(path) = PathAndQuery::try_from(parts.uri.path()) else { return false };
    parts.uri = Uri::from(path);
    true
}
