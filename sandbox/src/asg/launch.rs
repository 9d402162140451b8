//! Instances in the emulator's EC2, so that what lists instances or deletes their network sees them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::group::Group;
use super::instance::{Instance, Template};
use super::{Place, Refusal};
use crate::gateway::upstream::Upstream;
use crate::xml::Element;

/// What a launch template says about an instance.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) template: Template,
    pub(crate) image: String,
    pub(crate) kind: String,
    user_data: String,
    security_groups: Vec<String>,
    profile: Option<(&'static str, String)>,
    tags: Vec<(String, String)>,
}

impl Blueprint {
    /// The version that a group asks for: a number, `$Latest` or `$Default`.
    pub(crate) async fn of(upstream: &Upstream, place: &Place, wanted: &Template) -> Result<Self, Refusal> {
        let mut form = BTreeMap::from([("Action".to_owned(), "DescribeLaunchTemplateVersions".to_owned())]);
        form.insert("Version".into(), "2016-11-15".into());
        if wanted.id.is_empty() {
            form.insert("LaunchTemplateName".into(), wanted.name.clone());
        } else {
            form.insert("LaunchTemplateId".into(), wanted.id.clone());
        }
        let version = if wanted.version.is_empty() { "$Default" } else { &wanted.version };
        form.insert("LaunchTemplateVersion.1".into(), version.to_owned());
        let invalid =
            |what: &str| Refusal::invalid(&format!("You must use a valid fully-formed launch template. {what}"));
        let answer = upstream.query(&place.account, &place.region, "ec2", &form).await;
        let answer = answer.map_err(|error| invalid(&error.to_string()))?;
        let item = answer.find("launchTemplateVersionSet").and_then(|set| set.children().first());
        let item = item.ok_or_else(|| invalid("The specified launch template version does not exist."))?;
        Ok(Self::read(item, &wanted.version))
    }

    fn read(item: &Element, version: &str) -> Self {
        let text = |name: &str| item.find(name).map(|element| element.own_text().to_owned()).unwrap_or_default();
        let data = item.child("launchTemplateData");
        let list = |name: &str| data.and_then(|data| data.find(name)).map(Element::children).unwrap_or_default();
        let groups = list("securityGroupIdSet").iter().chain(list("groupSet"));
        let profile = data.and_then(|data| data.child("iamInstanceProfile"));
        let profile = profile
            .and_then(|profile| ["arn", "name"].into_iter().find_map(|key| Some((key, profile.text(key)?.to_owned()))));
        let tags = list("tagSpecificationSet").iter().find(|tags| tags.text("resourceType") == Some("instance"));
        let tags = tags.and_then(|tags| tags.child("tagSet")).map(Element::children).unwrap_or_default();
        let tag = |tag: &Element| Some((tag.text("key")?.to_owned(), tag.text("value").unwrap_or_default().to_owned()));
        Self {
            template: Template {
                id: text("launchTemplateId"),
                name: text("launchTemplateName"),
                version: if version.starts_with('$') { text("versionNumber") } else { version.to_owned() },
            },
            image: text("imageId"),
            kind: text("instanceType"),
            user_data: text("userData"),
            security_groups: groups.map(|group| group.own_text().to_owned()).filter(|id| !id.is_empty()).collect(),
            profile,
            tags: tags.iter().filter_map(tag).collect(),
        }
    }

    /// The cluster that the user data names.
    pub(crate) fn cluster(&self) -> Option<String> {
        let text = String::from_utf8(STANDARD.decode(self.user_data.as_bytes()).ok()?).ok()?;
        cluster_in(&text)
    }

    /// Starts one instance.
    pub(crate) async fn run(
        &self,
        upstream: &Upstream,
        place: &Place,
        group: &Group,
        (subnet, zone): (String, String),
    ) -> Result<Instance, crate::Error> {
        let form = self.form(group, &subnet);
        let answer = upstream.query(&place.account, &place.region, "ec2", &form).await?;
        let id = answer.find("instanceId").map(|id| id.own_text().to_owned());
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(crate::ids::instance);
        Ok(Instance {
            id,
            group_arn: group.arn.clone(),
            zone,
            subnet,
            kind: self.kind.clone(),
            image: self.image.clone(),
            cluster: self.cluster(),
            template: self.template.clone(),
            protected: group.protect_new,
            launched: 0.0,
            in_service: 0.0,
            joined: 0.0,
            draining: false,
            gone: None,
        })
    }

    fn form(&self, group: &Group, subnet: &str) -> BTreeMap<String, String> {
        let mut form = BTreeMap::new();
        let mut put = |key: &str, value: &str| form.insert(key.to_owned(), value.to_owned());
        put("Action", "RunInstances");
        put("Version", "2016-11-15");
        put("ImageId", &self.image);
        put("InstanceType", &self.kind);
        put("MinCount", "1");
        put("MaxCount", "1");
        put("SubnetId", subnet);
        put("UserData", &self.user_data);
        for (number, id) in self.security_groups.iter().enumerate() {
            put(&format!("SecurityGroupId.{}", number + 1), id);
        }
        if let Some((key, value)) = &self.profile {
            put(if *key == "arn" { "IamInstanceProfile.Arn" } else { "IamInstanceProfile.Name" }, value);
        }
        let propagated = group.tags.iter().filter(|(_, tag)| tag.propagate);
        let mut tags: BTreeMap<&str, &str> = self.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
        tags.extend(propagated.map(|(key, tag)| (&**key, &*tag.value)));
        tags.insert("aws:autoscaling:groupName", &group.name);
        put("TagSpecification.1.ResourceType", "instance");
        for (number, (key, value)) in tags.into_iter().enumerate() {
            put(&format!("TagSpecification.1.Tag.{}.Key", number + 1), key);
            put(&format!("TagSpecification.1.Tag.{}.Value", number + 1), value);
        }
        form
    }
}

/// Ends instances in the emulator's EC2; that one is unknown there is no harm.
pub(crate) async fn terminate(upstream: &Upstream, place: &Place, ids: &[String]) {
    if ids.is_empty() {
        return;
    }
    let mut form = BTreeMap::from([("Action".to_owned(), "TerminateInstances".to_owned())]);
    form.insert("Version".into(), "2016-11-15".into());
    for (number, id) in ids.iter().enumerate() {
        form.insert(format!("InstanceId.{}", number + 1), id.clone());
    }
    if let Err(error) = upstream.query(&place.account, &place.region, "ec2", &form).await {
        tracing::warn!(%error, "the emulator did not end instances of a group");
    }
}

/// The zones of subnets, in the order asked for.
pub(crate) async fn subnets(
    upstream: &Upstream,
    place: &Place,
    ids: &[String],
) -> Result<Vec<(String, String)>, Refusal> {
    let mut form = BTreeMap::from([("Action".to_owned(), "DescribeSubnets".to_owned())]);
    form.insert("Version".into(), "2016-11-15".into());
    for (number, id) in ids.iter().enumerate() {
        form.insert(format!("SubnetId.{}", number + 1), id.clone());
    }
    let answer = upstream.query(&place.account, &place.region, "ec2", &form).await;
    let missing = || Refusal::invalid(&format!("The subnet ID '{}' does not exist", ids.join("', '")));
    let answer = answer.map_err(|_| missing())?;
    let items = answer.find("subnetSet").map(Element::children).unwrap_or_default();
    let zone = |id: &String| {
        let item = items.iter().find(|item| item.text("subnetId") == Some(id))?;
        Some((id.clone(), item.text("availabilityZone")?.to_owned()))
    };
    ids.iter().map(|id| zone(id).ok_or_else(missing)).collect()
}

fn cluster_in(user_data: &str) -> Option<String> {
    let (_, rest) = user_data.split_once("ECS_CLUSTER=")?;
    let name: String = rest.trim_start_matches(['"', '\'']).chars().take_while(|c| is_in_name(*c)).collect();
    (!name.is_empty()).then_some(name)
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_names_the_cluster() {
        let heredoc = "#!/bin/bash\ncat <<'EOF' >> /etc/ecs/ecs.config\nECS_CLUSTER=skyfox-devprod\nECS_X=1\nEOF\n";
        assert_eq!(cluster_in(heredoc).as_deref(), Some("skyfox-devprod"));
        assert_eq!(cluster_in("echo ECS_CLUSTER=\"a_b\" >> f").as_deref(), Some("a_b"));
        assert_eq!(cluster_in("[settings.ecs]"), None);
    }
}
