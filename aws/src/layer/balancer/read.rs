//! Load balancing's own types, in the planner's terms.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types as elb;
use skydeck_core::layer::balancer::{
    Attributes, Fixed, HTTPS, HealthCheck, Listener, LoadBalancer, Rule, Target, TargetGroup, Tls,
};
use skydeck_core::scope::Tags;
use skydeck_core::spec::Scheme;

use crate::number;

/// Attribute of a load balancer: HTTP/2.
pub(super) const HTTP2: &str = "routing.http2.enabled";
/// Attribute of a load balancer: header fields with invalid names are dropped.
pub(super) const DROP_INVALID: &str = "routing.http.drop_invalid_header_fields.enabled";
/// Attribute of a target group: seconds for the last requests of a target that goes.
pub(super) const DELAY: &str = "deregistration_delay.timeout_seconds";
/// What a listener answers that forwards to no service: status, type and text.
pub(super) const NOT_FOUND: (&str, &str, &str) = ("404", "text/plain", "Not Found");
/// What a listener keeps of a request that it sends elsewhere: path and query.
pub(super) const KEPT: (&str, &str) = ("/#{path}", "#{query}");
/// The condition that skydeck's rules have.
pub(super) const PATH_PATTERN: &str = "path-pattern";

pub(super) fn load_balancer(
    found: &elb::LoadBalancer,
    attributes: &[elb::LoadBalancerAttribute],
    tags: Tags,
) -> LoadBalancer {
    let on = |key: &str| attributes.iter().any(|found| found.key() == Some(key) && found.value() == Some("true"));
    let subnets = found.availability_zones().iter().filter_map(|zone| zone.subnet_id());
    LoadBalancer {
        scheme: match found.scheme() {
            Some(elb::LoadBalancerSchemeEnum::Internal) => Scheme::Internal,
            _ => Scheme::InternetFacing,
        },
        subnets: subnets.map(Into::into).collect(),
        groups: found.security_groups().iter().cloned().collect(),
        attributes: Attributes { http2: on(HTTP2), drop_invalid_headers: on(DROP_INVALID) },
        tags,
    }
}

pub(super) fn target_group(found: &elb::TargetGroup, delay: u32, tags: Tags) -> TargetGroup {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    TargetGroup {
        fixed: Fixed {
            protocol: text(found.protocol().map(|protocol| protocol.as_str())),
            target_type: text(found.target_type().map(|kind| kind.as_str())),
            vpc: text(found.vpc_id()),
        },
        health: HealthCheck {
            protocol: text(found.health_check_protocol().map(|protocol| protocol.as_str())),
            port: text(found.health_check_port()),
            path: text(found.health_check_path()),
            matcher: text(found.matcher().and_then(|matcher| matcher.http_code())),
            interval_seconds: number::from_aws(found.health_check_interval_seconds()),
            timeout_seconds: number::from_aws(found.health_check_timeout_seconds()),
            healthy_threshold: number::from_aws(found.healthy_threshold_count()),
            unhealthy_threshold: number::from_aws(found.unhealthy_threshold_count()),
        },
        deregistration_delay_seconds: delay,
        tags,
    }
}

pub(super) fn listener(found: &elb::Listener, groups: &BTreeMap<String, String>, tags: Tags) -> Listener {
    let secure = found.protocol() == Some(&elb::ProtocolEnum::Https);
    let tls = secure.then(|| Tls {
        certificate: found.certificates().iter().find_map(|found| found.certificate_arn()).unwrap_or_default().into(),
        policy: found.ssl_policy().unwrap_or_default().into(),
    });
    Listener { default: target(found.default_actions(), groups), tls, tags }
}

/// The host that a redirect sends to, where all else of it is as skydeck's are.
fn secure(redirect: &elb::RedirectActionConfig) -> Option<&str> {
    let (path, query) = KEPT;
    let same = redirect.protocol() == Some("HTTPS")
        && redirect.port() == Some(HTTPS.to_string().as_str())
        && redirect.path() == Some(path)
        && redirect.query() == Some(query)
        && redirect.status_code() == Some(&elb::RedirectActionStatusCodeEnum::Http301);
    redirect.host().filter(|_| same)
}

pub(super) fn rule(found: &elb::Rule, groups: &BTreeMap<String, String>, tags: Tags) -> Rule {
    Rule {
        priority: found.priority().and_then(|priority| priority.parse().ok()).unwrap_or_default(),
        paths: found.conditions().iter().flat_map(paths).collect(),
        target: target(found.actions(), groups),
        tags,
    }
}

/// The paths of a condition; another condition is told in words, so that it differs from all that skydeck wants.
fn paths(condition: &elb::RuleCondition) -> BTreeSet<String> {
    let field = condition.field().unwrap_or_default();
    if field != PATH_PATTERN {
        return BTreeSet::from([format!("a condition on {field}")]);
    }
    let newer = condition.path_pattern_config().map(|config| config.values()).unwrap_or_default();
    newer.iter().chain(condition.values()).cloned().collect()
}

/// Where actions lead; `groups` gives the name of a target group by its ARN.
fn target(actions: &[elb::Action], groups: &BTreeMap<String, String>) -> Target {
    let [action] = actions else { return Target::Other(format!("{} actions", actions.len())) };
    let other = || Target::Other(action.r#type().map_or("nothing", |kind| kind.as_str()).to_owned());
    match action.r#type() {
        Some(elb::ActionTypeEnum::Forward) => {
            let many = action.forward_config().map(|config| config.target_groups()).unwrap_or_default();
            let name = |arn: Option<&str>| groups.get(arn?).cloned();
            let found = match many {
                [] => name(action.target_group_arn()).map(Target::Group),
                [one] => name(one.target_group_arn()).map(Target::Group),
                [old, new] if (old.weight() > Some(0), new.weight()) == (true, Some(0)) => name(old.target_group_arn())
                    .zip(name(new.target_group_arn()))
                    .map(|(old, new)| Target::Until(old, new)),
                [_, ..] => None,
            };
            found.unwrap_or_else(other)
        }
        Some(elb::ActionTypeEnum::FixedResponse) => {
            let (status, kind, text) = NOT_FOUND;
            let same = action.fixed_response_config().is_some_and(|answer| {
                answer.status_code() == Some(status)
                    && answer.content_type() == Some(kind)
                    && answer.message_body() == Some(text)
            });
            if same { Target::NotFound } else { other() }
        }
        Some(elb::ActionTypeEnum::Redirect) => {
            let host = action.redirect_config().and_then(secure);
            host.map_or_else(other, |host| Target::Secure(host.into()))
        }
        _ => other(),
    }
}
