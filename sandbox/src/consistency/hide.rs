//! Takes one member out of a list in an answer.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

/// The answer without the members of its list whose `key` is `id`; nothing where there is none.
pub(super) fn xml(text: &str, list: &str, key: &str, id: &str) -> Option<String> {
    if list.is_empty() {
        return None;
    }
    let found = members(text, list, key, id)?;
    if found.is_empty() {
        return None;
    }
    let mut left = text.to_owned();
    for range in found.into_iter().rev() {
        left.replace_range(range, "");
    }
    Some(left)
}

/// Where these members stand.
fn members(text: &str, list: &str, key: &str, id: &str) -> Option<Vec<Range<usize>>> {
    let mut reader = Reader::from_str(text);
    let (mut open, mut found): (Vec<String>, _) = (Vec::new(), Vec::new());
    // The depth of the list's members, where the present one began, and whether it is one of them.
    let (mut depth, mut begun, mut is_meant) = (None, 0, false);
    loop {
        let before = usize::try_from(reader.buffer_position()).ok()?;
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                let name: String = tag.local_name().as_ref().to_owned();
                if Some(open.len()) == depth {
                    (begun, is_meant) = (before, false);
                }
                if name == list && depth.is_none() {
                    depth = Some(open.len() + 1);
                }
                open.push(name);
            }
            Event::Text(value) => {
                let inside = depth.is_some_and(|depth| open.len() == depth + 2);
                if inside && open.last().is_some_and(|name| name == key) && value.trim() == id {
                    is_meant = true;
                }
            }
            Event::End(_) => {
                open.pop();
                if Some(open.len()) == depth && is_meant {
                    found.push(begun..usize::try_from(reader.buffer_position()).ok()?);
                    is_meant = false;
                }
                if depth.is_some_and(|depth| open.len() < depth) {
                    depth = None;
                }
            }
            Event::Eof => return Some(found),
            _ => {}
        }
    }
}

/// The same in JSON; where there is a list of failures, what is missing is told in it, as ECS does.
pub(super) fn json(text: &str, list: &str, key: &str, id: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let members = value.get_mut(list)?.as_array_mut()?;
    let is_meant = |member: &Value| member[key] == id;
    let missing: Vec<Value> = members.iter().filter(|member| is_meant(member)).map(arn).collect();
    if missing.is_empty() {
        return None;
    }
    members.retain(|member| !is_meant(member));
    if let Some(failures) = value.get_mut("failures").and_then(Value::as_array_mut) {
        failures.extend(missing.into_iter().map(|arn| json!({ "arn": arn, "reason": "MISSING" })));
    }
    Some(value.to_string())
}

/// A member's own ARN; a service also names its cluster's.
fn arn(member: &Value) -> Value {
    ["serviceArn", "capacityProviderArn", "clusterArn"]
        .iter()
        .find_map(|key| member.get(*key).cloned())
        .unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_member_itself_is_taken_out() {
        let item = |vpc: &str, subnet: &str| {
            format!(
                "<item>\n<subnetId>{subnet}</subnetId><vpcId>{vpc}</vpcId><tagSet><item><key>subnetId</key></item></tagSet></item>"
            )
        };
        let answer =
            |items: &str| format!("<?xml version=\"1.0\"?><R xmlns=\"x\"><id>1</id><subnetSet>{items}</subnetSet></R>");
        let (a, b) = (item("v", "a"), item("v", "b"));
        let both = answer(&format!("{a}{b}"));
        assert_eq!(xml(&both, "subnetSet", "subnetId", "b"), Some(answer(&a)));
        assert_eq!(xml(&both, "subnetSet", "subnetId", "v"), None);
        assert_eq!(xml(&both, "subnetSet", "vpcId", "v"), Some(answer("")));
        assert_eq!(xml(&both, "otherSet", "subnetId", "a"), None);
    }

    #[test]
    fn what_ecs_does_not_see_is_missing() {
        let text = r#"{"services":[{"serviceName":"a","serviceArn":"arn:a","clusterArn":"arn:c"}],"failures":[]}"#;
        let left = json(text, "services", "serviceName", "a").unwrap();
        assert_eq!(left, r#"{"failures":[{"arn":"arn:a","reason":"MISSING"}],"services":[]}"#);
        assert_eq!(json(text, "services", "serviceName", "b"), None);
    }
}
