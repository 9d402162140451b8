//! Compares what a request says with what its shapes admit.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::shape::{Kind, Member, Service, Shape};

/// How much of a value is told.
const SHOWN: usize = 80;

/// What is wrong with a request: of which shape, against which constraint, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) shape: String,
    pub(super) constraint: &'static str,
    pub(super) text: String,
}

/// The check of one request.
pub(super) struct Check<'a> {
    pub(super) service: &'a Service,
    /// Whether members of the body have the names of their places (REST) or their own.
    pub(super) by_location: bool,
    pub(super) faults: Vec<Fault>,
    /// Shapes whose pattern cannot be compiled here, where they were used.
    pub(super) unchecked: BTreeSet<String>,
}

impl Check<'_> {
    pub(super) fn value(&mut self, at: &str, member: &Member, value: &Value) {
        let shape = &self.service.shapes[&member.shape];
        let mut fault = |constraint, text: String| {
            self.faults.push(Fault { shape: member.shape.clone(), constraint, text });
        };
        match (shape.kind, value) {
            _ if shape.document => {}
            (Kind::Structure, Value::Object(_)) => self.structure(at, member, shape, value),
            (Kind::List, Value::Array(items)) => {
                size(at, "items", items.len() as f64, shape, &mut fault);
                for (index, item) in items.iter().enumerate() {
                    if let Some(of) = &shape.member {
                        self.value(&format!("{at}.{}.member", index + 1), of, item);
                    }
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                size(at, "entries", entries.len() as f64, shape, &mut fault);
                for (number, (key, value)) in entries.iter().enumerate() {
                    if let (Some(name), Some(of)) = (&shape.key, &shape.value) {
                        self.value(&format!("{at}.{}.key", number + 1), name, &Value::from(key.as_str()));
                        self.value(&format!("{at}.{}.value", number + 1), of, value);
                    }
                }
            }
            (Kind::String | Kind::Character, Value::String(text)) => self.text(at, member, shape, text),
            (Kind::Integer | Kind::Long | Kind::Short | Kind::Byte, Value::Number(number)) if !number.is_f64() => {
                range(at, number.as_f64().unwrap_or(0.0), shape, &mut fault);
            }
            (Kind::Float | Kind::Double, Value::Number(number)) => {
                range(at, number.as_f64().unwrap_or(0.0), shape, &mut fault);
            }
            (Kind::Blob, Value::String(text)) => match BASE64_STANDARD.decode(text) {
                Ok(bytes) => size(at, "bytes", bytes.len() as f64, shape, &mut fault),
                Err(_) => fault("type", format!("Value at '{at}' is no Base64")),
            },
            (Kind::Boolean, Value::Bool(_)) | (Kind::Timestamp, Value::String(_) | Value::Number(_)) => {}
            (kind, _) => fault("type", format!("Value at '{at}' is no {}", format!("{kind:?}").to_lowercase())),
        }
    }

    fn structure(&mut self, at: &str, member: &Member, shape: &Shape, value: &Value) {
        let Value::Object(given) = value else { return };
        let name = |text: String, constraint| Fault { shape: member.shape.clone(), constraint, text };
        let mut known = BTreeSet::new();
        for (own, of) in &shape.members {
            // What stands in address and headers was read by its own name.
            let wire = match (&of.location_name, self.by_location && of.location.is_none()) {
                (Some(wire), true) => wire,
                _ => own,
            };
            known.insert(wire.as_str());
            let place = if at.is_empty() { own.clone() } else { format!("{at}.{own}") };
            match given.get(wire).filter(|value| !value.is_null()) {
                Some(value) => self.value(&place, of, value),
                None if of.xml_attribute => {}
                None if shape.required.contains(own) => {
                    let text = format!("Value null at '{place}' failed to satisfy constraint: Member must not be null");
                    self.faults.push(name(text, "required"));
                }
                None => {}
            }
        }
        for unknown in given.keys().filter(|key| !known.contains(key.as_str())) {
            let place = if at.is_empty() { unknown.clone() } else { format!("{at}.{unknown}") };
            self.faults.push(name(format!("'{place}' is no member of {}", member.shape), "unknown"));
        }
        if shape.union && given.values().filter(|value| !value.is_null()).count() != 1 {
            self.faults.push(name(format!("Value at '{at}' must have exactly one member"), "union"));
        }
    }

    fn text(&mut self, at: &str, member: &Member, shape: &Shape, text: &str) {
        let mut fault = |constraint, text: String| {
            self.faults.push(Fault { shape: member.shape.clone(), constraint, text });
        };
        size(at, "characters", text.chars().count() as f64, shape, &mut fault);
        let shown: String = if shape.sensitive { "***".into() } else { text.chars().take(SHOWN).collect() };
        let failed = format!("Value '{shown}' at '{at}' failed to satisfy constraint: Member must satisfy");
        if !shape.choices.is_empty() && !shape.choices.iter().any(|choice| choice == text) {
            fault("enum", format!("{failed} enum value set: [{}]", shape.choices.join(", ")));
        }
        match shape.regex() {
            Ok(Some(regex)) if !regex.is_match(text) => {
                let pattern = shape.pattern.as_deref().unwrap_or_default();
                fault("pattern", format!("{failed} regular expression pattern: {pattern}"));
            }
            Ok(_) => {}
            Err(()) => {
                self.unchecked.insert(member.shape.clone());
            }
        }
    }
}

/// How long a text, a list, a map or a blob may be.
fn size(at: &str, what: &str, length: f64, shape: &Shape, fault: &mut impl FnMut(&'static str, String)) {
    let must = |limit: f64, word: &str| {
        format!(
            "Value at '{at}' failed to satisfy constraint: Member must have {what} {word} than or equal to {limit}, has {length}"
        )
    };
    if let Some(min) = shape.min.filter(|min| length < *min) {
        fault("length", must(min, "greater"));
    }
    if let Some(max) = shape.max.filter(|max| length > *max) {
        fault("length", must(max, "less"));
    }
}

/// How large a number may be.
fn range(at: &str, number: f64, shape: &Shape, fault: &mut impl FnMut(&'static str, String)) {
    let must = |limit: f64, word: &str| {
        format!(
            "Value '{number}' at '{at}' failed to satisfy constraint: Member must have value {word} than or equal to {limit}"
        )
    };
    if let Some(min) = shape.min.filter(|min| number < *min) {
        fault("range", must(min, "greater"));
    }
    if let Some(max) = shape.max.filter(|max| number > *max) {
        fault("range", must(max, "less"));
    }
}
