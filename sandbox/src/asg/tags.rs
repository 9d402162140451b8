//! Tags of groups, and the filters that look for them.

use super::group::{Group, Tag, list};
use super::{Context, Refusal};

impl Group {
    /// Whether a filter of `DescribeAutoScalingGroups` lets it pass.
    pub(super) fn passes(&self, filter: &str, values: &[String]) -> bool {
        match filter {
            "tag-key" => self.tags.keys().any(|key| values.contains(key)),
            "tag-value" => self.tags.values().any(|tag| values.contains(&tag.value)),
            _ => filter
                .strip_prefix("tag:")
                .and_then(|key| self.tags.get(key))
                .is_some_and(|tag| values.contains(&tag.value)),
        }
    }
}

impl Context<'_> {
    /// The tags in the form: the group's name, where it stands with each tag, the key, and the tag.
    pub(super) fn tags(&self) -> Vec<(String, String, Tag)> {
        let tag = |number: usize| {
            let get = |key: &str| self.form.get(&format!("Tags.member.{number}.{key}")).cloned();
            let tag = Tag {
                value: get("Value").unwrap_or_default(),
                propagate: get("PropagateAtLaunch").as_deref() == Some("true"),
            };
            Some((get("ResourceId").unwrap_or_default(), get("Key")?, tag))
        };
        (1..).map_while(tag).collect()
    }

    pub(super) fn filters(&self) -> Vec<(String, Vec<String>)> {
        let filter = |number: usize| {
            let name = self.form.get(&format!("Filters.member.{number}.Name"))?;
            Some((name.clone(), self.list(&format!("Filters.member.{number}.Values"))))
        };
        (1..).map_while(filter).collect()
    }

    pub(super) fn tag(&self) -> Result<String, Refusal> {
        for (name, key, tag) in self.tags() {
            self.group(&name, |group| group.tags.insert(key, tag))?;
        }
        Ok(String::new())
    }

    pub(super) fn untag(&self) -> Result<String, Refusal> {
        for (name, key, _) in self.tags() {
            self.group(&name, |group| group.tags.remove(&key))?;
        }
        Ok(String::new())
    }

    pub(super) fn describe_tags(&self) -> String {
        let filters = self.filters();
        let passes = |group: &Group, key: &str, tag: &Tag| {
            filters.iter().all(|(name, values)| match name.as_str() {
                "auto-scaling-group" => values.contains(&group.name),
                "key" => values.iter().any(|value| value == key),
                "value" => values.contains(&tag.value),
                "propagate-at-launch" => values.contains(&tag.propagate.to_string()),
                _ => false,
            })
        };
        let members = self.asg.with(&self.place, self.now(), |groups| {
            let mut members = Vec::new();
            for group in groups.values() {
                let chosen = group.tags.iter().filter(|(key, tag)| passes(group, key, tag));
                members.extend(chosen.map(|(key, _)| group.tag_xml(key)));
            }
            members
        });
        list("Tags", members.into_iter())
    }
}
