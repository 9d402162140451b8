//! A service's own model, as botocore publishes it: its operations, and the shapes of what they take.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use regex::Regex;
use serde::Deserialize;

use crate::Error;

/// One service's model.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) operations: HashMap<String, Operation>,
    pub(super) shapes: HashMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Operation {
    pub(super) http: Http,
    pub(super) input: Option<Member>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Http {
    #[serde(rename = "requestUri")]
    pub(super) uri: String,
}

/// What a value has to be. Documentation and everything about answers is passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Shape {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) members: BTreeMap<String, Member>,
    #[serde(default)]
    pub(super) required: Vec<String>,
    pub(super) member: Option<Member>,
    pub(super) key: Option<Member>,
    pub(super) value: Option<Member>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) pattern: Option<String>,
    #[serde(default, rename = "enum")]
    pub(super) choices: Vec<String>,
    /// The member that is the whole body.
    pub(super) payload: Option<String>,
    #[serde(default)]
    pub(super) flattened: bool,
    #[serde(default)]
    pub(super) union: bool,
    /// Any JSON.
    #[serde(default)]
    pub(super) document: bool,
    #[serde(default)]
    pub(super) sensitive: bool,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Structure,
    List,
    Map,
    String,
    Character,
    Integer,
    Long,
    Short,
    Byte,
    Float,
    Double,
    Boolean,
    Blob,
    Timestamp,
}

/// A use of a shape, with the name and place that it has on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Member {
    pub(super) shape: String,
    pub(super) location_name: Option<String>,
    /// `uri`, `querystring`, `header` or `headers`; without it, the body.
    pub(super) location: Option<String>,
    pub(super) query_name: Option<String>,
    pub(super) flattened: bool,
    pub(super) xml_attribute: bool,
}

impl Service {
    pub(super) fn load(file: &Path) -> Result<Self, Error> {
        let packed = std::fs::read(file).map_err(Error::file(file))?;
        let mut text = Vec::new();
        GzDecoder::new(&*packed).read_to_end(&mut text).map_err(Error::file(file))?;
        serde_json::from_slice(&text).map_err(|error| Error::net(file.display().to_string())(error.into()))
    }
}

impl Shape {
    /// What an operation takes that takes nothing.
    pub(super) fn empty() -> Self {
        Self {
            kind: Kind::Structure,
            members: BTreeMap::new(),
            required: Vec::new(),
            member: None,
            key: None,
            value: None,
            min: None,
            max: None,
            pattern: None,
            choices: Vec::new(),
            payload: None,
            flattened: false,
            union: false,
            document: false,
            sensitive: false,
            compiled: OnceLock::new(),
        }
    }

    /// The shape's pattern, for the whole of a text as the services match it; `Err` is one that cannot be checked here.
    pub(super) fn regex(&self) -> Result<Option<&Regex>, ()> {
        let Some(pattern) = &self.pattern else { return Ok(None) };
        self.compiled.get_or_init(|| Regex::new(&translate(pattern)).ok()).as_ref().map(Some).ok_or(())
    }
}

/// The models' patterns are Java's. This crate knows no surrogates, and is built without the tables of letters: `\w`
/// stands for letters and numbers, which admits combining marks too.
fn translate(pattern: &str) -> String {
    let translated = pattern
        .replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\x{10000}-\x{10FFFF}")
        .replace(r"\u10000-\u10FFFF", r"\x{10000}-\x{10FFFF}")
        .replace(r"\p{L}", r"\w")
        .replace(r"\p{N}", r"\d")
        .replace(r"\p{Z}", r" \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}")
        .replace(r"\p{ASCII}", r"\x00-\x7F");
    format!("^(?:{translated})$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(pattern: &str) -> Shape {
        serde_json::from_value(serde_json::json!({"type": "string", "pattern": pattern})).unwrap()
    }

    #[test]
    fn patterns_of_java_are_understood_and_hold_for_the_whole_text() {
        let tag = shape(r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*");
        assert!(tag.regex().unwrap().unwrap().is_match("a 🦊"));
        assert!(!tag.regex().unwrap().unwrap().is_match("\u{7}"));
        let key = shape(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)");
        assert!(key.regex().unwrap().unwrap().is_match("größe 1/2"));
        assert!(!key.regex().unwrap().unwrap().is_match("a*"));
        assert!(!shape("[a-z]+").regex().unwrap().unwrap().is_match("abc1"));
    }

    #[test]
    fn a_pattern_that_looks_ahead_is_told_as_one_that_cannot_be_checked() {
        assert!(shape(r"^(?!\s*$).+").regex().is_err());
    }
}
