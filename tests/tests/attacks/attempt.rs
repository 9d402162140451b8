//! An attempt to do something with a role of an installation, and what such attempts are about.

use serde_json::{Value, json};

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const REGION: &str = "eu-central-1";
pub(super) const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/skydeck-boundary-eu-central-1";
pub(super) const OURS: &str =
    "arn:aws:iam::111122223333:role/skydeck/eu-central-1/skyfox-devprod/skyfox-devprod-movie-task-eu-central-1";
pub(super) const OWN: &str = "arn:aws:s3:::skydeck-111122223333-eu-central-1";

/// What is tried: a function's role does an action to a resource, under conditions.
pub(super) struct Try {
    pub(super) what: &'static str,
    pub(super) who: Who,
    pub(super) action: &'static str,
    pub(super) resource: String,
    pub(super) context: Value,
    pub(super) allowed: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Who {
    Function(&'static str),
    /// A role of a platform to which somebody has given every right.
    Platform,
}

/// Something that must be refused.
pub(super) fn attack(
    who: Who,
    what: &'static str,
    action: &'static str,
    resource: impl Into<String>,
    context: Value,
) -> Try {
    Try { what, who, action, resource: resource.into(), context, allowed: false }
}

/// Something that the role is there for.
pub(super) fn duty(who: Who, action: &'static str, resource: impl Into<String>, context: Value) -> Try {
    Try { what: "its own work", who, action, resource: resource.into(), context, allowed: true }
}

pub(super) fn iam(kind: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}")
}

pub(super) fn here(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// A role that has the boundary, or gets it.
pub(super) fn bounded() -> Value {
    json!({ "iam:PermissionsBoundary": BOUNDARY })
}

/// What is made gets this installation's tag.
pub(super) fn tagged() -> Value {
    json!({ "aws:RequestTag/skydeck:installation": REGION })
}

/// What is there has the tag of the installation in this region.
pub(super) fn of(region: &str) -> Value {
    json!({ "aws:ResourceTag/skydeck:installation": region })
}

/// A tag that comes with what is made by this action.
pub(super) fn making(key: &str, action: &str) -> Value {
    with(tagged(), json!({ key: action }))
}

pub(super) fn with(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

pub(super) fn passed_to(service: &str) -> Value {
    json!({ "iam:PassedToService": service })
}
