//! What the load balancers should be, by the platform file and the network; and what they hand on.

use std::collections::BTreeSet;

use super::hand::serving_on;
use super::{Attributes, Fixed, HealthCheck, Listener, LoadBalancer, Rule, Target, TargetGroup, Tls, World};
use super::{HTTP, HTTPS, POLICY, probe};
use crate::facts::{BalancerFacts, Facts, LoadBalancerFacts, NetworkFacts, need};
use crate::layer::network::alb_group;
use crate::plan::Refusal;
use crate::scope::Scope;
use crate::spec;

/// The network's facts.
pub(super) fn network(scope: &Scope) -> Result<&NetworkFacts, Refusal> {
    need(scope.facts.network.as_ref(), "network", "its ids")
}

/// The id of one of the network's security groups.
pub(super) fn security_group(scope: &Scope, key: &str) -> Result<String, Refusal> {
    let ids = &network(scope)?.security_group_ids;
    need(ids.get(key), "network", &format!("the id of security group {}", scope.name(key))).cloned()
}

pub(super) fn load_balancer(
    scope: &Scope,
    key: &str,
    balancer: &spec::LoadBalancer,
) -> Result<(String, LoadBalancer), Refusal> {
    let (name, network) = (scope.name(key), network(scope)?);
    let settings = LoadBalancer {
        scheme: balancer.scheme,
        subnets: network.subnet_ids.values().cloned().collect(),
        groups: BTreeSet::from([security_group(scope, &alb_group(key))?]),
        attributes: Attributes { http2: true, drop_invalid_headers: true },
        tags: scope.tags(&format!("load-balancer/{key}"), &name, None),
    };
    Ok((name, settings))
}

fn fixed(vpc: String) -> Fixed {
    Fixed { protocol: "HTTP".into(), target_type: "instance".into(), vpc }
}

/// The name of a service's target group; it changes with what AWS cannot change in one.
///
/// The service is part of what is hashed, for names that are alike in their first 25 characters; so is its load
/// balancer, since a target group belongs to one. The VPC is not: a plan must know the name before there is one.
#[must_use]
pub fn target_group_name(scope: &Scope, name: &str, service: &spec::Service) -> String {
    let Fixed { protocol, target_type, vpc: _ } = fixed(String::new());
    scope.versioned_name(name, &(name, &service.load_balancer, protocol, target_type), 32)
}

/// The tag that tells which service's target group this is.
pub(super) fn target_group_resource(service: &str) -> String {
    format!("target-group/{service}")
}

pub(super) fn target_group(scope: &Scope, name: &str, service: &spec::Service) -> Result<TargetGroup, Refusal> {
    let health = &service.health;
    Ok(TargetGroup {
        fixed: fixed(network(scope)?.vpc_id.clone()),
        health: HealthCheck {
            protocol: "HTTP".into(),
            port: "traffic-port".into(),
            path: health.path.clone(),
            matcher: health.matcher.clone(),
            interval_seconds: health.interval_seconds,
            timeout_seconds: health.timeout_seconds,
            healthy_threshold: health.healthy_threshold,
            unhealthy_threshold: health.unhealthy_threshold,
        },
        deregistration_delay_seconds: service.deregistration_delay_seconds,
        tags: scope.tags(&target_group_resource(name), &target_group_name(scope, name, service), Some(name)),
    })
}

/// The listeners that a load balancer has: the one that serves, with its port, and with a certificate the one that
/// sends there.
pub(super) struct Listeners {
    pub(super) port: u16,
    pub(super) serving: Listener,
    pub(super) sending: Option<Listener>,
}

pub(super) fn listeners(scope: &Scope, key: &str, balancer: &spec::LoadBalancer) -> Result<Listeners, Refusal> {
    let service = balancer.default_service.as_deref();
    let default = match service.and_then(|name| Some((name, scope.platform.services.get(name)?))) {
        Some((name, service)) => Target::Group(target_group_name(scope, name, service)),
        None => Target::NotFound,
    };
    let listener = |port: u16, default, tls| {
        let resource = if port == HTTP { format!("listener/{key}") } else { format!("listener/{key}/{port}") };
        Listener { default, tls, tags: scope.tags(&resource, &format!("{}-{port}", scope.name(key)), service) }
    };
    let Some(arn) = &balancer.certificate else {
        return Ok(Listeners { port: HTTP, serving: listener(HTTP, default, None), sending: None });
    };
    let tls = Tls { certificate: certificate(scope, key, arn)?, policy: POLICY.into() };
    let host = need(balancer.host.as_ref(), "platform file", &format!("the host of load balancer {key}"))?;
    let sending = Some(listener(HTTP, Target::Secure(host.clone()), None));
    Ok(Listeners { port: HTTPS, serving: listener(HTTPS, default, Some(tls)), sending })
}

/// A certificate that is in this account; its region was compared when the platform file was read.
fn certificate(scope: &Scope, key: &str, arn: &str) -> Result<String, Refusal> {
    let beginning = format!("arn:{}:acm:{}:{}:", scope.partition, scope.platform.region, scope.account);
    if arn.starts_with(&beginning) {
        return Ok(arn.into());
    }
    Err(Refusal::Impossible {
        what: format!("load balancer {} cannot use {arn}, which is not this account's", scope.name(key)),
        advice: format!("Give it a certificate whose ARN begins with {beginning}"),
    })
}

/// The tag that tells which service's rule this is.
pub(super) fn rule_resource(service: &str) -> String {
    format!("rule/{service}")
}

pub(super) fn rule(scope: &Scope, name: &str, service: &spec::Service, rule: &spec::Rule) -> Rule {
    Rule {
        priority: rule.priority,
        paths: BTreeSet::from([rule.path.clone()]),
        target: Target::Group(target_group_name(scope, name, service)),
        tags: scope.tags(&rule_resource(name), &scope.name(name), Some(name)),
    }
}

/// Whether there is a load balancer that can be asked from inside only.
#[must_use]
pub fn wants_probe(scope: &Scope) -> bool {
    scope.platform.load_balancers.values().any(|balancer| balancer.scheme == spec::Scheme::Internal)
}

/// Where a load balancer is asked, without a slash at the end: by the name that its certificate is for, or its own.
#[must_use]
pub fn url(balancer: &spec::LoadBalancer, dns_name: &str) -> String {
    let scheme = if balancer.certificate.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", balancer.host.as_deref().unwrap_or(dns_name))
}

/// ARNs and addresses of what was observed.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let balancer = |(key, balancer): (&String, &spec::LoadBalancer)| {
        let found = world.load_balancers.get(&scope.name(key)).filter(|found| scope.owns(&found.settings.tags))?;
        let (arn, dns_name) = (found.arn.clone(), found.dns_name.clone());
        Some((key.clone(), LoadBalancerFacts { arn, url: url(balancer, &dns_name), dns_name }))
    };
    let group = |(name, service): (&String, &spec::Service)| {
        let found = world.target_groups.get(&target_group_name(scope, name, service))?;
        scope.owns(&found.settings.tags).then(|| (name.clone(), found.id.clone()))
    };
    let probe = world.probe.as_ref().filter(|found| scope.owns(&found.settings.tags));
    let facts = BalancerFacts {
        load_balancers: scope.platform.load_balancers.iter().filter_map(balancer).collect(),
        target_group_arns: scope.platform.services.iter().filter_map(group).collect(),
        serving_on: serving_on(world),
        probe_function: probe.map(|_| probe::probe_name(scope)),
    };
    Facts { balancer: (facts != BalancerFacts::default()).then_some(facts), ..Facts::default() }
}
