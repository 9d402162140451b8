//! What gives a page in a browser away. Clients of AWS send none of it, and no script can leave it out; but browsers say
//! nothing with some requests, such as a plain `GET` of an older one: there it is the signature that holds.

use hyper::http::StatusCode;
use hyper::http::request::Parts;
use serde_json::json;

use crate::answer::Answer;

/// The names under which the gateway is asked.
#[derive(Debug)]
pub(super) struct Names {
    address: String,
    local: String,
}

impl Names {
    pub(super) fn new(address: std::net::SocketAddr) -> Self {
        Self { address: address.to_string(), local: format!("localhost:{}", address.port()) }
    }

    pub(super) fn refuse(&self, parts: &Parts) -> Option<Answer> {
        self.why(parts).map(forbidden)
    }

    fn why(&self, parts: &Parts) -> Option<&'static str> {
        // The proxy is asked for a load balancer by its name, in a form that no page can choose, and leads nowhere else.
        // The balancer's pages have origins of their own.
        if parts.uri.authority().is_some() {
            return None;
        }
        if parts.headers.contains_key("origin") {
            return Some("the sandbox answers no page: the request has an Origin");
        }
        // `none` is an address that somebody has typed.
        if parts.headers.get_all("sec-fetch-site").iter().any(|site| site != "none") {
            return Some("the sandbox answers no page: Sec-Fetch-Site says that one asks");
        }
        // A page's own name may lead to 127.0.0.1, whatever it led to when the page was loaded.
        let known = host(parts).is_some_and(|host| {
            [&self.address, &self.local].iter().any(|own| host.eq_ignore_ascii_case(own)) || self.is_bucket(host)
        });
        (!known).then_some("the sandbox answers under its own address only: Host names another")
    }

    /// Whether a request names a bucket in its host, which leads to S3 and to nothing else.
    pub(super) fn name_bucket(&self, parts: &Parts) -> bool {
        host(parts).is_some_and(|host| self.is_bucket(host))
    }

    /// `localhost` and what is under it is this machine for every browser, and no page's own name elsewhere. Of more than
    /// one label the emulator makes another bucket, or another service.
    fn is_bucket(&self, host: &str) -> bool {
        let label = host.strip_suffix(&self.local).and_then(|label| label.strip_suffix('.'));
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        label.is_some_and(|label| !label.is_empty() && label.bytes().all(is_fit))
    }
}

/// The host, where one is named.
fn host(parts: &Parts) -> Option<&str> {
    let mut named = parts.headers.get_all("host").iter();
    let (host, second) = (named.next()?, named.next());
    host.to_str().ok().filter(|_| second.is_none())
}

pub(super) fn forbidden(why: &str) -> Answer {
    Answer::plain(StatusCode::FORBIDDEN, &json!({ "error": why }))
}
