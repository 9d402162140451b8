//! Signs a request once more, as the client should have, and compares.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};

use super::claim::{Claim, Place, unsigned};
use super::refusal::Refusal;
use super::{chunks, is_same};
use crate::gateway::naming::header;

const HASH: &str = "x-amz-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// Whether a request is what its key's owner has signed.
pub(super) fn check(claim: &Claim, secret: &str, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
    let place = Place { key: &claim.key, region: &claim.region, service: &claim.service };
    let identity = identity(&place, secret);
    let signer = signer(&place, &identity, claim.time, claim.expires).ok_or(Refusal::Malformed)?;
    let payload = payload(claim, parts, body)?;
    let signable = SignableBody::Precomputed(payload.clone());
    let expected = signature(parts.method.as_str(), &address(claim, parts), &headers(claim, parts), signable, &signer);
    if !expected.is_some_and(|expected| is_same(&expected, &claim.signature)) {
        return Err(Refusal::Mismatch);
    }
    let SigningParams::V4(signer) = &signer else { return Err(Refusal::Malformed) };
    let holds = !payload.starts_with(chunks::SIGNED) || chunks::are_signed(body, &claim.signature, signer);
    if holds { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// An address with a signature that holds for so long.
pub(super) fn presign(place: &Place<'_>, secret: &str, url: &str, holds: Duration) -> Option<String> {
    let identity = identity(place, secret);
    let signer = signer(place, &identity, SystemTime::now(), Some(holds))?;
    let request = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::empty()).ok()?;
    let signed = sign(request, &signer).ok()?.into_parts().0;
    let mut url = url::Url::parse(url).ok()?;
    url.query_pairs_mut().extend_pairs(signed.params());
    Some(url.into())
}

fn identity(place: &Place<'_>, secret: &str) -> Identity {
    // A session's token stands among the headers or parameters that were signed.
    Credentials::new(place.key, secret, None, None, "sandbox").into()
}

fn signer<'a>(
    place: &Place<'a>,
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
    if place.service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let params = v4::SigningParams::builder().identity(identity).region(place.region).name(place.service);
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

fn headers<'a>(claim: &'a Claim, parts: &'a Parts) -> Vec<(&'a str, &'a str)> {
    let all = |name: &'a String| {
        let values = parts.headers.get_all(name).iter();
        values.filter_map(move |value| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?)))
    };
    claim.headers.iter().flat_map(all).collect()
}

/// What was signed in place of the body: its hash, or where S3 allows it a word.
fn payload(claim: &Claim, parts: &Parts, body: &[u8]) -> Result<String, Refusal> {
    let is_s3 = claim.service == "s3";
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
