//! What gives a page in a browser away: clients of AWS send none of it, and scripts cannot leave it out.

use hyper::http::StatusCode;
use hyper::http::request::Parts;
use serde_json::json;

use crate::answer::Answer;

pub(super) fn refuse(parts: &Parts, hosts: &[String]) -> Option<Answer> {
    why(parts, hosts).map(forbidden)
}

pub(super) fn forbidden(why: &str) -> Answer {
    Answer::plain(StatusCode::FORBIDDEN, &json!({ "error": why }))
}

fn why(parts: &Parts, hosts: &[String]) -> Option<&'static str> {
    if parts.headers.contains_key("origin") {
        return Some("the sandbox answers no page: the request has an Origin");
    }
    // `none` is an address that somebody has typed.
    if parts.headers.get_all("sec-fetch-site").iter().any(|site| site != "none") {
        return Some("the sandbox answers no page: Sec-Fetch-Site says that one asks");
    }
    // The proxy is asked for a load balancer by its name, in a form that no page can choose, and leads nowhere else.
    if parts.uri.authority().is_some() {
        return None;
    }
    // A page's own name may lead to 127.0.0.1, whatever it led to when the page was loaded.
    let mut named = parts.headers.get_all("host").iter();
    let known = match (named.next(), named.next()) {
        (Some(host), None) => hosts.iter().any(|own| host.as_bytes().eq_ignore_ascii_case(own.as_bytes())),
        _ => false,
    };
    (!known).then_some("the sandbox answers under its own address only: Host names another")
}
