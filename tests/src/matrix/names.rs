//! Ids that AWS gives, turned into names, so that two accounts in which the same stands look the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Prefixes of EC2's ids.
const EC2: [&str; 12] = ["vpc", "subnet", "sg", "igw", "rtb", "rtbassoc", "sgr", "lt", "i", "eni", "acl", "dopt"];

/// Names by id; what has none is told by its kind alone.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    pub(super) fn learn(&mut self, id: &str, name: &str) {
        if !id.is_empty() && !name.is_empty() {
            self.0.insert(id.to_owned(), format!("<{name}>"));
        }
    }

    /// The value without ids, and its lists in an order that does not come from them.
    pub(super) fn plain(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(values) => {
                let mut values: Vec<Value> = values.iter().map(|value| self.plain(value)).collect();
                values.sort_by_cached_key(Value::to_string);
                Value::Array(values)
            }
            Value::Object(fields) => Value::Object(
                fields.iter().map(|(key, value)| (self.text(key), self.plain(value))).collect::<Map<_, _>>(),
            ),
            other => other.clone(),
        }
    }

    /// A text without ids.
    pub(super) fn text(&self, text: &str) -> String {
        let mut plain = String::new();
        let mut word = String::new();
        for letter in text.chars().chain([' ']) {
            if letter.is_ascii_alphanumeric() || letter == '-' {
                word.push(letter);
                continue;
            }
            plain += &self.word(&word, &plain);
            word.clear();
            plain.push(letter);
        }
        plain.pop();
        plain
    }

    fn word(&self, word: &str, before: &str) -> String {
        if let Some(name) = self.0.get(word) {
            return name.clone();
        }
        let hex = |text: &str| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let tail =
            |text: &str| text.len() == 16 && text.bytes().all(|it| it.is_ascii_digit() || it.is_ascii_lowercase());
        let uuid = word.len() == 36 && word.split('-').count() == 5;
        match word.rsplit_once('-') {
            Some((prefix, tail)) if EC2.contains(&prefix) && hex(tail) => format!("<{prefix}>"),
            // The tail of a load balancer's, target group's, listener's or rule's ARN.
            None if before.ends_with('/') && tail(word) => "<tail>".to_owned(),
            _ if uuid => "<uuid>".to_owned(),
            // A revision; the word before it is the family, behind a slash.
            None if is_revision(word, before) => "<revision>".to_owned(),
            _ => word.to_owned(),
        }
    }
}

fn is_revision(word: &str, before: &str) -> bool {
    let family = before.strip_suffix(':').and_then(|rest| rest.rsplit('/').nth(1));
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_digit())
        && family.is_some_and(|rest| rest.ends_with("task-definition"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Names;

    #[test]
    fn ids_become_names_and_lists_lose_their_order() {
        let mut names = Names::default();
        names.learn("vpc-0a1b2c3d4e5f60718", "main");
        let plain = names.plain(&json!({
            "vpc-0a1b2c3d4e5f60718": ["b", "a", "subnet-0123456789abcdef0"],
            "arn": "arn:aws:ecs:ap-south-1:000000000000:task-definition/p-backend:12",
            "group": "arn:aws:elasticloadbalancing:r:0:targetgroup/p-backend-0a1b2c/0123456789abcdef",
        }));
        let wanted = json!({
            "<main>": ["<subnet>", "a", "b"],
            "arn": "arn:aws:ecs:ap-south-1:000000000000:task-definition/p-backend:<revision>",
            "group": "arn:aws:elasticloadbalancing:r:0:targetgroup/p-backend-0a1b2c/<tail>",
        });
        assert_eq!(plain, wanted);
    }
}
