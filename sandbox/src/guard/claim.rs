//! What a request says of its own signature, in a header or in its address.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use hyper::header::{AUTHORIZATION, HeaderValue};
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
const TOKEN: &str = "X-Amz-Security-Token";

/// By which key, and for what, something is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// A signature as a request brings it. The emulator reads the request once more, in its own way, and takes the first
/// `Credential=` that it finds anywhere: whatever another reader could take for another key is no signature here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) scope: Scope,
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
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next(), has_parameter(query)) {
            (Some(authorization), None, false) => Self::of_header(authorization, parts).ok_or(Refusal::Malformed),
            (None, None, true) => Self::of_query(query).ok_or(Refusal::Malformed),
            (None, None, false) => Err(Refusal::Unsigned),
            _ => Err(Refusal::Malformed),
        }
    }

    /// Its three fields and nothing else, in the order in which all clients write them.
    fn of_header(authorization: &HeaderValue, parts: &Parts) -> Option<Self> {
        let fields = authorization.to_str().ok()?.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let fields: Vec<&str> = fields.split(',').map(str::trim).collect();
        let [credential, headers, signature] = fields[..] else { return None };
        let credential = credential.strip_prefix("Credential=")?;
        let headers = headers.strip_prefix("SignedHeaders=")?;
        Self::new(credential, headers, signature.strip_prefix("Signature=")?, header(parts, "x-amz-date")?, None)
    }

    fn of_query(query: &str) -> Option<Self> {
        let names = || PARAMETERS.iter().chain([&TOKEN]);
        let is_other = |key: &str| names().any(|name| key.eq_ignore_ascii_case(name) && key != *name);
        if pairs(query).any(|(key, _)| is_other(&key)) {
            return None;
        }
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
        let headers: Vec<String> = headers.split(';').map(str::to_owned).collect();
        let fit = [key, region, service].iter().all(|word| is_word(word)) && time.get(..8) == Some(date);
        if !fit || !is_list(&headers) || !headers.iter().any(|name| name == "host") {
            return None;
        }
        let time = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().into();
        let [key, region, service, signature] = [key, region, service, signature].map(str::to_owned);
        Some(Self { scope: Scope { key, region, service }, headers, signature, time, expires })
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

/// What keys, regions and services are made of.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether these are names of headers as they are signed: in lower case, in order, each once.
fn is_list(headers: &[String]) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    headers.iter().all(|name| name.bytes().all(is_fit)) && headers.windows(2).all(|two| two[0] < two[1])
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

    const HEADER: &str = "AWS4-HMAC-SHA256 Credential=k/20260101/r/s3/aws4_request, SignedHeaders=host, Signature=0";

    fn claim(query: &str, authorization: &[&str]) -> Result<Claim, Refusal> {
        let mut request = Request::get(format!("/b/k?{query}")).header("x-amz-date", "20260101T000000Z");
        for authorization in authorization {
            request = request.header("authorization", HeaderValue::from_bytes(authorization.as_bytes()).unwrap());
        }
        Claim::of(&request.body(()).unwrap().into_parts().0)
    }

    // fidelity: F-GUARD-4
    #[test]
    fn half_a_signature_and_two_are_none() {
        assert_eq!(claim(QUERY, &[]).unwrap().scope.key, "k");
        assert_eq!(claim("", &[HEADER]).unwrap().scope.region, "r");
        assert_eq!(claim("", &[&HEADER.replace(", ", ",")]).unwrap().headers, ["host"]);
        assert_eq!(claim("list-type=2", &[]), Err(Refusal::Unsigned));
        let wrong = [
            QUERY.replace("&X-Amz-Expires=600", ""),
            QUERY.replace("=600", "=604801"),
            QUERY.replace("SHA256", "SHA1"),
            QUERY.replace("X-Amz-Signature", "x-amz-signature"),
            QUERY.replace("20260101T", "20260102T"),
            QUERY.replace("=host", "=range"),
            QUERY.replace("%2Fr%2F", "%2F%2F"),
            format!("{QUERY}&X-Amz-Credential=000000000000"),
            format!("x-amz-credential=000000000000&{QUERY}"),
            format!("{QUERY}&x-amz-security-token=t"),
            "x-amz-credential=000000000000".to_owned(),
        ];
        for query in wrong {
            assert_eq!(claim(&query, &[]), Err(Refusal::Malformed), "{query}");
        }
        for authorization in ["", "Bearer x", "AWS k:0", &HEADER.replace("host", "date"), &HEADER.replace("k/", "")] {
            assert_eq!(claim("", &[authorization]), Err(Refusal::Malformed), "{authorization}");
        }
    }

    /// Each holds by one reading, and is the root's by another.
    // fidelity: F-GUARD-2
    #[test]
    fn a_request_is_signed_by_one_key_however_it_is_read() {
        let root = "Credential=000000000000/20260101/r/s3/aws4_request";
        let wrong = [
            HEADER.replace(" Cred", &format!(" X{root}, Cred")),
            HEADER.replace(" Cred", &format!(" {root}, Cred")),
            format!("{HEADER}, {root}"),
            HEADER.replace("=host", &format!("=host;{root}")),
            HEADER.replace("=host", "=host;host"),
            HEADER.replace("=host", "=Host"),
            HEADER.replace("=k/", "=k Credential=000000000000/"),
            // The emulator finds neither region nor service in these.
            HEADER.replace("/20260101/", "//"),
            HEADER.replace("/20260101/", "/2026/"),
            HEADER.replace("/r/", "//"),
        ];
        for authorization in wrong {
            assert_eq!(claim("", &[&authorization]), Err(Refusal::Malformed), "{authorization}");
        }
        for (query, authorization) in [
            ("", &[HEADER, HEADER][..]),
            ("", &[HEADER, "\u{fc}"]),
            (QUERY, &[HEADER]),
            (QUERY, &["\u{fc}"]),
            (QUERY, &[&HEADER.replace("s3", "\u{fc}")]),
        ] {
            assert_eq!(claim(query, authorization), Err(Refusal::Malformed), "{query} {authorization:?}");
        }
    }

    #[test]
    fn the_rest_of_an_address_stays_as_it_is() {
        assert_eq!(unsigned(&format!("x-id=a%20b&{QUERY}&c=d+e")), "x-id=a%20b&c=d+e");
        assert_eq!(unsigned(QUERY), "");
    }

    #[test]
    fn a_signature_holds_for_its_time() {
        let claim = claim(QUERY, &[]).unwrap();
        let at = |seconds: u64| claim.refuse_time(claim.time + Duration::from_secs(seconds));
        assert_eq!((at(0), at(600), at(601)), (Ok(()), Ok(()), Err(Refusal::Expired)));
        let early = |seconds: u64| claim.refuse_time(claim.time - Duration::from_secs(seconds));
        assert_eq!((early(900), early(901)), (Ok(()), Err(Refusal::Skewed)));
    }
}
