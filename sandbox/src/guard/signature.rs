//! Signs a request once more, as the client should have, and compares.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use hyper::header::HeaderName;
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};

use super::claim::{Claim, Scope, unsigned};
use super::refusal::Refusal;
use super::{Secret, chunks, is_same};
use crate::gateway::naming::header;

const HASH: &str = "x-amz-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
const UNSIGNED_IN_ADDRESS: [&str; 2] = ["x-amz-user-agent", "x-amz-checksum-mode"];
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// Whether a request is what its key's owner has signed.
pub(super) fn check(claim: &Claim, secret: &str, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
    let identity = identity(&claim.scope, secret);
    let signer = signer(&claim.scope, &identity, claim.time, claim.expires).ok_or(Refusal::Malformed)?;
    let payload = payload(claim, parts, body)?;
    let signable = SignableBody::Precomputed(payload.clone());
    let headers = headers(claim, parts).ok_or(Refusal::Mismatch)?;
    let expected = signature(parts.method.as_str(), &address(claim, parts), &headers, signable, &signer);
    if !expected.is_some_and(|expected| is_same(&expected, &claim.signature)) {
        return Err(Refusal::Mismatch);
    }
    refuse_unsigned_headers(claim, parts)?;
    let SigningParams::V4(signer) = &signer else { return Err(Refusal::Malformed) };
    let holds = !payload.starts_with(chunks::SIGNED) || chunks::are_signed(body, &claim.signature, signer);
    if holds { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// An address with a signature that holds for so long.
pub(super) fn presign(scope: &Scope, secret: &str, url: &str, holds: Duration) -> Option<String> {
    let identity = identity(scope, secret);
    let signer = signer(scope, &identity, SystemTime::now(), Some(holds))?;
    let request = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::empty()).ok()?;
    let signed = sign(request, &signer).ok()?.into_parts().0;
    let mut url = url::Url::parse(url).ok()?;
    url.query_pairs_mut().extend_pairs(signed.params());
    Some(url.into())
}

/// The headers that a signature with a session's secret and token adds to a `POST` of the sandbox's own.
pub(crate) fn sign_post(
    scope: &Scope,
    (secret, token): (&Secret, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Vec<(String, String)>> {
    let token = Some(token.to_owned());
    let identity = Credentials::new(scope.key.as_str(), secret.text(), token, None, "sandbox").into();
    let signer = signer(scope, &identity, SystemTime::now(), None)?;
    let body = SignableBody::Bytes(body.as_bytes());
    let request = SignableRequest::new("POST", "http://sandbox/", headers.iter().copied(), body).ok()?;
    let signed = sign(request, &signer).ok()?.into_parts().0;
    Some(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn identity(scope: &Scope, secret: &str) -> Identity {
    // A session's token stands among the headers or parameters that were signed.
    Credentials::new(scope.key.as_str(), secret, None, None, "sandbox").into()
}

fn signer<'a>(
    scope: &'a Scope,
    identity: &'a Identity,
    time: SystemTime,
    expires: Option<Duration>,
) -> Option<SigningParams<'a>> {
    let mut settings = SigningSettings::default();
    // The client has said which headers it signs.
    settings.excluded_headers = None;
    settings.expires_in = expires;
    if expires.is_some() {
        settings.signature_location = SignatureLocation::QueryParams;
    }
    if scope.service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let params = v4::SigningParams::builder().identity(identity).region(&scope.region).name(&scope.service);
    params.time(time).settings(settings).build().ok().map(Into::into)
}

fn signature(
    method: &str,
    address: &str,
    headers: &[(&str, &str)],
    body: SignableBody<'_>,
    signer: &SigningParams<'_>,
) -> Option<String> {
    let request = SignableRequest::new(method, address, headers.iter().copied(), body).ok()?;
    Some(sign(request, signer).ok()?.into_parts().1)
}

/// The address without a signature that stands in it: the signer writes it anew.
fn address(claim: &Claim, parts: &Parts) -> String {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let query = if claim.expires.is_some() { unsigned(query) } else { query.to_owned() };
    // The host is signed as a header.
    format!("http://sandbox{path}?{query}")
}

/// All values of the headers that are signed; each is there, and is text.
fn headers<'a>(claim: &'a Claim, parts: &'a Parts) -> Option<Vec<(&'a str, &'a str)>> {
    let mut all = Vec::new();
    for name in &claim.headers {
        let before = all.len();
        for value in parts.headers.get_all(name) {
            all.push((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?));
        }
        if all.len() == before {
            return None;
        }
    }
    Some(all)
}

/// What begins like this says what AWS is to do, and is signed; whoever adds some could make a copy of an upload.
fn refuse_unsigned_headers(claim: &Claim, parts: &Parts) -> Result<(), Refusal> {
    let is_signed = |name: &str| claim.headers.iter().any(|signed| signed == name);
    let in_address = claim.expires.is_some();
    let mut names = parts.headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    // The hash stands in the signature itself. No client signs the others in an address.
    let may_lack = |name: &str| name == HASH || in_address && UNSIGNED_IN_ADDRESS.contains(&name);
    if names.all(|name| is_signed(name) || may_lack(name)) { Ok(()) } else { Err(Refusal::UnsignedHeader) }
}

/// What was signed in place of the body: its hash, or where S3 allows it a word.
fn payload(claim: &Claim, parts: &Parts, body: &[u8]) -> Result<String, Refusal> {
    let is_s3 = claim.scope.service == "s3";
    if is_s3 && claim.expires.is_some() {
        return Ok(UNSIGNED_PAYLOAD.to_owned());
    }
    let said = header(parts, HASH);
    if let Some(said) = said.filter(|said| is_s3 && is_word(said)) {
        return Ok(said.to_owned());
    }
    let hash = hex::encode(Sha256::digest(body));
    if said.is_some_and(|said| said != hash) { Err(Refusal::OtherBody) } else { Ok(hash) }
}

fn is_word(said: &str) -> bool {
    said == UNSIGNED_PAYLOAD || said == UNSIGNED_CHUNKS || said.starts_with(chunks::SIGNED)
}
