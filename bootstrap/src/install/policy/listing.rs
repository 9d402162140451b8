//! Policies as a person reads them who has to sign them off.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reach;

/// A policy document: statement by statement the resources, under which condition, and the actions.
#[must_use]
pub fn lines(document: &Value) -> Vec<String> {
    document["Statement"].as_array().into_iter().flatten().flat_map(statement).collect()
}

fn statement(statement: &Value) -> Vec<String> {
    let denies = statement["Effect"] == "Deny";
    let (but, resources) = match &statement["NotResource"] {
        Value::Null => ("", texts(&statement["Resource"])),
        others => ("all but ", texts(others)),
    };
    let mut lines = Vec::new();
    let (may, on) = if denies { ("never", "to") } else { ("may", "do to") };
    if resources == ["*"] {
        // Each reason once, with the actions that it is about.
        for (why, actions) in reasons(&texts(&statement["Action"])) {
            lines.push(format!("{may} {on} anything{why}:"));
            lines.extend(actions.iter().map(|action| format!("    {action}")));
        }
    } else {
        lines.push(format!("{may} {on} {but}{}:", resources.join(", ")));
        lines.extend(texts(&statement["Action"]).iter().map(|action| format!("    {action}")));
    }
    lines.extend(conditions(&statement["Condition"]));
    lines
}

/// Actions by the reason why they are on anything, as far as one is known.
fn reasons(actions: &[String]) -> BTreeMap<String, Vec<&String>> {
    let mut reasons: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for action in actions {
        let why = reach::why(action).map(|why| format!(" ({why})")).unwrap_or_default();
        reasons.entry(why).or_default().push(action);
    }
    reasons
}

fn conditions(condition: &Value) -> Vec<String> {
    let keys = condition.as_object().into_iter().flatten().flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| format!("  where {key} is {} ({operator})", texts(values).join(" or ")))
    });
    keys.collect()
}

/// IAM's "one or many".
fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => vec![text(one)],
    }
}
