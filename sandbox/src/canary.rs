//! A text that is looked for in all that is asked and answered: a secret, which few calls may carry.

use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper::http::request::Parts;
use regex::bytes::Regex;

/// How a zip archive begins.
const ARCHIVE: &[u8] = b"PK\x03\x04";

/// The text that is looked for, if any.
#[derive(Debug, Default)]
pub(crate) struct Canary(RwLock<Option<Regex>>);

impl Canary {
    /// From now on this text is looked for, as it is and in Base64. It is made of letters, digits and dashes, so that JSON, XML and forms
    /// write it as it is.
    pub(crate) fn look_for(&self, text: &str) {
        let words = [vec![text.to_owned()], coded(text)].concat();
        let pattern = words.iter().map(|word| regex::escape(word)).collect::<Vec<_>>().join("|");
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Regex::new(&pattern).ok();
    }

    pub(crate) fn is_asked(&self, parts: &Parts, body: &[u8]) -> bool {
        let head = || parts.headers.values().any(|value| self.is_in(value.as_bytes()));
        self.is_in(body) || self.is_in(parts.uri.to_string().as_bytes()) || head()
    }

    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        // What is packed shows no text, and the functions' code is large.
        if bytes.starts_with(ARCHIVE) {
            return false;
        }
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|text| text.is_match(bytes))
    }
}

/// What of a text in Base64 is the same wherever it stands in what was coded: three bytes become four characters.
fn coded(text: &str) -> Vec<String> {
    let from = |skipped: usize| {
        let rest = text.get(skipped..).unwrap_or_default();
        STANDARD_NO_PAD.encode(rest.get(..rest.len() / 3 * 3).unwrap_or_default())
    };
    (0..3).map(from).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_as_it_is_and_in_base64_wherever_it_stands() {
        let canary = Canary::default();
        assert!(!canary.is_in(b"canary-0f1e2d"));
        canary.look_for("canary-0f1e2d");
        assert!(canary.is_in(br#"{"Value":"canary-0f1e2d"}"#) && !canary.is_in(b"canary-0f1e2e"));
        for before in ["", "a", "ab", "abc"] {
            let coded = STANDARD_NO_PAD.encode(format!("{before}canary-0f1e2d and more"));
            assert!(canary.is_in(coded.as_bytes()), "{before}: {coded}");
        }
    }
}
