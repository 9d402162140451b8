//! Eventual consistency, where a test asks for it: what was just created is not seen by the next calls that look for it,
//! the next writes that name it are told that there is no such thing, and a role that was just made cannot be used by the
//! next calls that name it. It counts calls, not seconds, so that a test sees the same each time.

mod hide;
mod kinds;
mod unknown;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::asg::Place;
use crate::gateway::naming::{Name, Protocol};
use crate::xml::Element;
use kinds::{Id, KINDS, Kind, Reading, USES};

/// It reaches no client.
const MARK: &str = "x-sandbox-stale";

/// What is seen late, and how late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// The service that creates it, by its signing name, or `*`.
    pub service: String,
    /// The action that creates it, such as `CreateVpc`, or `*`.
    pub action: String,
    /// How many calls of each action miss it.
    pub misses: u32,
    /// With a seed it is a number from 0 to `misses`, another one for each thing that is created.
    #[serde(default)]
    pub seed: Option<u64>,
}

impl Lag {
    /// The first `misses` calls of each action do not see what these calls create.
    pub fn of(service: &str, action: &str, misses: u32) -> Self {
        Self { service: service.to_owned(), action: action.to_owned(), misses, seed: None }
    }

    /// Up to `misses` calls, by a seed.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    fn matches(&self, name: &Name) -> bool {
        let is = |pattern: &str, text: &str| pattern == "*" || pattern == text;
        is(&self.service, &name.service) && is(&self.action, &name.action)
    }

    fn misses_of(&self, number: u64) -> u32 {
        let Some(seed) = self.seed else { return self.misses };
        let hash = Sha256::digest(format!("{seed}-{number}"));
        let random = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        (u64::from(random) % (u64::from(self.misses) + 1)) as u32
    }
}

/// Something that was just created.
#[derive(Debug)]
struct Fresh {
    kind: &'static Kind,
    id: String,
    place: Place,
    misses: u32,
    /// How many calls of an action have missed it.
    missed: HashMap<String, u32>,
}

impl Fresh {
    /// Whether a call of this action misses it; it is counted.
    fn misses(&mut self, action: &str) -> bool {
        let missed = self.missed.entry(action.to_owned()).or_default();
        let again = *missed < self.misses;
        *missed += u32::from(again);
        again
    }
}

#[derive(Debug, Default)]
struct Inner {
    lags: Vec<Lag>,
    created: u64,
    fresh: Vec<Fresh>,
}

/// What a request says, as far as it matters here.
pub(crate) struct Asked {
    form: BTreeMap<String, String>,
    text: String,
}

impl Asked {
    fn of(name: &Name, parts: &hyper::http::request::Parts, body: &[u8]) -> Self {
        let query = matches!(name.protocol, Protocol::Ec2 | Protocol::Query);
        let form = if query { crate::gateway::naming::form(parts, body) } else { json_form(body) };
        Self { form, text: String::from_utf8_lossy(body).into_owned() }
    }
}

/// All that is seen late.
#[derive(Debug, Default)]
pub(crate) struct Consistency(Mutex<Inner>);

impl Consistency {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn arm(&self, lag: Lag) {
        self.inner().lags.push(lag);
    }

    /// Everything is seen at once again.
    pub(crate) fn clear(&self) {
        *self.inner() = Inner::default();
    }

    /// What a request says; nothing where nothing is seen late.
    pub(crate) fn asked(&self, name: &Name, parts: &hyper::http::request::Parts, body: &[u8]) -> Option<Asked> {
        (!self.inner().lags.is_empty()).then(|| Asked::of(name, parts, body))
    }

    /// The error of a call that names what it cannot see yet, or uses a role that is not known everywhere.
    pub(crate) fn refuse(&self, name: &Name, asked: &Asked) -> Option<Answer> {
        let place = Place::of(name);
        for fresh in self.inner().fresh.iter_mut().filter(|fresh| fresh.place == place) {
            let named = |reading: &&Reading| reading.is(fresh.kind, name) && reading.is_named(&asked.form, &fresh.id);
            let seen = fresh.kind.readings.iter().find(named).and_then(|reading| reading.error);
            let used = USES.iter().find(|one| one.is(fresh.kind, name) && one.concerns(&fresh.id, &asked.text));
            let written = unknown::refusal(fresh.kind, &fresh.id, name, asked).map(|one| (one.code, one.text));
            if let Some((code, text)) = seen.or(used.map(|one| (one.code, one.text))).or(written)
                && fresh.misses(&name.action)
            {
                let mut answer = refused(name, code, text, &fresh.id);
                mark(&mut answer);
                return Some(answer);
            }
        }
        None
    }

    /// Takes note of what a call has created, and takes out of an answer what is not seen yet.
    pub(crate) fn follow(&self, name: &Name, asked: &Asked, answer: &mut Answer) {
        if !answer.status.is_success() {
            return;
        }
        let mut inner = self.inner();
        inner.learn(name, asked, answer);
        let place = Place::of(name);
        for fresh in inner.fresh.iter_mut().filter(|fresh| fresh.place == place) {
            let Some(reading) = fresh.kind.readings.iter().find(|reading| reading.is(fresh.kind, name)) else {
                continue;
            };
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let without = match name.protocol {
                Protocol::Json => hide::json(&text, reading.list, reading.key, &fresh.id),
                _ => hide::xml(&text, reading.list, reading.key, &fresh.id),
            };
            if let Some(without) = without
                && fresh.misses(&name.action)
            {
                answer.headers.remove(hyper::header::CONTENT_LENGTH);
                answer.body = without.into();
                mark(answer);
            }
        }
    }
}

fn refused(name: &Name, code: &str, text: &str, id: &str) -> Answer {
    let status = match code {
        "NoSuchEntity" | "NoSuchBucket" | "ResourceNotFoundException" => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    Answer::error(name.protocol, status, code, &text.replace("{}", id))
}

/// What a write is told where AWS does not know yet what it names; nothing where it names nothing.
pub(crate) fn unknown(name: &Name, parts: &hyper::http::request::Parts, body: &[u8]) -> Option<Answer> {
    let (unknown, id) = unknown::first(name, &Asked::of(name, parts, body))?;
    Some(refused(name, unknown.code, unknown.text, &id))
}

/// Whether writes of this action name something that another call makes, so that AWS may not know it yet.
#[must_use]
pub fn names_something(service: &str, action: &str) -> bool {
    unknown::names_something(service, action)
}

/// For the record: somebody was told less than there is.
fn mark(answer: &mut Answer) {
    answer.headers.insert(MARK, HeaderValue::from_static("1"));
}

/// Whether an answer is marked; it is no more.
pub(crate) fn take_mark(answer: &mut Answer) -> bool {
    answer.headers.remove(MARK).is_some()
}

impl Inner {
    fn learn(&mut self, name: &Name, asked: &Asked, answer: &Answer) {
        let Some(lag) = self.lags.iter().find(|lag| lag.matches(name)) else { return };
        let creates = |kind: &&Kind| kind.service == name.service && kind.create == name.action;
        for kind in KINDS.iter().filter(creates) {
            let id = match kind.id {
                Id::Answered(element) => answered(name, element, answer),
                Id::Asked(key) => asked.form.get(key).cloned(),
            };
            let Some(id) = id else { continue };
            self.created += 1;
            let misses = lag.misses_of(self.created);
            self.fresh.push(Fresh { kind, id, place: Place::of(name), misses, missed: HashMap::new() });
        }
    }
}

/// The id in an answer.
fn answered(name: &Name, element: &str, answer: &Answer) -> Option<String> {
    if matches!(name.protocol, Protocol::Json | Protocol::RestJson) {
        let form = json_form(&answer.body);
        return form.into_iter().find(|(key, _)| key.rsplit('.').next() == Some(element)).map(|(_, value)| value);
    }
    let root = Element::parse(&String::from_utf8_lossy(&answer.body))?;
    Some(root.find(element)?.own_text().to_owned())
}

/// The texts of a JSON request with their ways, as a form has them.
fn json_form(body: &[u8]) -> BTreeMap<String, String> {
    fn walk(way: &str, value: &Value, form: &mut BTreeMap<String, String>) {
        let deeper = |key: &str| if way.is_empty() { key.to_owned() } else { format!("{way}.{key}") };
        match value {
            Value::String(text) => drop(form.insert(way.to_owned(), text.clone())),
            Value::Array(values) => {
                for (number, value) in values.iter().enumerate() {
                    walk(&deeper(&number.to_string()), value, form);
                }
            }
            Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(&deeper(key), value, form)),
            _ => {}
        }
    }
    let mut form = BTreeMap::new();
    walk("", &serde_json::from_slice(body).unwrap_or_default(), &mut form);
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_lags_again() {
        let lag = Lag::of("ec2", "*", 3).seeded(7);
        let misses: Vec<u32> = (0..40).map(|number| lag.misses_of(number)).collect();
        assert_eq!(misses, (0..40).map(|number| lag.misses_of(number)).collect::<Vec<_>>());
        assert!((0..=3).all(|wanted| misses.contains(&wanted)) && misses.iter().all(|misses| *misses <= 3));
        assert_eq!(Lag::of("ec2", "*", 3).misses_of(9), 3);
    }
}
