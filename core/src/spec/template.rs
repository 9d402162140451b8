//! Texts with `${references}` in them: how they are read, what a reference may name, and where it may stand.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Part, Template};
use super::problem::{Code, Problem, Span};
use super::reader::{At, File};
use super::suggest::{list, nearest};

/// A text as it stands in the file, its references not yet looked up.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// Where the text stands.
    pub(super) span: Span,
    /// What it is made of.
    pub(super) pieces: Vec<Piece>,
}

/// A piece of a [`Draft`].
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Plain text, with `$${` already read as `${`.
    Text(String),
    /// What stands between `${` and `}`.
    Reference(Reference),
}

/// What stands between `${` and `}`.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// The words between its dots.
    pub(super) words: Vec<String>,
    /// Where it stands, with `${` and `}`.
    pub(super) span: Span,
}

impl Reference {
    /// The reference as it is written.
    pub(super) fn written(&self) -> String {
        format!("${{{}}}", self.words.join("."))
    }
}

/// What a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A text that is known on reading.
    Text(String),
    /// Something that AWS will name.
    Part(Part),
    /// An environment variable of a service.
    Variable { service: String, variable: String },
    /// A secret.
    Secret(String),
}

/// What can be referred to.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// `name`, `environment` and `region` of the platform.
    pub(super) platform: BTreeMap<&'static str, String>,
    pub(super) buckets: BTreeSet<String>,
    pub(super) secrets: BTreeSet<String>,
    pub(super) load_balancers: BTreeSet<String>,
    /// Services, each with its environment variables.
    pub(super) services: BTreeMap<String, BTreeSet<String>>,
    /// Services whose path is a pattern that no single URL stands for.
    pub(super) without_url: BTreeSet<String>,
}

/// Reads a text. A reference that is not closed, or holds nothing, is told.
pub(super) fn draft(file: &File<'_>, text: &At<String>) -> Option<Draft> {
    let whole = text.value.as_str();
    let (mut pieces, mut plain, mut at) = (Vec::new(), String::new(), 0);
    while let Some(found) = whole[at..].find("${").map(|offset| at + offset) {
        if whole[at..found].ends_with('$') {
            plain.push_str(&whole[at..found - 1]);
            plain.push_str("${");
            at = found + 2;
            continue;
        }
        plain.push_str(&whole[at..found]);
        let inner = &whole[found + 2..];
        let end = inner.find(['}', '{', '$']).filter(|end| inner[*end..].starts_with('}'));
        let words: Vec<String> = inner[..end.unwrap_or(0)].split('.').map(|word| word.trim().to_owned()).collect();
        let Some(end) = end.filter(|_| words.iter().all(|word| !word.is_empty())) else {
            let span = file.part_of(text, &(found..end.map_or(whole.len(), |end| found + 2 + end + 1)));
            file.tell(
                Problem::new(Code::InvalidReference, "`${` begins a reference that cannot be read")
                    .at(span, "here")
                    .help("write a reference as `${buckets.NAME.name}`, and `$${` where `${` itself is meant"),
            );
            return None;
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        at = found + 2 + end + 1;
        pieces.push(Piece::Reference(Reference { words, span: file.part_of(text, &(found..at)) }));
    }
    plain.push_str(&whole[at..]);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Some(Draft { span: text.span.clone(), pieces })
}

/// Looks a reference up; what is wrong with it is told.
pub(super) fn look_up(file: &File<'_>, names: &Names, reference: &Reference) -> Option<Target> {
    match target(names, reference) {
        Ok(target) => Some(target),
        Err(Unknown { code, message, label, help }) => {
            file.tell(
                Problem::new(code, format!("`{}` {message}", reference.written()))
                    .at(reference.span.clone(), label)
                    .help(help),
            );
            None
        }
    }
}

const NOTHING: &str = "refers to nothing";

/// Why a reference names nothing.
struct Unknown {
    code: Code,
    message: &'static str,
    label: String,
    help: String,
}

fn target(names: &Names, reference: &Reference) -> Result<Target, Unknown> {
    let words: Vec<&str> = reference.words.iter().map(String::as_str).collect();
    let kind = pick(words[0], &["platform", "buckets", "load-balancers", "services", "secrets"], &words, 0, "kind")?;
    if kind == "platform" {
        let known: Vec<&str> = names.platform.keys().copied().collect();
        let attribute = attribute(&words, 1, &known)?;
        return Ok(Target::Text(names.platform.get(attribute).cloned().unwrap_or_default()));
    }
    let keys: Vec<&str> = match kind {
        "buckets" => names.buckets.iter().map(String::as_str).collect(),
        "load-balancers" => names.load_balancers.iter().map(String::as_str).collect(),
        "services" => names.services.keys().map(String::as_str).collect(),
        _ => names.secrets.iter().map(String::as_str).collect(),
    };
    let key = pick(words.get(1).copied().unwrap_or_default(), &keys, &words, 1, kind)?.to_owned();
    if kind == "secrets" {
        return complete(&words, 2).map(|()| Target::Secret(key));
    }
    Ok(match (kind, attribute(&words, 2, attributes(kind))?) {
        ("buckets", "name") => Target::Part(Part::BucketName(key)),
        ("buckets", _) => Target::Part(Part::BucketArn(key)),
        ("load-balancers", _) => Target::Part(Part::LoadBalancerUrl(key)),
        (_, "url") if names.without_url.contains(&key) => return Err(no_url(&key)),
        (_, "url") => Target::Part(Part::ServiceUrl(key)),
        _ => {
            let (variables, found) = (&names.services[&key], words.get(3).copied().unwrap_or_default());
            if !variables.contains(found) {
                let known: Vec<&str> = variables.iter().map(String::as_str).collect();
                pick(found, &known, &words, 3, "variable")?;
            }
            complete(&words, 4)?;
            Target::Variable { service: key, variable: found.to_owned() }
        }
    })
}

/// What can be asked of a kind of thing.
fn attributes(kind: &str) -> &'static [&'static str] {
    match kind {
        "buckets" => &["name", "arn"],
        "load-balancers" => &["url"],
        _ => &["url", "environment"],
    }
}

/// The attribute at a position, with nothing behind it but a variable's name.
fn attribute<'w>(words: &[&str], at: usize, known: &[&'w str]) -> Result<&'w str, Unknown> {
    let found = pick(words.get(at).copied().unwrap_or_default(), known, words, at, "attribute")?;
    if found != "environment" || at == 1 {
        complete(words, at + 1)?;
    }
    Ok(found)
}

/// The known word that stands at a position of a reference.
fn pick<'w>(word: &str, known: &[&'w str], words: &[&str], at: usize, kind: &str) -> Result<&'w str, Unknown> {
    if let Some(found) = known.iter().find(|known| **known == word) {
        return Ok(found);
    }
    let label = match (word, at) {
        ("", _) => "something is missing at the end".into(),
        (_, 1) if kind != "attribute" => format!("the file has no `{kind}.{word}`"),
        _ => format!("there is no `{word}`"),
    };
    let help = match nearest(word, known) {
        Some(near) if !word.is_empty() => {
            let mut words = words.to_vec();
            words[at] = near;
            format!("did you mean `${{{}}}`?", words.join("."))
        }
        _ if known.is_empty() => "the file has none of this kind".into(),
        _ => format!("possible here: {}", list(known)),
    };
    Err(Unknown { code: Code::UnknownReference, message: NOTHING, label, help })
}

/// That a reference has no more words.
fn complete(words: &[&str], length: usize) -> Result<(), Unknown> {
    if words.len() == length {
        return Ok(());
    }
    Err(Unknown {
        code: Code::UnknownReference,
        message: NOTHING,
        label: format!("there is nothing behind `{}`", words[length - 1]),
        help: format!("write `${{{}}}`", words[..length].join(".")),
    })
}

fn no_url(service: &str) -> Unknown {
    Unknown {
        code: Code::MisplacedReference,
        message: "stands for no single URL",
        label: format!("the path of `{service}` has wildcards in it"),
        help:
            "give that service a path whose only wildcard is one `*` at its end, or refer to its load balancer's `url`"
                .into(),
    }
}

/// Appends a part, plain text to plain text.
pub(super) fn append(parts: &mut Vec<Part>, part: Part) {
    match (parts.last_mut(), part) {
        (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
        (_, part) => parts.push(part),
    }
}

/// The bytes that a template has at least.
pub(super) fn length(template: &Template) -> usize {
    let length = |part: &Part| match part {
        Part::Text(text)
        | Part::BucketName(text)
        | Part::BucketArn(text)
        | Part::LoadBalancerUrl(text)
        | Part::ServiceUrl(text) => text.len(),
    };
    template.0.iter().map(length).sum()
}
