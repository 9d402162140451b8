//! Reads load balancers and what hangs on them: one call per kind, then per load balancer of ours what AWS gives one
//! by one only.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types as elb;
use futures::future::try_join_all;
use futures::try_join;
use skydeck_core::layer::balancer::{
    Balancer, HTTP, HTTPS, Listening, TargetGroup, Targets, World, log_group_name, moving,
};
use skydeck_core::plan::Found;
use skydeck_core::scope::{Scope, Tags};

use super::{probe, read};
use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::tag::from_elb;
use crate::{logs, number};

/// How many resources one call tells the tags of
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
const TAGS_AT_ONCE: usize = 20;

/// Tags of resources, by ARN.
type TagsOf = BTreeMap<String, Tags>;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let group = log_group_name(scope);
    let (balancers, (probe, probe_busy), probe_code, probe_logs) = try_join!(
        balancers_and_groups(clients.elb(), scope),
        probe::find(clients.lambda(), scope),
        probe::published(clients.s3(), scope),
        logs::find(clients.logs(), &group),
    )?;
    let (load_balancers, target_groups) = balancers;
    let targets = BTreeMap::new();
    let mut world = World { load_balancers, target_groups, targets, probe, probe_busy, probe_code, probe_logs };
    // Whoever cannot say what moves cannot plan either, and tells why there.
    let moving = moving(scope, &world).unwrap_or_default();
    let moving = moving.iter().filter_map(|name| Some((name, world.target_groups.get(name)?)));
    world.targets = try_join_all(moving.map(|(name, group)| targets_of(clients.elb(), name, &group.id)))
        .await?
        .into_iter()
        .collect();
    Ok(world)
}

async fn targets_of(elb: &Client, name: &str, arn: &str) -> Result<(String, Targets)> {
    let answer = elb.describe_target_health().target_group_arn(arn).send().await;
    let answer = answer.during("describe target health of target group", name)?;
    let found = answer.target_health_descriptions();
    let healthy = |found: &&elb::TargetHealthDescription| {
        found.target_health().and_then(|health| health.state()) == Some(&elb::TargetHealthStateEnum::Healthy)
    };
    Ok((name.to_owned(), Targets { all: found.len(), healthy: found.iter().filter(healthy).count() }))
}

async fn balancers_and_groups(
    elb: &Client,
    scope: &Scope,
) -> Result<(BTreeMap<String, Balancer>, BTreeMap<String, Found<TargetGroup>>)> {
    let (mut balancers, all_groups) = try_join!(list_balancers(elb), list_groups(elb))?;
    // All that skydeck makes begins so, names that were cut included; only of these the tags are asked for.
    let prefix: String = format!("{}-", scope.prefix()).chars().take(25).collect();
    let names: BTreeMap<String, String> = all_groups.iter().map(|group| (arn(group), name(group))).collect();
    let mut groups = all_groups;
    balancers.retain(|balancer| balancer.load_balancer_name().is_some_and(|name| name.starts_with(&prefix)));
    groups.retain(|group| name(group).starts_with(&prefix));
    let balancer_arn = |balancer: &elb::LoadBalancer| balancer.load_balancer_arn().unwrap_or_default().to_owned();
    let tags = tags(elb, balancers.iter().map(balancer_arn).chain(groups.iter().map(arn)).collect()).await?;
    let (balancers, groups) = try_join!(
        try_join_all(balancers.iter().map(|balancer| read_balancer(elb, balancer, &tags, &names))),
        try_join_all(groups.iter().map(|group| read_group(elb, group, &tags))),
    )?;
    Ok((balancers.into_iter().collect(), groups.into_iter().collect()))
}

fn arn(group: &elb::TargetGroup) -> String {
    group.target_group_arn().unwrap_or_default().to_owned()
}

fn name(group: &elb::TargetGroup) -> String {
    group.target_group_name().unwrap_or_default().to_owned()
}

async fn list_balancers(elb: &Client) -> Result<Vec<elb::LoadBalancer>> {
    elb.describe_load_balancers()
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list", "load balancers")
}

async fn list_groups(elb: &Client) -> Result<Vec<elb::TargetGroup>> {
    elb.describe_target_groups()
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list", "target groups")
}

async fn tags(elb: &Client, arns: Vec<String>) -> Result<TagsOf> {
    let chunks = arns.chunks(TAGS_AT_ONCE).map(|arns| async move {
        let answer = elb.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
        answer.during("list tags of", "load balancers")
    });
    let answers = try_join_all(chunks).await?;
    let pair = |found: &elb::TagDescription| Some((found.resource_arn()?.to_owned(), from_elb(found.tags())));
    Ok(answers.iter().flat_map(|answer| answer.tag_descriptions()).filter_map(pair).collect())
}

async fn read_group(elb: &Client, group: &elb::TargetGroup, tags: &TagsOf) -> Result<(String, Found<TargetGroup>)> {
    let (id, name) = (arn(group), name(group));
    let answer = elb.describe_target_group_attributes().target_group_arn(&id).send().await;
    let answer = answer.during("describe attributes of target group", &name)?;
    let delay = answer.attributes().iter().find(|attribute| attribute.key() == Some(read::DELAY));
    let delay = delay.and_then(|attribute| attribute.value()?.parse().ok()).unwrap_or_default();
    let settings = read::target_group(group, delay, tags.get(&id).cloned().unwrap_or_default());
    Ok((name, Found { id, settings }))
}

async fn read_balancer(
    elb: &Client,
    balancer: &elb::LoadBalancer,
    tags_of: &TagsOf,
    groups: &BTreeMap<String, String>,
) -> Result<(String, Balancer)> {
    let name = balancer.load_balancer_name().unwrap_or_default().to_owned();
    let arn = balancer.load_balancer_arn().unwrap_or_default().to_owned();
    let (attributes, listeners) = try_join!(attributes(elb, &arn, &name), listeners(elb, &arn, &name, groups))?;
    let found = Balancer {
        dns_name: balancer.dns_name().unwrap_or_default().to_owned(),
        settings: read::load_balancer(balancer, &attributes, tags_of.get(&arn).cloned().unwrap_or_default()),
        listeners,
        arn,
    };
    Ok((name, found))
}

async fn attributes(elb: &Client, arn: &str, name: &str) -> Result<Vec<elb::LoadBalancerAttribute>> {
    let answer = elb.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
    Ok(answer.during("describe attributes of load balancer", name)?.attributes().to_vec())
}

/// The listeners on the ports that are skydeck's.
async fn listeners(
    elb: &Client,
    arn: &str,
    name: &str,
    groups: &BTreeMap<String, String>,
) -> Result<BTreeMap<u16, Listening>> {
    let mut listeners: Vec<elb::Listener> = elb
        .describe_listeners()
        .load_balancer_arn(arn)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list listeners of load balancer", name)?;
    listeners.retain(|listener| [HTTP, HTTPS].contains(&number::port(listener.port())));
    try_join_all(listeners.iter().map(|listener| listening(elb, listener, name, groups)))
        .await
        .map(|listeners| listeners.into_iter().collect())
}

/// A listener with its rules, by its port.
async fn listening(
    elb: &Client,
    listener: &elb::Listener,
    name: &str,
    groups: &BTreeMap<String, String>,
) -> Result<(u16, Listening)> {
    let arn = listener.listener_arn().unwrap_or_default().to_owned();
    let rules = rules(elb, &arn, name).await?;
    let arns = rules.iter().filter_map(|rule| rule.rule_arn().map(Into::into)).chain([arn.clone()]).collect();
    let tags = tags(elb, arns).await?;
    let tagged = |arn: &str| tags.get(arn).cloned().unwrap_or_default();
    let rules = rules.iter().map(|rule| {
        let id = rule.rule_arn().unwrap_or_default().to_owned();
        let settings = read::rule(rule, groups, tagged(&id));
        Found { id, settings }
    });
    let rules = rules.collect();
    Ok((
        number::port(listener.port()),
        Listening { settings: read::listener(listener, groups, tagged(&arn)), rules, arn },
    ))
}

/// The rules of a listener, without the default one, which is the listener's own.
async fn rules(elb: &Client, listener: &str, name: &str) -> Result<Vec<elb::Rule>> {
    let rules: Vec<elb::Rule> = elb
        .describe_rules()
        .listener_arn(listener)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list rules of load balancer", name)?;
    Ok(rules.into_iter().filter(|rule| rule.priority() != Some("default")).collect())
}
