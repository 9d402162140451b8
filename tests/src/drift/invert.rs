//! The way back of a change: what the product would carry out to put something right, turned round, so that the product's
//! own write makes it wrong.

use serde_json::{Map, Value, json};

/// Pairs of changes that undo each other with the same fields.
const PAIRS: [(&str, &str); 2] = [("attach_policy", "detach_policy"), ("add_to_profile", "remove_from_profile")];

/// The change turned round, or `None` where only a hand can do that.
#[must_use]
pub(super) fn invert(change: &Value, world: &Value, gone: Option<&Value>) -> Option<Value> {
    let (name, fields) = change.as_object()?.iter().next()?;
    if name == "log" {
        return Some(json!({ "log": invert(fields, world, gone)? }));
    }
    if let Some((other, _)) = PAIRS.iter().find(|(_, one)| one == name) {
        return Some(json!({ *other: fields }));
    }
    if let Some((_, other)) = PAIRS.iter().find(|(one, _)| one == name) {
        return Some(json!({ *other: fields }));
    }
    let id = |name: &str| fields[name]["known"].clone();
    let made = match name.as_str() {
        "put_policy" if fields["old"].is_null() => {
            json!({ "delete_policy": { "role": fields["role"], "name": fields["name"], "old": fields["new"] } })
        }
        "delete_policy" => json!({ "put_policy": {
            "role": fields["role"], "name": fields["name"], "old": null, "new": fields["old"] } }),
        "allow_in" => {
            json!({ "revoke_in": { "group": id("group"), "name": fields["name"], "rules": fields["rules"] } })
        }
        "revoke_in" => json!({ "allow_in": {
            "group": { "known": fields["group"] }, "name": fields["name"], "rules": fields["rules"] } }),
        "attach_gateway" => {
            json!({ "detach_gateway": { "id": id("gateway"), "vpc": id("vpc"), "name": fields["name"] } })
        }
        "delete_cors" => json!({ "set_cors": { "name": fields["name"], "old": [], "new": fields["old"] } }),
        "set_cors" if fields["old"] == json!([]) => {
            json!({ "delete_cors": { "name": fields["name"], "old": fields["new"] } })
        }
        "set_scanning" => json!({ "set_scanning": { "name": fields["name"], "on": !fields["on"].as_bool()? } }),
        "set_priorities" => json!({ "set_priorities": { "name": fields["name"], "rules": turned(&fields["rules"]) } }),
        "register" if !fields["old"].is_null() => {
            let mut fields = fields.clone();
            let new = fields["new"]["settings"].take();
            fields["new"]["settings"] = fields["old"].take();
            fields["old"] = new;
            json!({ "register": fields })
        }
        "create_rule" => json!({ "delete_rule": { "arn": gone?.get("id")?, "name": fields["name"] } }),
        // The product only ever publishes the right code.
        "set_probe_code" => return None,
        // A tag that instances do not get: the product gives them all.
        "tag_group" if fields["old"] == json!({}) => return None,
        "set_default_version" | "set_group_template" if !follows(fields) => return None,
        "create_template" => {
            json!({ "delete_template": { "id": world["template"]["id"], "name": fields["name"] } })
        }
        "create" => json!({ "delete": { "name": fields["name"] } }),
        "create_probe" => json!({ "delete_probe": { "name": fields["name"] } }),
        _ if is_pair(fields) => json!({ name: swapped(fields.as_object()?, world) }),
        // What follows from another change of the same plan follows from that one's way back as well.
        _ if follows(fields) && !name.starts_with("create_") => change.clone(),
        _ => return None,
    };
    Some(made)
}

fn follows(fields: &Value) -> bool {
    fields.to_string().contains(r#"{"made":"#)
}

fn is_pair(fields: &Value) -> bool {
    fields.get("new").is_some() && fields.get("old").is_some_and(|old| !old.is_null())
}

fn turned(rules: &Value) -> Value {
    let turn = |rule: &Value| {
        let mut rule = rule.clone();
        let old = rule["old"].take();
        rule["old"] = rule["new"].take();
        rule["new"] = old;
        rule
    };
    rules.as_array().into_iter().flatten().map(turn).collect()
}

fn swapped(fields: &Map<String, Value>, world: &Value) -> Value {
    let mut fields = fields.clone();
    let old = fields.remove("old").unwrap_or_default();
    let new = fields.insert("new".into(), old.clone()).unwrap_or_default();
    fields.insert("old".into(), new);
    // All tags of a bucket are sent at once.
    if let (Some(Value::Object(all)), Some(old)) = (fields.get_mut("all"), old.as_object()) {
        all.extend(old.clone());
    }
    // Only what is attached may stand in a strategy.
    if let Some(providers) = old.get("providers").and_then(Value::as_array)
        && let Some(Value::Object(strategy)) = fields.get_mut("new").and_then(|new| new.get_mut("strategy"))
    {
        strategy.retain(|name, _| providers.iter().any(|provider| provider == name));
    }
    // The target group that a listener or a rule leads to is told a second time, by its ARN.
    let target = ["default", "target"].iter().find_map(|place| old.get(*place));
    if let (true, Some(target)) = (fields.contains_key("group"), target) {
        let group = target.get("group").and_then(Value::as_str);
        let known = group.map(|name| json!({ "known": world["target_groups"][name]["id"] }));
        fields.insert("group".into(), known.unwrap_or_default());
    }
    Value::Object(fields)
}

/// The change with the ids in it that steps before it have made.
#[must_use]
pub(super) fn filled(change: &Value, ids: &[Option<String>]) -> Value {
    match change {
        Value::Object(fields) => {
            let step = fields.get("made").and_then(Value::as_u64).and_then(|step| usize::try_from(step).ok());
            if let Some(id) = step.and_then(|step| ids.get(step)?.as_ref()) {
                return json!({ "known": id });
            }
            fields.iter().map(|(name, value)| (name.clone(), filled(value, ids))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(|item| filled(item, ids)).collect(),
        other => other.clone(),
    }
}
