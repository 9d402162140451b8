//! What a request says of its own signature, in a header or in its address.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use hyper::http::request::Parts;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::refusal::Refusal;
use crate::gateway::naming::header;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's time may be from this machine's.
const SKEW: Duration = Duration::from_secs(15 * 60);
/// How long an address may hold that was signed in advance.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The parameters of a signature in an address. A session's token is signed like any other parameter.
const PARAMETERS: [&str; 6] =
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];

/// By which key, and for what, something is signed.
pub(super) struct Place<'a> {
    pub(super) key: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// A signature as a request brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) key: String,
    pub(super) region: String,
    pub(super) service: String,
    /// The names of the headers that are signed, in lower case.
    pub(super) headers: Vec<String>,
    pub(super) signature: String,
    pub(super) time: SystemTime,
    /// How long an address holds that was signed in advance.
    pub(super) expires: Option<Duration>,
}

impl Claim {
    pub(super) fn of(parts: &Parts) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        match (header(parts, "authorization"), has_parameter(query)) {
            (Some(authorization), false) => Self::of_header(authorization, parts).ok_or(Refusal::Malformed),
            (None, true) => Self::of_query(query).ok_or(Refusal::Malformed),
            (Some(_), true) => Err(Refusal::Malformed),
            (None, false) => Err(Refusal::Unsigned),
        }
    }

    fn of_header(authorization: &str, parts: &Parts) -> Option<Self> {
        let fields = authorization.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        let time = header(parts, "x-amz-date")?;
        Self::new(field("Credential")?, field("SignedHeaders")?, field("Signature")?, time, None)
    }

    fn of_query(query: &str) -> Option<Self> {
        let values = PARAMETERS.map(|name| {
            let mut found = pairs(query).filter(|(key, _)| key == name).map(|(_, value)| value);
            // Whoever reads on might take the second one.
            let (first, second) = (found.next(), found.next());
            first.filter(|_| second.is_none())
        });
        let [Some(algorithm), Some(credential), Some(time), Some(expires), Some(headers), Some(signature)] = values
        else {
            return None;
        };
        let expires = Duration::from_secs(expires.parse().ok()?);
        let holds = algorithm == ALGORITHM && expires <= LONGEST;
        holds.then(|| Self::new(&credential, &headers, &signature, &time, Some(expires)))?
    }

    fn new(credential: &str, headers: &str, signature: &str, time: &str, expires: Option<Duration>) -> Option<Self> {
        let [key, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let headers: Vec<String> = headers.split(';').map(str::to_ascii_lowercase).collect();
        if !time.starts_with(date) || !headers.iter().any(|name| name == "host") {
            return None;
        }
        let time = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().into();
        let [key, region, service, signature] = [key, region, service, signature].map(str::to_owned);
        Some(Self { key, region, service, headers, signature, time, expires })
    }

    /// The refusal of what was signed at another time than now, as far as that shows.
    pub(super) fn refuse_time(&self, now: SystemTime) -> Result<(), Refusal> {
        let ahead = self.time.duration_since(now).unwrap_or_default();
        let age = now.duration_since(self.time).unwrap_or_default();
        match self.expires {
            _ if ahead > SKEW => Err(Refusal::Skewed),
            Some(expires) if age > expires => Err(Refusal::Expired),
            None if age > SKEW => Err(Refusal::Skewed),
            _ => Ok(()),
        }
    }
}

/// A query without its signature; the rest of it as it was written.
pub(super) fn unsigned(query: &str) -> String {
    let is_rest = |pair: &&str| !pairs(pair).any(|(key, _)| PARAMETERS.contains(&&*key));
    query.split('&').filter(is_rest).collect::<Vec<_>>().join("&")
}

fn has_parameter(query: &str) -> bool {
    pairs(query).any(|(key, _)| PARAMETERS.iter().any(|name| key.eq_ignore_ascii_case(name)))
}

fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(query.as_bytes())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k%2F20260101%2Fr%2Fs3%2Faws4_request\
                         &X-Amz-Date=20260101T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=0";

    fn claim(query: &str, authorization: Option<&str>) -> Result<Claim, Refusal> {
        let mut request = Request::get(format!("/b/k?{query}")).header("x-amz-date", "20260101T000000Z");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        Claim::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn half_a_signature_and_two_are_none() {
        let header = "AWS4-HMAC-SHA256 Credential=k/20260101/r/s3/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(claim(QUERY, None).unwrap().key, "k");
        assert_eq!(claim("", Some(header)).unwrap().region, "r");
        assert_eq!(claim("list-type=2", None), Err(Refusal::Unsigned));
        assert_eq!(claim(QUERY, Some(header)), Err(Refusal::Malformed));
        let wrong = [
            QUERY.replace("&X-Amz-Expires=600", ""),
            QUERY.replace("=600", "=604801"),
            QUERY.replace("SHA256", "SHA1"),
            QUERY.replace("X-Amz-Signature", "x-amz-signature"),
            QUERY.replace("20260101T", "20260102T"),
            QUERY.replace("=host", "=range"),
            format!("{QUERY}&X-Amz-Credential=000000000000"),
            "x-amz-credential=000000000000".to_owned(),
        ];
        for query in wrong {
            assert_eq!(claim(&query, None), Err(Refusal::Malformed), "{query}");
        }
        for authorization in ["", "Bearer x", "AWS k:0", &header.replace("host", "date"), &header.replace("k/", "")] {
            assert_eq!(claim("", Some(authorization)), Err(Refusal::Malformed), "{authorization}");
        }
    }

    #[test]
    fn the_rest_of_an_address_stays_as_it_is() {
        assert_eq!(unsigned(&format!("x-id=a%20b&{QUERY}&c=d+e")), "x-id=a%20b&c=d+e");
        assert_eq!(unsigned(QUERY), "");
    }

    #[test]
    fn a_signature_holds_for_its_time() {
        let claim = claim(QUERY, None).unwrap();
        let at = |seconds: u64| claim.refuse_time(claim.time + Duration::from_secs(seconds));
        assert_eq!((at(0), at(600), at(601)), (Ok(()), Ok(()), Err(Refusal::Expired)));
        let early = |seconds: u64| claim.refuse_time(claim.time - Duration::from_secs(seconds));
        assert_eq!((early(900), early(901)), (Ok(()), Err(Refusal::Skewed)));
    }
}
