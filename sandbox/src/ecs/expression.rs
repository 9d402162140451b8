//! The cluster query language of `memberOf` constraints, as far as attributes go.

use std::collections::BTreeMap;

/// Whether an instance with these attributes satisfies an expression: comparisons joined by `and` or `or`, `and` first,
/// without brackets around them. What cannot be read holds for no instance.
pub(crate) fn holds(expression: &str, attributes: &BTreeMap<String, String>) -> bool {
    let text = expression.replace("&&", " and ").replace("||", " or ");
    let all = |part: &str| split(part, " and ").into_iter().all(|term| term_holds(term.trim(), attributes));
    split(&text, " or ").into_iter().any(all)
}

fn split<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.split(word).collect()
}

fn term_holds(term: &str, attributes: &BTreeMap<String, String>) -> bool {
    if let Some(rest) = term.strip_prefix("not ").or_else(|| term.strip_prefix('!')) {
        return !term_holds(rest.trim(), attributes);
    }
    let mut words = term.splitn(3, char::is_whitespace);
    let Some(subject) = words.next() else { return false };
    let operator = words.next().unwrap_or("exists").trim();
    let value = words.next().unwrap_or_default().trim();
    let Some(name) = subject.strip_prefix("attribute:") else { return false };
    let found = attributes.get(name).map(String::as_str);
    let listed = || {
        value.trim_start_matches(['[', '(']).trim_end_matches([']', ')']).split(',').map(bare).any(|v| Some(v) == found)
    };
    match operator {
        "exists" => found.is_some(),
        "!exists" | "not_exists" => found.is_none(),
        "==" | "=" | "equals" => found == Some(bare(value)),
        "!=" | "not_equals" => found != Some(bare(value)),
        "in" => listed(),
        "!in" | "not_in" => !listed(),
        "=~" | "matches" => found.is_some_and(|found| crate::glob::matches(&bare(value).replace(".*", "*"), found)),
        _ => false,
    }
}

fn bare(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_compared() {
        let pairs = [("ecs.availability-zone", "ap-south-1a"), ("ecs.instance-type", "t4g.small"), ("stack", "prod")];
        let attributes = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for (expression, expected) in [
            ("attribute:stack == prod", true),
            ("attribute:stack == \"prod\"", true),
            ("attribute:stack != prod", false),
            ("attribute:ecs.availability-zone in [ap-south-1a, ap-south-1b]", true),
            ("attribute:ecs.availability-zone not_in [ap-south-1a]", false),
            ("attribute:ecs.instance-type =~ t4g.*", true),
            ("attribute:ecs.instance-type =~ m5.*", false),
            ("attribute:stack exists and attribute:other exists", false),
            ("attribute:other exists or attribute:stack == prod", true),
            ("not attribute:other exists", true),
            ("runningTasksCount == 1", false),
        ] {
            assert_eq!(holds(expression, &attributes), expected, "{expression}");
        }
    }
}
