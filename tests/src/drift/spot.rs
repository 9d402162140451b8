//! What of an observed world can be otherwise: every leaf, every element, every resource. Found in the world's own JSON, so
//! that an attribute that is added to a type is found by itself.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};

/// One step of the way to a place in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Into an object.
    Name(String),
    /// Into a list.
    Index(usize),
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An attribute has another value.
    Value,
    /// There is one more in a list or a map.
    Extra,
    /// A resource, or a part with attributes of its own, is gone.
    Gone,
}

/// One thing that can be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Where.
    pub path: Vec<Key>,
    /// What happens.
    pub kind: Kind,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.path.iter().map(ToString::to_string).collect();
        let sign = match self.kind {
            Kind::Value => "",
            Kind::Extra => " +",
            Kind::Gone => " gone",
        };
        write!(f, "{}{sign}", steps.join(" "))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Name(name) => write!(f, "{name}"),
            Key::Index(index) => write!(f, "{index}"),
        }
    }
}

/// What is at the end of a way.
#[must_use]
pub fn at<'a>(world: &'a Value, path: &[Key]) -> Option<&'a Value> {
    path.iter().try_fold(world, |value, key| match key {
        Key::Name(name) => value.get(name),
        Key::Index(index) => value.get(index),
    })
}

fn at_mut<'a>(world: &'a mut Value, path: &[Key]) -> Option<&'a mut Value> {
    path.iter().try_fold(world, |value, key| match key {
        Key::Name(name) => value.get_mut(name),
        Key::Index(index) => value.get_mut(index),
    })
}

/// Everything that can be otherwise. `valid` says whether JSON is a world at all.
pub fn spots(world: &Value, valid: &dyn Fn(&Value) -> bool) -> Vec<Spot> {
    let mut found = Vec::new();
    walk(world, &mut Vec::new(), valid, &mut found);
    found
}

fn walk(world: &Value, path: &mut Vec<Key>, valid: &dyn Fn(&Value) -> bool, found: &mut Vec<Spot>) {
    let Some(value) = at(world, path) else { return };
    let keys: Vec<Key> = match value {
        // A target is one value, whatever it is made of.
        Value::Object(_) if is_choice(path) => Vec::new(),
        Value::Object(fields) => fields.keys().cloned().map(Key::Name).collect(),
        Value::Array(items) => (0..items.len()).map(Key::Index).collect(),
        _ => Vec::new(),
    };
    if keys.is_empty() && !matches!(value, Value::Array(_)) && value != &json!({}) {
        found.push(Spot { path: path.clone(), kind: Kind::Value });
        return;
    }
    let extra = Spot { path: path.clone(), kind: Kind::Extra };
    if !extra.worlds(world, valid).is_empty() {
        found.push(extra);
    }
    for key in keys {
        path.push(key);
        let gone = Spot { path: path.clone(), kind: Kind::Gone };
        if at(world, path).is_some_and(Value::is_object) && !gone.worlds(world, valid).is_empty() {
            found.push(gone);
        }
        walk(world, path, valid, found);
        path.pop();
    }
}

fn is_choice(path: &[Key]) -> bool {
    matches!(path.last(), Some(Key::Name(name)) if name == "default" || name == "target" || name == "source")
}

impl Spot {
    /// The same place in a world of later: a revision that was made anew has another number.
    #[must_use]
    pub fn in_world(&self, world: &Value) -> Option<Spot> {
        let mut path = Vec::new();
        for key in &self.path {
            let here = at(world, &path)?;
            let key = match key {
                Key::Name(name) if here.get(name).is_none() => {
                    let (family, _) = name.rsplit_once(':')?;
                    let same = |other: &&String| other.rsplit_once(':').is_some_and(|(other, _)| other == family);
                    Key::Name(here.as_object()?.keys().find(same)?.clone())
                }
                key => key.clone(),
            };
            path.push(key);
        }
        at(world, &path).is_some().then_some(Spot { path, kind: self.kind })
    }

    /// The worlds in which this is otherwise; the first one that can be brought about is taken.
    pub fn worlds(&self, world: &Value, valid: &dyn Fn(&Value) -> bool) -> Vec<Value> {
        let Some(value) = at(world, &self.path) else { return Vec::new() };
        let mut made: Vec<Option<Value>> = Vec::new();
        match self.kind {
            Kind::Value => {
                made.extend(others(world, &self.path, value).into_iter().map(|new| self.with(world, new)));
                made.extend([self.without(world), self.with(world, Value::Null)]);
            }
            Kind::Extra => made.extend(more(world, &self.path, value).into_iter().map(|new| self.with(world, new))),
            Kind::Gone => made.extend([self.without(world), self.with(world, Value::Null)]),
        }
        made.into_iter().flatten().filter(|made| made != world && valid(made)).collect()
    }

    fn with(&self, world: &Value, new: Value) -> Option<Value> {
        let mut world = world.clone();
        *at_mut(&mut world, &self.path)? = new;
        Some(world)
    }

    fn without(&self, world: &Value) -> Option<Value> {
        let (last, parent) = self.path.split_last()?;
        let mut world = world.clone();
        match (at_mut(&mut world, parent)?, last) {
            (Value::Object(fields), Key::Name(name)) => drop(fields.remove(name)),
            (Value::Array(items), Key::Index(index)) => drop(items.remove(*index)),
            _ => return None,
        }
        Some(world)
    }
}

/// The same list or map with one more in it.
fn more(world: &Value, path: &[Key], value: &Value) -> Vec<Value> {
    let mut longer = value.clone();
    match (&mut longer, value) {
        (Value::Array(items), Value::Array(found)) => {
            let Some(first) = found.first() else { return Vec::new() };
            let mut inner = path.to_vec();
            inner.push(Key::Index(0));
            let made = leaf_of(world, &mut inner, first);
            made.into_iter()
                .map(|one| {
                    items.push(one);
                    let all = Value::Array(items.clone());
                    items.pop();
                    all
                })
                .collect()
        }
        (Value::Object(fields), Value::Object(found)) => {
            let Some(first) = found.values().next() else { return Vec::new() };
            fields.insert("Extra".into(), first.clone());
            vec![longer]
        }
        _ => Vec::new(),
    }
}

/// An element like this one, in which one leaf is another.
fn leaf_of(world: &Value, path: &mut Vec<Key>, value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) if !is_choice(path) => {
            let mut all = Vec::new();
            for (name, inner) in fields {
                path.push(Key::Name(name.clone()));
                for new in leaf_of(world, path, inner) {
                    let mut other: Map<String, Value> = fields.clone();
                    other.insert(name.clone(), new);
                    all.push(Value::Object(other));
                }
                path.pop();
            }
            all
        }
        Value::Array(items) => {
            let mut all = Vec::new();
            for (index, inner) in items.iter().enumerate() {
                path.push(Key::Index(index));
                for new in leaf_of(world, path, inner) {
                    let mut other = items.clone();
                    other[index] = new;
                    all.push(Value::Array(other));
                }
                path.pop();
            }
            all
        }
        leaf => others(world, path, leaf),
    }
}

/// Words that AWS knows, and others that may stand in their places.
const WORDS: [(&str, &str); 29] = [
    ("AES256", "aws:kms"),
    ("enabled", "disabled"),
    ("disabled", "enabled"),
    ("MUTABLE", "IMMUTABLE"),
    ("HTTP", "HTTPS"),
    ("traffic-port", "8081"),
    ("200", "200-299"),
    ("EC2", "ELB"),
    ("OldestInstance", "NewestInstance"),
    ("required", "optional"),
    ("SERVICE", "TASK_DEFINITION"),
    ("attribute:ecs.availability-zone", "instanceId"),
    ("memory", "cpu"),
    ("spread", "random"),
    ("binpack", "random"),
    ("EC2", "EXTERNAL"),
    ("awslogs", "json-file"),
    ("LINUX", "WINDOWS_SERVER_2022_CORE"),
    ("bridge", "host"),
    ("ARM64", "X86_64"),
    ("t4g.small", "t4g.micro"),
    ("t4g.medium", "t4g.micro"),
    ("ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-2016-08"),
    ("provided.al2023", "provided.al2"),
    ("GET", "HEAD"),
    ("tcp", "udp"),
    ("Allow", "Deny"),
    ("CMD-SHELL", "CMD"),
    ("SecureString", "String"),
];

/// Other values for a leaf, the likeliest to be taken first.
fn others(world: &Value, path: &[Key], value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(on) => vec![json!(!on)],
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            // A log group keeps for one of a few numbers of days only.
            vec![json!(if number == 7 { 14 } else { number + 1 }), json!(number - 1)]
        }
        Value::String(_) if is_choice(path) => vec![json!({ "secure": "other.example.com" })],
        Value::Null if matches!(path.last(), Some(Key::Name(name)) if name == "tls") => {
            let certificate = strings(world).into_iter().find(|text| text.starts_with("arn:aws:acm:"));
            vec![json!({ "certificate": certificate, "policy": "ELBSecurityPolicy-2016-08" })]
        }
        Value::String(text) => {
            let known = WORDS.iter().filter(|(word, _)| word == text).map(|(_, other)| json!(other));
            let alike = alike(world, text);
            known.chain(alike).chain([json!(format!("{text}x"))]).collect()
        }
        Value::Object(choice) => {
            let (name, inner) =
                choice.iter().next().map(|(name, inner)| (name.clone(), inner.clone())).unwrap_or_default();
            let inner = inner.as_str().unwrap_or_default().to_owned();
            let same = alike(world, &inner).map(|other| json!({ name.clone(): other }));
            let words = ["not_found"].map(Value::from);
            let rules = [json!({ "cidr": "192.0.2.0/24" }), json!({ "secure": "other.example.com" })];
            same.chain(words).chain(rules).collect()
        }
        _ => Vec::new(),
    }
}

/// Other names of the same kind in this world: target groups, security groups, ids.
fn alike<'a>(world: &'a Value, text: &'a str) -> impl Iterator<Item = Value> + use<'a> {
    let all = strings(world);
    let kind = |text: &str| -> Option<String> {
        if let Some((kind, _)) = text.split_once('-').filter(|(kind, _)| ["sg", "igw"].contains(kind)) {
            return Some(kind.to_owned());
        }
        let last = text.rsplit(':').next().unwrap_or_default();
        let (resource, _) = last.split_once('/')?;
        text.starts_with("arn:").then(|| resource.to_owned())
    };
    let names = ["target_groups", "groups", "roles"].map(|map| world.get(map).and_then(Value::as_object));
    let named: Vec<String> =
        names.into_iter().flatten().filter(|map| map.contains_key(text)).flat_map(|map| map.keys().cloned()).collect();
    let wanted = kind(text);
    let same = all.into_iter().filter(move |other| wanted.is_some() && kind(other) == wanted);
    named.into_iter().chain(same).filter(move |other| other != text).map(Value::from)
}

/// All texts of a world.
fn strings(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => BTreeSet::from([text.clone()]),
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => BTreeSet::new(),
    }
}
