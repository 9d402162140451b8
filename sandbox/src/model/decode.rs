//! Reads a request into the members of its model, by each of AWS's protocols. What the model does not know is told.

use std::collections::{BTreeMap, BTreeSet};

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::shape::{Kind, Member, Operation, Service, Shape};
use crate::gateway::naming::{self, Name, Protocol};
use crate::gateway::s3_naming;
use crate::xml::Element;

/// A request by the members of its model.
pub(super) struct Request {
    pub(super) input: Value,
    /// What cannot be read, or has no place in the model.
    pub(super) faults: Vec<String>,
}

/// Reads the request of an operation.
pub(super) fn decode(service: &Service, operation: &Operation, name: &Name, parts: &Parts, body: &[u8]) -> Request {
    let mut reader = Reader { service, faults: Vec::new() };
    let nothing = Shape::empty();
    let (member, shape) = match &operation.input {
        Some(member) => (Some(member), reader.shape(member)),
        None => (None, &nothing),
    };
    let input = match name.protocol {
        Protocol::Json => reader.json(body),
        Protocol::Query | Protocol::Ec2 => reader.form(shape, name.protocol, naming::form(parts, body)),
        Protocol::RestJson | Protocol::S3 => reader.rest(operation, member, shape, name, parts, body),
    };
    Request { input, faults: reader.faults }
}

struct Reader<'a> {
    service: &'a Service,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    fn shape(&self, member: &Member) -> &'a Shape {
        // A model names no shape that it does not have.
        &self.service.shapes[&member.shape]
    }

    fn json(&mut self, body: &[u8]) -> Value {
        if body.is_empty() {
            return Value::Object(Map::new());
        }
        serde_json::from_slice(body).unwrap_or_else(|error| {
            self.faults.push(format!("the body is no JSON: {error}"));
            Value::Object(Map::new())
        })
    }

    /// A text as its shape has it. One that is not of its shape stays a text, which the check then tells.
    fn scalar(shape: &Shape, text: &str) -> Value {
        let typed = match shape.kind {
            Kind::Integer | Kind::Long | Kind::Short | Kind::Byte => text.parse::<i64>().ok().map(Value::from),
            Kind::Float | Kind::Double => text.parse::<f64>().ok().map(Value::from),
            Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
            _ => None,
        };
        typed.unwrap_or_else(|| Value::from(text))
    }
}

/// The parameters of a form, and which of them were read.
struct Form {
    given: BTreeMap<String, String>,
    read: BTreeSet<String>,
    protocol: Protocol,
}

impl Form {
    fn take(&mut self, key: &str) -> Option<String> {
        let text = self.given.get(key)?;
        self.read.insert(key.to_owned());
        Some(text.clone())
    }

    /// Whether anything is given by that name or under it.
    fn has(&self, key: &str) -> bool {
        let under = format!("{key}.");
        self.given.contains_key(key)
            || self.given.range(under.clone()..).next().is_some_and(|(k, _)| k.starts_with(&under))
    }

    fn name_of(&self, name: &str, member: &Member) -> String {
        if self.protocol == Protocol::Query {
            return member.location_name.as_deref().unwrap_or(name).to_owned();
        }
        let name = member.query_name.as_deref().or(member.location_name.as_deref()).unwrap_or(name);
        let mut letters = name.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }
}

impl Reader<'_> {
    fn form(&mut self, shape: &Shape, protocol: Protocol, given: BTreeMap<String, String>) -> Value {
        let mut form = Form { given, read: BTreeSet::new(), protocol };
        let input = self.form_members(shape, "", &mut form);
        let own = |key: &str| matches!(key, "Action" | "Version") || key.starts_with("X-Amz-");
        let unknown = form.given.keys().filter(|key| !form.read.contains(*key) && !own(key));
        self.faults.extend(unknown.map(|key| format!("the parameter {key} is not recognized")));
        input
    }

    fn form_members(&mut self, shape: &Shape, prefix: &str, form: &mut Form) -> Value {
        let mut members = Map::new();
        for (name, member) in &shape.members {
            let key = match (prefix, form.name_of(name, member)) {
                ("", wire) => wire,
                (prefix, wire) => format!("{prefix}.{wire}"),
            };
            if form.has(&key) {
                members.insert(name.clone(), self.form_value(self.shape(member), &key, form));
            }
        }
        Value::Object(members)
    }

    fn form_value(&mut self, shape: &Shape, key: &str, form: &mut Form) -> Value {
        match (shape.kind, &shape.member, &shape.key, &shape.value) {
            (Kind::Structure, ..) => self.form_members(shape, key, form),
            (Kind::List, Some(member), ..) => {
                // An empty list is its bare name.
                form.take(key);
                let wire = member.location_name.as_deref();
                let prefix = match (form.protocol, shape.flattened) {
                    (Protocol::Query, false) => format!("{key}.{}", wire.unwrap_or("member")),
                    (Protocol::Query, true) => match (wire, key.rsplit_once('.')) {
                        (Some(wire), Some((before, _))) => format!("{before}.{wire}"),
                        (Some(wire), None) => wire.to_owned(),
                        (None, _) => key.to_owned(),
                    },
                    _ => key.to_owned(),
                };
                let item = self.shape(member);
                let keys = (1..).map(|number| format!("{prefix}.{number}"));
                let keys: Vec<_> = keys.take_while(|key| form.has(key)).collect();
                keys.iter().map(|key| self.form_value(item, key, form)).collect()
            }
            (Kind::Map, _, Some(name), Some(value)) => {
                form.take(key);
                let prefix = if shape.flattened { key.to_owned() } else { format!("{key}.entry") };
                let (named, valued) = (form_name(name, "key"), form_name(value, "value"));
                let value = self.shape(value);
                let entries = (1..).map(|number| format!("{prefix}.{number}"));
                let entries: Vec<_> = entries.take_while(|entry| form.has(entry)).collect();
                let pair = |entry: &String| {
                    let name = form.take(&format!("{entry}.{named}")).unwrap_or_default();
                    (name, self.form_value(value, &format!("{entry}.{valued}"), form))
                };
                Value::Object(entries.iter().map(pair).collect())
            }
            _ => form.take(key).map_or(Value::Null, |text| Self::scalar(shape, &text)),
        }
    }
}

fn form_name<'a>(member: &'a Member, usual: &'a str) -> &'a str {
    member.location_name.as_deref().unwrap_or(usual)
}

impl Reader<'_> {
    fn rest(
        &mut self,
        operation: &Operation,
        input: Option<&Member>,
        shape: &Shape,
        name: &Name,
        parts: &Parts,
        body: &[u8],
    ) -> Value {
        let mut members = self.places(operation, shape, name, parts);
        let xml = name.protocol == Protocol::S3;
        match &shape.payload {
            Some(payload) => {
                let member = &shape.members[payload];
                let whole = self.shape(member);
                if whole.kind != Kind::Structure {
                    // Bytes: of them the model says nothing that matters here.
                    members.insert(payload.clone(), Value::String(String::new()));
                } else if !body.is_empty() {
                    let value = if xml { self.xml(whole, body) } else { self.json(body) };
                    members.insert(payload.clone(), value);
                }
            }
            None if xml && !body.is_empty() && input.is_some_and(|input| input.location_name.is_some()) => {
                if let Value::Object(more) = self.xml(shape, body) {
                    members.extend(more);
                }
            }
            None if !xml => {
                if let Value::Object(more) = self.json(body) {
                    members.extend(more);
                }
            }
            None => {}
        }
        Value::Object(members)
    }

    /// The members that stand in the address and the headers.
    fn places(&mut self, operation: &Operation, shape: &Shape, name: &Name, parts: &Parts) -> Map<String, Value> {
        let (path, literal) = operation.http.uri.split_once('?').unwrap_or((&operation.http.uri, ""));
        let labels = if name.protocol == Protocol::S3 {
            let (bucket, key) = s3_naming::address(parts);
            BTreeMap::from([("Bucket".to_owned(), bucket), ("Key".to_owned(), key)])
        } else {
            labels(path, parts.uri.path())
        };
        let query = parts.uri.query().unwrap_or_default();
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut known: BTreeSet<&str> = literal.split('&').filter_map(|pair| pair.split('=').next()).collect();
        known.insert("x-id");
        let mut members = Map::new();
        for (member_name, member) in &shape.members {
            let wire = member.location_name.as_deref().unwrap_or(member_name);
            let of = self.shape(member);
            let value = match member.location.as_deref() {
                Some("uri") => labels.get(wire).map(|text| Self::scalar(of, text)),
                Some("querystring") => {
                    known.insert(wire);
                    let mut given = query.iter().filter(|(key, _)| key == wire).map(|(_, value)| value);
                    match (&of.member, of.kind) {
                        (Some(item), Kind::List) => {
                            let item = self.shape(item);
                            let items: Vec<_> = given.map(|text| Self::scalar(item, text)).collect();
                            (!items.is_empty()).then_some(Value::Array(items))
                        }
                        _ => given.next().map(|text| Self::scalar(of, text)),
                    }
                }
                Some("header") if of.kind != Kind::List => {
                    naming::header(parts, wire).map(|text| Self::scalar(of, text))
                }
                _ => None,
            };
            members.extend(value.map(|value| (member_name.clone(), value)));
        }
        let unknown = query.iter().filter(|(key, _)| !known.contains(&**key) && !key.starts_with("X-Amz-"));
        self.faults.extend(unknown.map(|(key, _)| format!("the parameter {key} is not recognized")));
        members
    }

    fn xml(&mut self, shape: &Shape, body: &[u8]) -> Value {
        match std::str::from_utf8(body).ok().and_then(Element::parse) {
            Some(root) => self.element(shape, &root),
            None => {
                self.faults.push("the body is no XML".to_owned());
                Value::Object(Map::new())
            }
        }
    }

    fn element(&mut self, shape: &Shape, element: &Element) -> Value {
        if shape.kind == Kind::Structure {
            let mut members = Map::new();
            let mut known = BTreeSet::new();
            for (name, member) in &shape.members {
                let of = self.shape(member);
                let flat = of.kind == Kind::List && (of.flattened || member.flattened);
                let inner = of.member.as_ref().and_then(|item| item.location_name.as_deref()).filter(|_| flat);
                let wire = member.location_name.as_deref().or(inner).unwrap_or(name);
                known.insert(wire);
                let found: Vec<_> = element.children().iter().filter(|child| child.name() == wire).collect();
                let value = match (&of.member, found.first()) {
                    (_, None) => continue,
                    (Some(item), _) if flat => {
                        let item = self.shape(item);
                        found.iter().map(|child| self.element(item, child)).collect()
                    }
                    (_, Some(child)) => self.element(of, child),
                };
                members.insert(name.clone(), value);
            }
            let unknown = element.children().iter().filter(|child| !known.contains(child.name()));
            self.faults.extend(unknown.map(|child| format!("the element {} is not recognized", child.name())));
            // What stands in an attribute is not read by this reader, and is never what a request lacks.
            let attributes = shape.members.iter().filter(|(_, member)| member.xml_attribute);
            members.extend(attributes.map(|(name, _)| (name.clone(), Value::Null)));
            return Value::Object(members);
        }
        match (&shape.member, shape.kind) {
            (Some(item), Kind::List) => {
                let item = self.shape(item);
                element.children().iter().map(|child| self.element(item, child)).collect()
            }
            _ => Self::scalar(shape, element.own_text()),
        }
    }
}

/// The labels in a path, such as `FunctionName` in `/2015-03-31/functions/{FunctionName}`.
fn labels(template: &str, path: &str) -> BTreeMap<String, String> {
    let pieces = template.trim_matches('/').split('/').zip(path.trim_matches('/').split('/'));
    let label = |(piece, text): (&str, &str)| {
        let label = piece.strip_prefix('{')?.strip_suffix('}')?.trim_end_matches('+');
        Some((label.to_owned(), percent_decode_str(text).decode_utf8_lossy().into_owned()))
    };
    pieces.filter_map(label).collect()
}
