//! Listeners and rules of others on the platform's load balancers, which go with them; and whose the account's others are.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::Client;
use futures::future::try_join_all;
use skydeck_core::foreign::Foreign;
use skydeck_core::scope::{Scope, Tags};

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::tag::from_elb;

/// How many resources one call tells the tags of
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
const AT_ONCE: usize = 20;

/// The load balancers of the account and region, by ARN.
pub(super) struct Balancers(BTreeMap<String, Balancer>);

struct Balancer {
    name: String,
    vpc: String,
    tags: Tags,
    ours: bool,
}

impl Balancers {
    /// ARN, VPC and tags of those that are not the platform's.
    pub(super) fn of_others(&self) -> impl Iterator<Item = (&str, &str, &Tags)> {
        let others = self.0.iter().filter(|(_, balancer)| !balancer.ours);
        others.map(|(arn, balancer)| (arn.as_str(), balancer.vpc.as_str(), &balancer.tags))
    }

    /// Whether one of them is called so at the end of its ARN, as in `app/name/0123`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.keys().any(|arn| arn.ends_with(&format!(":loadbalancer/{name}")))
    }
}

pub(super) async fn all(clients: &Clients, scope: &Scope) -> Result<Balancers> {
    let elb = clients.elb();
    let request = elb.describe_load_balancers().into_paginator().items().send();
    let found = request.collect::<Result<Vec<_>, _>>().await.during("list", "load balancers")?;
    let arns = found.iter().filter_map(|balancer| balancer.load_balancer_arn());
    let tags = tags(elb, arns.map(Into::into).collect()).await?;
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let balancers = found.iter().map(|balancer| {
        let (arn, name) = (text(balancer.load_balancer_arn()), text(balancer.load_balancer_name()));
        let tags = tags.get(&arn).cloned().unwrap_or_default();
        let ours = scope.owns(&tags);
        (arn, Balancer { name, vpc: text(balancer.vpc_id()), ours, tags })
    });
    Ok(Balancers(balancers.collect()))
}

/// Listeners and rules of others on those of the platform's load balancers whose name is `asked` for.
pub(super) async fn tied(
    clients: &Clients,
    scope: &Scope,
    balancers: &Balancers,
    asked: impl Fn(&str) -> bool,
) -> Result<Vec<Foreign>> {
    let ours = balancers.0.iter().filter(|(_, balancer)| balancer.ours && asked(&balancer.name));
    let found = ours.map(|(arn, balancer)| on(clients.elb(), scope, arn, &balancer.name));
    Ok(try_join_all(found).await?.concat())
}

/// What is on one load balancer.
async fn on(elb: &Client, scope: &Scope, arn: &str, name: &str) -> Result<Vec<Foreign>> {
    let request = elb.describe_listeners().load_balancer_arn(arn).into_paginator().items().send();
    let listeners = request.collect::<Result<Vec<_>, _>>().await.during("list listeners of load balancer", name)?;
    let arns: Vec<String> = listeners.iter().filter_map(|one| one.listener_arn()).map(Into::into).collect();
    let tags_of = tags(elb, arns.clone()).await?;
    let mut found = Vec::new();
    for (listener, arn) in listeners.iter().zip(arns) {
        let tags = tags_of.get(&arn).cloned().unwrap_or_default();
        let port = listener.port().unwrap_or_default();
        if scope.owns(&tags) {
            found.extend(rules(elb, scope, &arn, name, port).await?);
        } else {
            let tie = format!("listens on port {port} of load balancer {name}");
            found.push(Foreign::new("listener", arn, tie).tagged(tags));
        }
    }
    Ok(found)
}

async fn rules(elb: &Client, scope: &Scope, listener: &str, name: &str, port: i32) -> Result<Vec<Foreign>> {
    let request = elb.describe_rules().listener_arn(listener).into_paginator().items().send();
    let rules = request.collect::<Result<Vec<_>, _>>().await.during("list rules of load balancer", name)?;
    let rules: Vec<_> = rules.iter().filter(|rule| rule.priority() != Some("default")).collect();
    let arns = rules.iter().filter_map(|rule| rule.rule_arn());
    let tags = tags(elb, arns.map(Into::into).collect()).await?;
    let foreign = rules.iter().filter_map(|rule| {
        let (arn, priority) = (rule.rule_arn()?, rule.priority().unwrap_or_default());
        let tags = tags.get(arn).cloned().unwrap_or_default();
        let tie = format!("has priority {priority} on port {port} of load balancer {name}");
        (!scope.owns(&tags)).then(|| Foreign::new("listener rule", arn, tie).tagged(tags))
    });
    Ok(foreign.collect())
}

async fn tags(elb: &Client, arns: Vec<String>) -> Result<BTreeMap<String, Tags>> {
    let chunks = arns.chunks(AT_ONCE).map(|arns| async move {
        let answer = elb.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
        answer.during("list tags of", "load balancers")
    });
    let answers = try_join_all(chunks).await?;
    let found = answers.iter().flat_map(|answer| answer.tag_descriptions());
    Ok(found.filter_map(|one| Some((one.resource_arn()?.to_owned(), from_elb(one.tags())))).collect())
}
