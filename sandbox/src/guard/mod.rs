//! Who may call: no page in a browser, and nobody without this run's secret.

mod chunks;
mod claim;
mod page;
mod refusal;
mod secret;
mod signature;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::answer::Answer;
use crate::gateway::naming::{self, Name, header};
use crate::gateway::upstream::Upstream;
use claim::Claim;
use page::Names;
use refusal::Refusal;

pub(crate) use claim::Scope;
pub(crate) use secret::Secret;
pub(crate) use signature::sign_post;

/// How long the address of a layer holds, as on AWS.
const LENT: Duration = Duration::from_secs(3600);
/// A sandbox that serves for days issues keys without end.
const KEPT: usize = 10_000;

/// Whether two texts are the same; the time that it takes says nothing about where they differ.
fn is_same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

/// Whether a key is the root's of an account: its key is the account's own number.
pub(crate) fn is_root(key: &str) -> bool {
    key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit())
}

/// What stands in front of everything that the gateway does.
#[derive(Debug)]
pub(crate) struct Guard {
    secret: Secret,
    token: Secret,
    names: Names,
    /// Secrets of keys that the emulator has issued.
    issued: Mutex<HashMap<String, Secret>>,
}

impl Guard {
    pub(crate) fn new(secret: Secret, address: SocketAddr) -> Self {
        Self { token: secret.token(), secret, names: Names::new(address), issued: Mutex::default() }
    }

    /// The refusal of a request that only a browser makes.
    pub(crate) fn refuse_page(&self, parts: &Parts) -> Option<Answer> {
        self.names.refuse(parts)
    }

    /// The refusal of who asks for the sandbox's own interface without its token.
    pub(crate) fn refuse_stranger(&self, parts: &Parts) -> Option<Answer> {
        let given = header(parts, "authorization").and_then(|value| value.strip_prefix("Bearer "));
        let admitted = given.is_some_and(|given| is_same(given, self.token.text()));
        (!admitted).then(|| page::forbidden("the sandbox's own interface asks for its token, as a bearer token"))
    }

    /// By whom a call is signed, and for what; the refusal of one that is not signed with a key of this run.
    pub(crate) async fn admit(&self, upstream: &Upstream, parts: &Parts, body: &[u8]) -> Result<Scope, Answer> {
        let checked = async {
            let claim = Claim::of(parts)?;
            claim.refuse_time(SystemTime::now())?;
            let secret = self.secret_of(upstream, &claim.scope.key).await.ok_or(Refusal::UnknownKey)?;
            signature::check(&claim, secret.text(), parts, body)?;
            let other_service = self.names.name_bucket(parts) && claim.scope.service != "s3";
            if other_service { Err(Refusal::OtherService) } else { Ok(claim.scope) }
        };
        checked.await.map_err(|refusal| refusal.answer(naming::protocol(parts, body)))
    }

    async fn secret_of(&self, upstream: &Upstream, key: &str) -> Option<Secret> {
        if is_root(key) {
            return Some(self.secret.clone());
        }
        let issued = || self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let known = issued().get(key).cloned();
        if known.is_some() {
            return known;
        }
        let told = Secret::from(&*upstream.secret_of(key).await?);
        let mut issued = issued();
        if issued.len() >= KEPT {
            issued.clear();
        }
        // A key is never issued again with another secret. One that was taken back is refused by the emulator.
        issued.insert(key.to_owned(), told.clone());
        Some(told)
    }

    /// Signs the address of a layer, which is fetched without keys.
    pub(crate) fn lend(&self, name: &Name, answer: &mut Answer) -> Option<()> {
        let mut body: Value = serde_json::from_slice(&answer.body).ok()?;
        let url = body["downloadUrl"].as_str()?;
        let scope = Scope { key: name.account().to_owned(), region: name.region.clone(), service: "ecr".to_owned() };
        body["downloadUrl"] = signature::presign(&scope, self.secret.text(), url, LENT)?.into();
        answer.body = body.to_string().into();
        answer.headers.remove(CONTENT_LENGTH);
        Some(())
    }
}

/// Whether a call is a request for a layer by its address: the signature is all that makes it a call of AWS.
pub(crate) fn is_lent(scope: &Scope, parts: &Parts) -> bool {
    let is_layer = scope.service == "ecr" && parts.method == Method::GET && parts.uri.path().starts_with("/v2/");
    is_layer && !parts.headers.contains_key(AUTHORIZATION)
}

/// Takes the signature off an address.
pub(crate) fn take_off(parts: &mut Parts) {
    if let Ok(path) = PathAndQuery::try_from(parts.uri.path()) {
        parts.uri = Uri::from(path);
    }
}
