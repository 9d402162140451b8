//! Carries out the balancers' changes, one call each.

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types as elb;
use skydeck_core::layer::balancer::{
    Attributes, Change, HTTPS, HealthCheck, Listener, LoadBalancer, Priority, Rule, Target, TargetGroup, Tls,
};
use skydeck_core::plan::Ref;
use skydeck_core::scope::{Scope, Tags};
use skydeck_core::spec::Scheme;

use super::{probe, read};
use crate::client::Clients;
use crate::error::{Error, Explain, Result, tolerate};
use crate::execute::Made;
use crate::tag::to_elb;
use crate::{logs, number};

/// Port of a target that is registered without one. AWS asks for it, and ECS registers every task with its own host port.
const UNUSED_PORT: i32 = 80;

pub(super) async fn apply(clients: &Clients, scope: &Scope, change: &Change, made: &Made) -> Result<Option<String>> {
    let (elb, lambda) = (clients.elb(), clients.lambda());
    match change {
        Change::CreateLoadBalancer { name, settings } => return create_balancer(elb, name, settings).await.map(Some),
        Change::CreateTargetGroup { name, settings, .. } => return create_group(elb, name, settings).await.map(Some),
        Change::CreateListener { balancer, port, name, group, settings } => {
            let action = action(&settings.default, group.as_ref(), None, made)?;
            return create_listener(elb, made.id(balancer)?, (*port, name), action, settings).await.map(Some);
        }
        Change::SetAttributes { balancer, name, new, .. } => {
            set_attributes(elb, made.id(balancer)?, name, *new).await?
        }
        Change::SetSubnets { arn, name, new, .. } => {
            let request = elb.set_subnets().load_balancer_arn(arn).set_subnets(Some(new.iter().cloned().collect()));
            request.send().await.during("set subnets of load balancer", name)?;
        }
        Change::SetGroups { arn, name, new, .. } => {
            let groups = new.iter().cloned().collect();
            let request = elb.set_security_groups().load_balancer_arn(arn).set_security_groups(Some(groups));
            request.send().await.during("set security groups of load balancer", name)?;
        }
        Change::SetHealthCheck { arn, name, new, .. } => set_health(elb, arn, name, new).await?,
        Change::SetDelay { group, name, new, .. } => set_delay(elb, made.id(group)?, name, *new).await?,
        Change::SetListener { arn, name, group, until, new, .. } => {
            let action = action(&new.default, group.as_ref(), until.as_deref(), made)?;
            set_listener(elb, arn, name, action, new.tls.as_ref()).await?;
        }
        Change::CreateRule { listener, name, group, settings } => {
            create_rule(elb, made.id(listener)?, name, forward(group, None, made)?, settings).await?;
        }
        Change::SetPriorities { name, rules } => set_priorities(elb, name, rules).await?,
        Change::SetRule { arn, name, group, until, new, .. } => {
            let request = elb.modify_rule().rule_arn(arn).conditions(condition(new));
            let request = request.actions(forward(group, until.as_deref(), made)?);
            request.send().await.during("modify listener rule", name)?;
        }
        Change::SetTags { arn, kind, name, new, .. } => set_tags(elb, arn, kind, name, new).await?,
        Change::Log(change) => logs::apply(clients.logs(), change).await?,
        Change::CreateProbe { name, settings } => probe::create(lambda, scope, name, settings).await?,
        Change::SetProbeConfiguration { name, new, .. } => probe::configure(lambda, name, new).await?,
        Change::SetProbeCode { name, new, .. } => probe::publish(lambda, scope, name, new).await?,
        Change::TagProbe { arn, name, new, .. } => probe::tag(lambda, arn, name, new).await?,
        Change::DeleteProbe { name } => probe::delete(lambda, name).await?,
        Change::DeleteRule { .. }
        | Change::DeleteListener { .. }
        | Change::DeleteLoadBalancer { .. }
        | Change::DeleteTargetGroup { .. } => undo(elb, change).await?,
    }
    Ok(None)
}

/// The ARN in a creation's answer, which AWS always gives.
fn made_arn(arn: Option<&str>, what: &str, name: &str) -> Result<String> {
    arn.map(Into::into).ok_or_else(|| Error::Broken(format!("AWS made {what} {name} and gave no ARN for it")))
}

/// Forwards to a target group; to another one as long as there is an `until`, and knows the first.
fn forward(group: &Ref, until: Option<&str>, made: &Made) -> Result<elb::Action> {
    let (action, group) = (elb::Action::builder().r#type(elb::ActionTypeEnum::Forward), made.id(group)?);
    let Some(until) = until else { return Ok(action.target_group_arn(group).build()) };
    let weighs = |arn: &str, weight| elb::TargetGroupTuple::builder().target_group_arn(arn).weight(weight).build();
    let both = elb::ForwardActionConfig::builder().target_groups(weighs(until, 1)).target_groups(weighs(group, 0));
    Ok(action.forward_config(both.build()).build())
}

/// What a listener does with what no rule matches; `group` is the target group, if it forwards to one.
fn action(target: &Target, group: Option<&Ref>, until: Option<&str>, made: &Made) -> Result<elb::Action> {
    let action = elb::Action::builder();
    match (target, group) {
        (Target::Group(_) | Target::Until(..), Some(group)) => forward(group, until, made),
        (Target::NotFound, None) => {
            let (status, kind, text) = read::NOT_FOUND;
            let answer = elb::FixedResponseActionConfig::builder().status_code(status).content_type(kind);
            let answer = answer.message_body(text).build();
            Ok(action.r#type(elb::ActionTypeEnum::FixedResponse).fixed_response_config(answer).build())
        }
        (Target::Secure(host), None) => {
            let (path, query) = read::KEPT;
            let redirect = elb::RedirectActionConfig::builder().protocol("HTTPS").port(HTTPS.to_string()).host(host);
            let redirect = redirect.path(path).query(query).status_code(elb::RedirectActionStatusCodeEnum::Http301);
            Ok(action.r#type(elb::ActionTypeEnum::Redirect).redirect_config(redirect.build()).build())
        }
        _ => Err(Error::Broken(format!("a listener was planned to do {target:?}"))),
    }
}

fn condition(rule: &Rule) -> elb::RuleCondition {
    let paths = elb::PathPatternConditionConfig::builder().set_values(Some(rule.paths.iter().cloned().collect()));
    elb::RuleCondition::builder().field(read::PATH_PATTERN).path_pattern_config(paths.build()).build()
}

async fn create_balancer(elb: &Client, name: &str, settings: &LoadBalancer) -> Result<String> {
    let answer = elb
        .create_load_balancer()
        .name(name)
        .r#type(elb::LoadBalancerTypeEnum::Application)
        .scheme(match settings.scheme {
            Scheme::Internal => elb::LoadBalancerSchemeEnum::Internal,
            Scheme::InternetFacing => elb::LoadBalancerSchemeEnum::InternetFacing,
        })
        .set_subnets(Some(settings.subnets.iter().cloned().collect()))
        .set_security_groups(Some(settings.groups.iter().cloned().collect()))
        .set_tags(Some(to_elb(&settings.tags)))
        .send()
        .await
        .during("create load balancer", name)?;
    made_arn(answer.load_balancers().first().and_then(|found| found.load_balancer_arn()), "load balancer", name)
}

async fn set_attributes(elb: &Client, arn: &str, name: &str, new: Attributes) -> Result<()> {
    let attribute = |key: &str, on: bool| elb::LoadBalancerAttribute::builder().key(key).value(on.to_string()).build();
    let request = elb
        .modify_load_balancer_attributes()
        .load_balancer_arn(arn)
        .attributes(attribute(read::HTTP2, new.http2))
        .attributes(attribute(read::DROP_INVALID, new.drop_invalid_headers));
    request.send().await.during("set attributes of load balancer", name).map(drop)
}

fn matcher(health: &HealthCheck) -> elb::Matcher {
    elb::Matcher::builder().http_code(&health.matcher).build()
}

async fn create_group(elb: &Client, name: &str, settings: &TargetGroup) -> Result<String> {
    let (fixed, health) = (&settings.fixed, &settings.health);
    let answer = elb
        .create_target_group()
        .name(name)
        .target_type(fixed.target_type.as_str().into())
        .protocol(fixed.protocol.as_str().into())
        .port(UNUSED_PORT)
        .vpc_id(&fixed.vpc)
        .health_check_enabled(true)
        .health_check_protocol(health.protocol.as_str().into())
        .health_check_port(&health.port)
        .health_check_path(&health.path)
        .health_check_interval_seconds(number::to_aws(health.interval_seconds))
        .health_check_timeout_seconds(number::to_aws(health.timeout_seconds))
        .healthy_threshold_count(number::to_aws(health.healthy_threshold))
        .unhealthy_threshold_count(number::to_aws(health.unhealthy_threshold))
        .matcher(matcher(health))
        .set_tags(Some(to_elb(&settings.tags)))
        .send()
        .await
        .during("create target group", name)?;
    made_arn(answer.target_groups().first().and_then(|found| found.target_group_arn()), "target group", name)
}

async fn set_health(elb: &Client, arn: &str, name: &str, new: &HealthCheck) -> Result<()> {
    let request = elb
        .modify_target_group()
        .target_group_arn(arn)
        .health_check_enabled(true)
        .health_check_protocol(new.protocol.as_str().into())
        .health_check_port(&new.port)
        .health_check_path(&new.path)
        .health_check_interval_seconds(number::to_aws(new.interval_seconds))
        .health_check_timeout_seconds(number::to_aws(new.timeout_seconds))
        .healthy_threshold_count(number::to_aws(new.healthy_threshold))
        .unhealthy_threshold_count(number::to_aws(new.unhealthy_threshold))
        .matcher(matcher(new));
    request.send().await.during("set the health check of target group", name).map(drop)
}

async fn set_delay(elb: &Client, arn: &str, name: &str, seconds: u32) -> Result<()> {
    let attribute = elb::TargetGroupAttribute::builder().key(read::DELAY).value(seconds.to_string()).build();
    let request = elb.modify_target_group_attributes().target_group_arn(arn).attributes(attribute);
    request.send().await.during("set the deregistration delay of target group", name).map(drop)
}

fn certificate(tls: &Tls) -> elb::Certificate {
    elb::Certificate::builder().certificate_arn(&tls.certificate).build()
}

fn protocol(tls: Option<&Tls>) -> elb::ProtocolEnum {
    if tls.is_some() { elb::ProtocolEnum::Https } else { elb::ProtocolEnum::Http }
}

async fn create_listener(
    elb: &Client,
    balancer: &str,
    (port, name): (u16, &str),
    default: elb::Action,
    settings: &Listener,
) -> Result<String> {
    let tls = settings.tls.as_ref();
    let answer = elb
        .create_listener()
        .load_balancer_arn(balancer)
        .protocol(protocol(tls))
        .port(port.into())
        .default_actions(default)
        .set_certificates(tls.map(|tls| vec![certificate(tls)]))
        .set_ssl_policy(tls.map(|tls| tls.policy.clone()))
        .set_tags(Some(to_elb(&settings.tags)))
        .send()
        .await
        .during("create listener", name)?;
    made_arn(answer.listeners().first().and_then(|found| found.listener_arn()), "listener", name)
}

async fn set_listener(elb: &Client, arn: &str, name: &str, default: elb::Action, tls: Option<&Tls>) -> Result<()> {
    let request = elb
        .modify_listener()
        .listener_arn(arn)
        .protocol(protocol(tls))
        .default_actions(default)
        .set_certificates(tls.map(|tls| vec![certificate(tls)]))
        .set_ssl_policy(tls.map(|tls| tls.policy.clone()));
    request.send().await.during("modify listener", name).map(drop)
}

async fn create_rule(elb: &Client, listener: &str, name: &str, action: elb::Action, settings: &Rule) -> Result<()> {
    let request = elb
        .create_rule()
        .listener_arn(listener)
        .priority(settings.priority.into())
        .conditions(condition(settings))
        .actions(action)
        .set_tags(Some(to_elb(&settings.tags)));
    // Alone among these creations it refuses a retry after a lost answer, since the priority is held by the rule that
    // was made. A stranger's rule shows in the next observation.
    tolerate(request.send().await.during("create listener rule", name), &["PriorityInUse"]).map(drop)
}

async fn set_priorities(elb: &Client, name: &str, rules: &[Priority]) -> Result<()> {
    let pair = |rule: &Priority| elb::RulePriorityPair::builder().rule_arn(&rule.arn).priority(rule.new.into()).build();
    let request = elb.set_rule_priorities().set_rule_priorities(Some(rules.iter().map(pair).collect()));
    request.send().await.during("set rule priorities of load balancer", name).map(drop)
}

async fn set_tags(elb: &Client, arn: &str, kind: &str, name: &str, new: &Tags) -> Result<()> {
    let request = elb.add_tags().resource_arns(arn).set_tags(Some(to_elb(new)));
    request.send().await.during(&format!("tag {kind}"), name).map(drop)
}

/// Deletions. What is gone already is what we want: a retry after a lost answer, a listener that went with its load
/// balancer, or a person who was faster.
async fn undo(elb: &Client, change: &Change) -> Result<()> {
    let result = match change {
        Change::DeleteRule { arn, name } => {
            elb.delete_rule().rule_arn(arn).send().await.during("delete listener rule", name).map(drop)
        }
        Change::DeleteListener { arn, name } => {
            elb.delete_listener().listener_arn(arn).send().await.during("delete listener", name).map(drop)
        }
        Change::DeleteLoadBalancer { arn, name } => elb
            .delete_load_balancer()
            .load_balancer_arn(arn)
            .send()
            .await
            .during("delete load balancer", name)
            .map(drop),
        Change::DeleteTargetGroup { arn, name } => {
            elb.delete_target_group().target_group_arn(arn).send().await.during("delete target group", name).map(drop)
        }
        _ => return Err(Error::Broken("a change that deletes nothing came to be undone".into())),
    };
    // Gone already.
    let gone = ["RuleNotFound", "ListenerNotFound", "LoadBalancerNotFound", "TargetGroupNotFound"];
    tolerate(result, &gone).map(drop)
}
