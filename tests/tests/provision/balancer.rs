//! Load balancers, listeners, rules, target groups, and the probe function in the VPC.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{ActionTypeEnum, LoadBalancer, TargetGroup, TargetTypeEnum};
use skydeck_aws::Clients;

use super::network::Vpc;

pub(crate) async fn assert_as_the_reference_says(aws: &Clients, vpc: &Vpc) {
    let groups = assert_target_groups(aws, vpc).await;
    let external = assert_load_balancer(aws, vpc, "external", "internet-facing").await;
    let internal = assert_load_balancer(aws, vpc, "internal", "internal").await;

    let (listener, action) = listener(aws, &external).await;
    assert_eq!(action.r#type(), Some(&ActionTypeEnum::Forward));
    assert_eq!(forwarded(&action), Some(groups["backend"].clone()));
    assert_eq!(rules(aws, &listener).await, BTreeMap::new());

    let (listener, action) = self::listener(aws, &internal).await;
    let fixed = action.fixed_response_config().expect("a fixed response");
    assert_eq!((fixed.status_code(), fixed.message_body()), (Some("404"), Some("Not Found")));
    let wanted = [
        ("100".to_owned(), (vec!["/payment-service*".to_owned()], Some(groups["payment"].clone()))),
        ("200".to_owned(), (vec!["/movie-service*".to_owned()], Some(groups["movie"].clone()))),
    ];
    assert_eq!(rules(aws, &listener).await, wanted.into());
    assert_probe(aws, vpc).await;
}

async fn assert_load_balancer(aws: &Clients, vpc: &Vpc, key: &str, scheme: &str) -> String {
    let name = format!("skyfox-devprod-{key}");
    let answer = aws.elb().describe_load_balancers().names(&name).send().await.expect("the load balancer");
    let balancer: &LoadBalancer = &answer.load_balancers()[0];
    assert_eq!(balancer.scheme().map(|found| found.as_str()), Some(scheme));
    assert_eq!(balancer.vpc_id(), Some(vpc.id.as_str()));
    let subnets: BTreeSet<String> =
        balancer.availability_zones().iter().filter_map(|zone| zone.subnet_id()).map(Into::into).collect();
    assert_eq!(subnets, vpc.subnets);
    assert_eq!(balancer.security_groups(), [vpc.groups[&format!("skyfox-devprod-alb-{key}")].clone()]);
    let arn = balancer.load_balancer_arn().expect("an ARN").to_owned();
    let attributes = aws.elb().describe_load_balancer_attributes().load_balancer_arn(&arn).send().await;
    let attributes = attributes.expect("attributes");
    for key in ["routing.http2.enabled", "routing.http.drop_invalid_header_fields.enabled"] {
        let found = attributes.attributes().iter().find(|attribute| attribute.key() == Some(key));
        assert_eq!(found.and_then(|found| found.value()), Some("true"), "{name}: {key}");
    }
    assert_tagged(aws, &arn, &name, None).await;
    arn
}

async fn assert_tagged(aws: &Clients, arn: &str, name: &str, service: Option<&str>) {
    let answer = aws.elb().describe_tags().resource_arns(arn).send().await.expect("tags");
    let tags: Vec<_> = answer.tag_descriptions()[0].tags().iter().map(|tag| (tag.key(), tag.value())).collect();
    let wanted =
        [("Name", Some(name)), ("Project", Some("skyfox")), ("Environment", Some("devprod")), ("Service", service)];
    for (key, value) in wanted.into_iter().filter(|(_, value)| value.is_some()) {
        assert!(tags.contains(&(Some(key), value)), "{name} lacks {key}: {tags:?}");
    }
}

/// ARNs of the target groups, by service.
async fn assert_target_groups(aws: &Clients, vpc: &Vpc) -> BTreeMap<&'static str, String> {
    let answer = aws.elb().describe_target_groups().send().await.expect("target groups");
    let mut arns = BTreeMap::new();
    for (service, path) in [("backend", "/health"), ("payment", "/pshealth"), ("movie", "/mshealth")] {
        let prefix = format!("skyfox-devprod-{service}-");
        let ours: Vec<&TargetGroup> = answer
            .target_groups()
            .iter()
            .filter(|group| group.target_group_name().is_some_and(|name| name.starts_with(&prefix)))
            .collect();
        let [group] = ours[..] else { panic!("one target group for {service}: {ours:?}") };
        assert_eq!(group.target_group_name().map(str::len), Some(prefix.len() + 6), "ends in six hex digits");
        assert_eq!(group.target_type(), Some(&TargetTypeEnum::Instance));
        assert_eq!(group.protocol().map(|protocol| protocol.as_str()), Some("HTTP"));
        assert_eq!((group.port(), group.vpc_id()), (Some(80), Some(vpc.id.as_str())));
        assert_eq!((group.health_check_path(), group.health_check_port()), (Some(path), Some("traffic-port")));
        assert_eq!(group.matcher().and_then(|matcher| matcher.http_code()), Some("200"));
        let timing = (group.health_check_interval_seconds(), group.health_check_timeout_seconds());
        assert_eq!(timing, (Some(30), Some(5)));
        assert_eq!((group.healthy_threshold_count(), group.unhealthy_threshold_count()), (Some(2), Some(2)));
        let arn = group.target_group_arn().expect("an ARN").to_owned();
        let attributes = aws.elb().describe_target_group_attributes().target_group_arn(&arn).send().await;
        let attributes = attributes.expect("attributes");
        let delay =
            attributes.attributes().iter().find(|found| found.key() == Some("deregistration_delay.timeout_seconds"));
        assert_eq!(delay.and_then(|delay| delay.value()), Some("30"));
        assert_tagged(aws, &arn, group.target_group_name().unwrap_or_default(), Some(service)).await;
        arns.insert(service, arn);
    }
    arns
}

async fn listener(aws: &Clients, balancer: &str) -> (String, aws_sdk_elasticloadbalancingv2::types::Action) {
    let answer = aws.elb().describe_listeners().load_balancer_arn(balancer).send().await.expect("listeners");
    let [listener] = answer.listeners() else { panic!("one listener: {answer:?}") };
    assert_eq!((listener.port(), listener.protocol().map(|found| found.as_str())), (Some(80), Some("HTTP")));
    let [action] = listener.default_actions() else { panic!("one default action: {listener:?}") };
    (listener.listener_arn().expect("an ARN").to_owned(), action.clone())
}

fn forwarded(action: &aws_sdk_elasticloadbalancingv2::types::Action) -> Option<String> {
    let weighted = || action.forward_config()?.target_groups().first()?.target_group_arn();
    action.target_group_arn().or_else(weighted).map(Into::into)
}

/// Path patterns and target group of each rule but the default one, by priority.
async fn rules(aws: &Clients, listener: &str) -> BTreeMap<String, (Vec<String>, Option<String>)> {
    let answer = aws.elb().describe_rules().listener_arn(listener).send().await.expect("rules");
    let rules = answer.rules().iter().filter(|rule| rule.is_default() != Some(true));
    rules
        .map(|rule| {
            let condition = &rule.conditions()[0];
            assert_eq!(condition.field(), Some("path-pattern"));
            let values = condition.path_pattern_config().map_or(condition.values(), |config| config.values());
            (rule.priority().unwrap_or_default().to_owned(), (values.to_vec(), forwarded(&rule.actions()[0])))
        })
        .collect()
}

async fn assert_probe(aws: &Clients, vpc: &Vpc) {
    let name = "skydeck-skyfox-devprod-probe";
    let answer = aws.lambda().get_function().function_name(name).send().await.expect("the probe function");
    let configuration = answer.configuration().expect("a configuration");
    let network = configuration.vpc_config().expect("a VPC");
    assert_eq!(network.subnet_ids().iter().cloned().collect::<BTreeSet<_>>(), vpc.subnets);
    assert_eq!(network.security_group_ids(), [vpc.groups["skyfox-devprod-probe"].clone()]);
    assert!(configuration.role().is_some_and(|role| role.ends_with("/skyfox-devprod-probe-ap-south-1")));
}
