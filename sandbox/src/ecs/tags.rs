//! Tags of whatever ECS keeps.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Refusal, Region, Result, short};

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagRequest {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagRequest {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsRequest {
    resource_arn: String,
}

/// Refuses what AWS refuses.
pub(super) fn check(tags: &[Tag]) -> Result<()> {
    if tags.len() > 50 {
        return Err(Refusal::invalid("Tags can not have more than 50 elements."));
    }
    for (place, tag) in tags.iter().enumerate() {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(Refusal::invalid(format!("Tag key or value of '{}' is too short or too long.", tag.key)));
        }
        if tag.key.to_lowercase().starts_with("aws:") {
            return Err(Refusal::invalid("Tag keys beginning with 'aws:' are reserved for system use."));
        }
        if tags[..place].iter().any(|other| other.key == tag.key) {
            return Err(Refusal::invalid(format!("Duplicate tag key '{}'.", tag.key)));
        }
    }
    Ok(())
}

/// The names in all texts of a request: their last parts, where they are ARNs.
fn collect<'a>(said: &'a Value, names: &mut BTreeSet<&'a str>) {
    match said {
        Value::String(text) => drop(names.insert(short(text))),
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(members) => members.values().for_each(|member| collect(member, names)),
        _ => {}
    }
}

fn merge(kept: &mut Vec<Tag>, tags: Vec<Tag>) {
    for tag in tags {
        match kept.iter_mut().find(|other| other.key == tag.key) {
            Some(other) => other.value = tag.value,
            None => kept.push(tag),
        }
    }
}

impl Region {
    /// The tags of all that a call names, by ARN.
    pub(super) fn tags_named(&self, body: &[u8]) -> BTreeMap<String, BTreeMap<String, String>> {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut names = BTreeSet::new();
        collect(&said, &mut names);
        let clusters = self.clusters.values().map(|item| (&item.arn, &item.tags));
        let providers = self.providers.values().map(|item| (&item.arn, &item.tags));
        let services = self.services.values().map(|item| (&item.arn, &item.tags));
        let definitions = self.families.values().flat_map(|family| family.revisions.iter());
        let definitions = definitions.map(|item| (&item.arn, &item.tags));
        let all = clusters.chain(providers).chain(services).chain(definitions);
        let named = all.filter(|(arn, _)| names.contains(short(arn)));
        let tags = |tags: &[Tag]| tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        named.map(|(arn, of)| (arn.clone(), tags(of))).collect()
    }

    fn tags_of(&mut self, arn: &str) -> Result<&mut Vec<Tag>> {
        let missing = || match arn.split(':').nth(5).and_then(|rest| rest.split('/').next()) {
            Some("cluster") => Refusal::ClusterNotFound,
            _ => Refusal::ResourceNotFound("The specified resource could not be found.".to_owned()),
        };
        let clusters = self.clusters.values_mut().map(|item| (&item.arn, &mut item.tags));
        let providers = self.providers.values_mut().map(|item| (&item.arn, &mut item.tags));
        let services = self.services.values_mut().map(|item| (&item.arn, &mut item.tags));
        let definitions = self.families.values_mut().flat_map(|family| family.revisions.iter_mut());
        let definitions = definitions.map(|item| (&item.arn, &mut item.tags));
        let mut all = clusters.chain(providers).chain(services).chain(definitions);
        all.find(|(other, _)| *other == arn).map(|(_, tags)| tags).ok_or_else(missing)
    }

    pub(super) fn tag_resource(&mut self, request: TagRequest) -> Result {
        check(&request.tags)?;
        merge(self.tags_of(&request.resource_arn)?, request.tags);
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&mut self, request: &UntagRequest) -> Result {
        self.tags_of(&request.resource_arn)?.retain(|tag| !request.tag_keys.contains(&tag.key));
        Ok(json!({}))
    }

    pub(super) fn list_tags(&mut self, request: &ListTagsRequest) -> Result<Value> {
        Ok(json!({ "tags": self.tags_of(&request.resource_arn)? }))
    }
}
