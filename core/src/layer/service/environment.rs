//! Texts with references, filled in from the facts of earlier layers.

use std::collections::BTreeMap;

use crate::facts::{LoadBalancerFacts, need};
use crate::plan::Refusal;
use crate::scope::Scope;
use crate::spec::{Part, Service, Template};

/// The environment of a service, references filled in.
///
/// # Errors
/// Where a load balancer that it refers to has not been made.
pub fn environment(scope: &Scope, service: &Service) -> Result<BTreeMap<String, String>, Refusal> {
    service.environment.iter().map(|(name, template)| Ok((name.clone(), resolve(scope, template)?))).collect()
}

/// A text with its references filled in.
///
/// # Errors
/// Where a load balancer that it refers to has not been made.
pub fn resolve(scope: &Scope, template: &Template) -> Result<String, Refusal> {
    template.0.iter().map(|part| part_text(scope, part)).collect()
}

fn part_text(scope: &Scope, part: &Part) -> Result<String, Refusal> {
    Ok(match part {
        Part::Text(text) => text.clone(),
        Part::BucketName(key) => scope.bucket_name(key),
        Part::BucketArn(key) => format!("arn:{}:s3:::{}", scope.partition, scope.bucket_name(key)),
        Part::LoadBalancerUrl(key) => load_balancer(scope, key)?.url.clone(),
        Part::ServiceUrl(name) => {
            let service = need(scope.platform.services.get(name), "platform file", &format!("service {name}"))?;
            let url = &load_balancer(scope, &service.load_balancer)?.url;
            // `/movie-service*` also matches `/movie-service`: without the star it is the prefix to put a path after.
            let path = service.rule.as_ref().map_or("", |rule| rule.path.trim_end_matches('*').trim_end_matches('/'));
            format!("{url}{path}")
        }
    })
}

fn load_balancer<'a>(scope: &'a Scope, key: &str) -> Result<&'a LoadBalancerFacts, Refusal> {
    let known = scope.facts.balancer.as_ref().and_then(|facts| facts.load_balancers.get(key));
    need(known, "balancer", &format!("the URL of load balancer {key}"))
}
