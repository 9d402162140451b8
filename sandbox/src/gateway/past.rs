//! Answers that lag behind: what was asked before is told as it was before a chosen call.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::naming::Name;
use crate::answer::Answer;

/// What makes two questions the same: service, address and body.
type Key = (String, String, Bytes);

/// The questions of before, and what they are answered from then on.
#[derive(Debug, Default)]
pub(crate) enum Past {
    /// Nothing lags.
    #[default]
    Now,
    /// Questions are remembered: a call will come that is not seen at first.
    Asked(BTreeMap<Key, (Name, Parts, Bytes)>),
    /// The call has come.
    Told(BTreeMap<Key, Answer>),
}

impl Past {
    pub(crate) fn remember(&mut self) {
        *self = Self::Asked(BTreeMap::new());
    }

    /// The answer of before, if this was asked before. Remembers the question where that may be asked later.
    pub(crate) fn answer(&mut self, name: &Name, parts: &Parts, body: &Bytes) -> Option<Answer> {
        if name.writes() || name.service == "s3" {
            return None;
        }
        match self {
            Self::Now => None,
            Self::Asked(asked) => {
                asked.insert(key(name, parts, body), (name.clone(), parts.clone(), body.clone()));
                None
            }
            Self::Told(told) => told.get(&key(name, parts, body)).cloned(),
        }
    }

    /// All questions so far.
    pub(crate) fn asked(&self) -> Vec<(Name, Parts, Bytes)> {
        match self {
            Self::Asked(asked) => asked.values().cloned().collect(),
            Self::Now | Self::Told(_) => Vec::new(),
        }
    }

    /// From now on these are the answers.
    pub(crate) fn tell(&mut self, answers: Vec<((Name, Parts, Bytes), Answer)>) {
        let keyed = answers.into_iter().map(|((name, parts, body), answer)| (key(&name, &parts, &body), answer));
        *self = Self::Told(keyed.collect());
    }
}

fn key(name: &Name, parts: &Parts, body: &Bytes) -> Key {
    (format!("{} {}", name.service, name.action), parts.uri.to_string(), body.clone())
}
