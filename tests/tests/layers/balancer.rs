//! Load balancers, target groups, rules, the probe function.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types as elb;
use skydeck_aws::client::Clients;
use skydeck_aws::layer::balancer::Balancer;
use skydeck_aws::layer::network::Network;
use skydeck_core::Scope;
use skydeck_core::run::Mode;
use skydeck_tests::probe;

use super::ground::ground;
use super::harness::{Emulator, apply, destroy, emulators, refusal, repair, rest};

/// Somebody else's target group, with a name that begins like ours.
async fn foreign_group(clients: &Clients, scope: &Scope) -> String {
    let vpc = &scope.facts.network.as_ref().unwrap().vpc_id;
    let request = clients.elb().create_target_group().name(scope.name("legacy")).vpc_id(vpc).port(80);
    let request = request.protocol(elb::ProtocolEnum::Http).target_type(elb::TargetTypeEnum::Instance);
    request.send().await.unwrap().target_groups()[0].target_group_arn().unwrap().to_owned()
}

#[tokio::test]
async fn load_balancers_come_stay_are_repaired_and_go() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = ground("lbalance", &emulator).await;
        let foreign = foreign_group(clients, &scope).await;
        let made = apply::<Balancer>(&emulator, &mut scope).await;
        assert_eq!(made.changes.len(), 17, "{}", emulator.name);

        let facts = scope.facts.balancer.clone().unwrap();
        assert_eq!(facts.load_balancers.len(), 2, "{}", emulator.name);
        assert_eq!(facts.target_group_arns.len(), 3);
        assert_eq!(facts.probe_function.as_deref(), Some("skydeck-lbalance-devprod-probe"));
        assert!(facts.load_balancers.values().all(|found| found.url == format!("http://{}", found.dns_name)));

        spoil(clients, &scope).await;
        probe::upload(clients, &scope.home, "second").await;
        repair::<Balancer>(&emulator, &scope, "health.path").await;

        destroy::<Balancer>(&emulator, &scope).await;
        let left = clients.elb().describe_target_groups().send().await.unwrap();
        let left: Vec<&str> = left.target_groups().iter().filter_map(|group| group.target_group_arn()).collect();
        assert!(left.contains(&foreign.as_str()), "{}: a stranger's target group is gone", emulator.name);
        assert!(!facts.target_group_arns.values().any(|arn| left.contains(&arn.as_str())));
        let balancers = clients.elb().describe_load_balancers().send().await.unwrap();
        assert!(
            balancers.load_balancers().iter().all(|found| !found.load_balancer_name().unwrap().starts_with("lbal"))
        );
        assert!(clients.lambda().get_function().function_name("skydeck-lbalance-devprod-probe").send().await.is_err());
        clients.elb().delete_target_group().target_group_arn(&foreign).send().await.unwrap();
        destroy::<Network>(&emulator, &scope).await;
    }
}

/// Changes an attribute of every kind behind our back, and takes one rule away.
async fn spoil(clients: &Clients, scope: &Scope) {
    let facts = scope.facts.balancer.as_ref().unwrap();
    let (external, internal) = (&facts.load_balancers["external"], &facts.load_balancers["internal"]);
    let (elb, group) = (clients.elb(), &facts.target_group_arns["backend"]);
    elb.modify_target_group().target_group_arn(group).health_check_path("/other").send().await.unwrap();
    let off = elb::LoadBalancerAttribute::builder().key("routing.http2.enabled").value("false").build();
    let request = elb.modify_load_balancer_attributes().load_balancer_arn(&external.arn).attributes(off);
    request.send().await.unwrap();
    elb.remove_tags().resource_arns(&external.arn).tag_keys("Project").send().await.unwrap();
    let listener = elb.describe_listeners().load_balancer_arn(&internal.arn).send().await.unwrap();
    let listener = listener.listeners()[0].listener_arn().unwrap();
    let rules = elb.describe_rules().listener_arn(listener).send().await.unwrap();
    let rule = rules.rules().iter().find(|rule| rule.priority() == Some("100")).unwrap();
    elb.delete_rule().rule_arn(rule.rule_arn().unwrap()).send().await.unwrap();
    let rule = rules.rules().iter().find(|rule| rule.priority() == Some("200")).unwrap();
    let pair = elb::RulePriorityPair::builder().rule_arn(rule.rule_arn().unwrap()).priority(7).build();
    elb.set_rule_priorities().rule_priorities(pair).send().await.unwrap();
}

/// Protocol, certificate, policy and number of rules of each listener of a load balancer, by port.
async fn listeners(clients: &Clients, arn: &str) -> BTreeMap<i32, (String, Option<String>, Option<String>, usize)> {
    let answer = clients.elb().describe_listeners().load_balancer_arn(arn).send().await.unwrap();
    let mut found = BTreeMap::new();
    for listener in answer.listeners() {
        let rules = clients.elb().describe_rules().listener_arn(listener.listener_arn().unwrap()).send().await.unwrap();
        let rules = rules.rules().iter().filter(|rule| rule.is_default() != Some(true)).count();
        let certificate = listener.certificates().iter().find_map(|found| found.certificate_arn()).map(Into::into);
        let protocol = listener.protocol().unwrap().as_str().to_owned();
        // moto tells one of HTTP, too.
        let policy = listener.ssl_policy().filter(|_| protocol == "HTTPS").map(Into::into);
        found.insert(listener.port().unwrap(), (protocol, certificate, policy, rules));
    }
    found
}

#[tokio::test]
async fn https_is_switched_on_repaired_and_switched_off() {
    for emulator in emulators().await {
        https_on_and_off(&emulator).await;
    }
}

async fn https_on_and_off(emulator: &Emulator) {
    let clients = &emulator.clients;
    let mut scope = ground("lbsecure", emulator).await;
    apply::<Balancer>(emulator, &mut scope).await;
    let plain = scope.clone();
    let certificate = emulator.certificate("*.example.com").await;
    for (key, balancer) in &mut scope.platform.load_balancers {
        balancer.certificate = Some(certificate.clone());
        balancer.host = Some(format!("{key}.example.com"));
    }
    assert_eq!(apply::<Network>(emulator, &mut scope).await.changes.len(), 2, "443 is opened in both groups");
    assert_eq!(
        apply::<Balancer>(emulator, &mut scope).await.changes.len(),
        8,
        "listeners, redirects, and two rules that move"
    );
    let facts = scope.facts.balancer.clone().unwrap();
    let internal = &facts.load_balancers["internal"];
    assert_eq!(internal.url, "https://internal.example.com");
    let policy = Some("ELBSecurityPolicy-TLS13-1-2-2021-06".to_owned());
    let wanted =
        [(80, ("HTTP".to_owned(), None, None, 0)), (443, ("HTTPS".to_owned(), Some(certificate), policy.clone(), 2))];
    assert_eq!(listeners(clients, &internal.arn).await, wanted.into());

    let answer = clients.elb().describe_listeners().load_balancer_arn(&internal.arn).send().await.unwrap();
    let secure = answer.listeners().iter().find(|found| found.port() == Some(443)).unwrap().listener_arn().unwrap();
    let other = elb::Certificate::builder().certificate_arn(emulator.certificate("other.example.com").await).build();
    clients.elb().modify_listener().listener_arn(secure).certificates(other).send().await.unwrap();
    repair::<Balancer>(emulator, &scope, "tls.certificate").await;
    clients.elb().modify_listener().listener_arn(secure).ssl_policy("ELBSecurityPolicy-2016-08").send().await.unwrap();
    repair::<Balancer>(emulator, &scope, "tls.policy").await;
    clients.elb().modify_listener().listener_arn(secure).protocol(elb::ProtocolEnum::Http).send().await.unwrap();
    repair::<Balancer>(emulator, &scope, "tls").await;
    assert_eq!(listeners(clients, &internal.arn).await[&443].2, policy);

    let mut scope = Scope { facts: scope.facts.clone(), ..plain };
    assert_eq!(
        apply::<Balancer>(emulator, &mut scope).await.changes.len(),
        6,
        "two rules, two forwards, two listeners less"
    );
    assert_eq!(listeners(clients, &internal.arn).await, [(80, ("HTTP".to_owned(), None, None, 2))].into());
    destroy::<Balancer>(emulator, &scope).await;
    destroy::<Network>(emulator, &scope).await;
}

#[tokio::test]
async fn a_load_balancer_of_somebody_else_is_refused_and_left_alone() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let scope = ground("lbtaken", &emulator).await;
        let subnets = scope.facts.network.as_ref().unwrap().subnet_ids.values().cloned().collect();
        let request = clients.elb().create_load_balancer().name(scope.name("external")).set_subnets(Some(subnets));
        let made = request.send().await.unwrap();
        for mode in [Mode::Plan, Mode::Apply] {
            let (kind, text) = refusal::<Balancer>(&emulator, &scope, mode).await;
            assert_eq!(kind, "Taken", "{}: {text}", emulator.name);
        }
        rest::<Balancer>(&emulator, &scope, Mode::Destroy).await;
        let arn = made.load_balancers()[0].load_balancer_arn().unwrap();
        clients.elb().delete_load_balancer().load_balancer_arn(arn).send().await.unwrap();
        destroy::<Network>(&emulator, &scope).await;
    }
}
