//! The Auto Scaling group.

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, Tag};
use skydeck_core::layer::cluster::{Group, GroupSettings, Instance};
use skydeck_core::plan::Refusal;
use skydeck_core::scope::{Scope, Tags};

use super::refresh;
use crate::error::{Error, Explain, Result, tolerate};
use crate::number;

/// The group of this name, if there is one.
pub(super) async fn find(client: &Client, name: &str) -> Result<Option<Group>> {
    let request = client.describe_auto_scaling_groups().auto_scaling_group_names(name);
    let answer = request.send().await.during("find Auto Scaling group", name)?;
    let Some(mut group) = answer.auto_scaling_groups().first().map(read) else { return Ok(None) };
    if group.instances.iter().any(|instance| instance.template != group.template) {
        group.refresh = refresh::last(client, name).await?;
    }
    Ok(Some(group))
}

fn read_instance(found: &aws_sdk_autoscaling::types::Instance) -> Instance {
    let template = found.launch_template();
    let state = found.lifecycle_state().map(|state| state.as_str()).unwrap_or_default();
    Instance {
        template: used(template),
        instance_type: found.instance_type().unwrap_or_default().to_owned(),
        ending: state.starts_with("Terminat") || state.starts_with("Detach"),
    }
}

fn used(template: Option<&LaunchTemplateSpecification>) -> (String, String) {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    (
        text(template.and_then(LaunchTemplateSpecification::launch_template_id)),
        text(template.and_then(LaunchTemplateSpecification::version)),
    )
}

fn read(found: &AutoScalingGroup) -> Group {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let subnets = found.vpc_zone_identifier().unwrap_or_default().split(',');
    let tag = |tag: &aws_sdk_autoscaling::types::TagDescription| Some((tag.key()?.to_owned(), text(tag.value())));
    let propagated = found.tags().iter().filter(|tag| tag.propagate_at_launch() == Some(true));
    Group {
        arn: text(found.auto_scaling_group_arn()),
        desired: number::from_aws(found.desired_capacity()),
        instances: found.instances().iter().map(read_instance).collect(),
        refresh: None,
        // AWS tells a status only of a group that is being deleted.
        going: found.status().is_some(),
        template: used(found.launch_template()),
        settings: GroupSettings {
            min: number::from_aws(found.min_size()),
            max: number::from_aws(found.max_size()),
            subnets: subnets.map(str::trim).filter(|subnet| !subnet.is_empty()).map(Into::into).collect(),
            health: text(found.health_check_type()),
            grace_seconds: number::from_aws(found.health_check_grace_period()),
            termination: found.termination_policies().to_vec(),
        },
        tags: found.tags().iter().filter_map(tag).collect(),
        propagated: propagated.filter_map(|tag| tag.key().map(Into::into)).collect(),
    }
}

fn to_tags(group: &str, tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| {
        Tag::builder()
            .resource_id(group)
            .resource_type("auto-scaling-group")
            .key(key)
            .value(value)
            .propagate_at_launch(true)
            .build()
    };
    // The builder fails only without a key, and there is one.
    tags.iter().map(tag).collect()
}

fn subnets(settings: &GroupSettings) -> String {
    settings.subnets.iter().cloned().collect::<Vec<_>>().join(",")
}

fn template(id: &str, version: &str) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder().launch_template_id(id).version(version).build()
}

/// Makes the group and returns its ARN, which AWS tells only of a group that is there.
pub(super) async fn create(
    client: &Client,
    scope: &Scope,
    name: &str,
    (id, version): (&str, &str),
    desired: u32,
    settings: &GroupSettings,
    tags: &Tags,
) -> Result<String> {
    let request = client
        .create_auto_scaling_group()
        .auto_scaling_group_name(name)
        .launch_template(template(id, version))
        .min_size(number::to_aws(settings.min))
        .max_size(number::to_aws(settings.max))
        .desired_capacity(number::to_aws(desired))
        .vpc_zone_identifier(subnets(settings))
        .health_check_type(&settings.health)
        .health_check_grace_period(number::to_aws(settings.grace_seconds))
        .set_termination_policies(Some(settings.termination.clone()))
        .set_tags(Some(to_tags(name, tags)));
    let result = request.send().await.during("create Auto Scaling group", name);
    // A retry after a lost answer finds the group there.
    tolerate(result, &["AlreadyExists", "AlreadyExistsFault"])?;
    let found = find(client, name).await?.ok_or_else(|| Error::NotYet(format!("Auto Scaling group {name} to show")))?;
    if !scope.owns(&found.tags) {
        let advice = "Give the platform another name or environment".into();
        return Err(Refusal::Taken { kind: "Auto Scaling group".into(), name: name.into(), advice }.into());
    }
    Ok(found.arn)
}

pub(super) async fn update(client: &Client, name: &str, settings: &GroupSettings) -> Result<()> {
    let request = client
        .update_auto_scaling_group()
        .auto_scaling_group_name(name)
        .min_size(number::to_aws(settings.min))
        .max_size(number::to_aws(settings.max))
        .vpc_zone_identifier(subnets(settings))
        .health_check_type(&settings.health)
        .health_check_grace_period(number::to_aws(settings.grace_seconds))
        .set_termination_policies(Some(settings.termination.clone()));
    request.send().await.during("update Auto Scaling group", name).map(drop)
}

pub(super) async fn set_template(client: &Client, name: &str, id: &str, version: &str) -> Result<()> {
    let request =
        client.update_auto_scaling_group().auto_scaling_group_name(name).launch_template(template(id, version));
    let result = request.send().await.during("set the launch template of Auto Scaling group", name);
    result.map(drop)
}

pub(super) async fn tag(client: &Client, name: &str, new: &Tags) -> Result<()> {
    let request = client.create_or_update_tags().set_tags(Some(to_tags(name, new)));
    request.send().await.during("tag Auto Scaling group", name).map(drop)
}

pub(super) async fn empty(client: &Client, name: &str) -> Result<()> {
    let request = client.update_auto_scaling_group().auto_scaling_group_name(name);
    let request = request.min_size(0).max_size(0).desired_capacity(0);
    request.send().await.during("empty Auto Scaling group", name).map(drop)
}

pub(super) async fn delete(client: &Client, name: &str) -> Result<()> {
    let result = client.delete_auto_scaling_group().auto_scaling_group_name(name).send().await;
    let result = result.during("delete Auto Scaling group", name);
    match result {
        // Gone already: a retry after a lost answer, or a person who was faster.
        Err(error) if error.says("ValidationError", "not found") => Ok(()),
        result => result.map(drop),
    }
}
