//! Load balancers as the emulator has them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Alb;
use crate::asg::Place;
use crate::gateway::upstream::Upstream;
use crate::xml::Element;

/// All load balancers of a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    pub(super) balancers: Vec<LoadBalancer>,
    pub(super) listeners: Vec<Listener>,
    /// By priority.
    pub(super) rules: Vec<Rule>,
    pub(super) groups: HashMap<String, TargetGroup>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LoadBalancer {
    pub(super) arn: String,
    pub(super) dns: String,
    pub(super) internal: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) arn: String,
    pub(super) balancer: String,
    pub(super) port: u16,
    pub(super) https: bool,
    /// The ARN of the one that it presents, where it speaks TLS.
    pub(super) certificate: String,
    pub(super) actions: Vec<Action>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) listener: String,
    pub(super) priority: u32,
    /// Field, header name (of `http-header`), and values of which one must match.
    pub(super) conditions: Vec<(String, String, Vec<String>)>,
    pub(super) actions: Vec<Action>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// To one of these target groups, by weight.
    Forward(Vec<(String, u32)>),
    Fixed {
        status: u16,
        kind: String,
        body: String,
    },
    Redirect {
        protocol: String,
        host: String,
        port: String,
        path: String,
        query: String,
        status: u16,
    },
    Other,
}

/// A target group's numbers, in seconds of AWS.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TargetGroup {
    pub(super) arn: String,
    pub(super) port: u16,
    /// None is the traffic port.
    pub(super) check_port: Option<u16>,
    pub(super) path: String,
    pub(super) interval: f64,
    pub(super) timeout: f64,
    pub(super) healthy: u32,
    pub(super) unhealthy: u32,
    pub(super) matcher: String,
    pub(super) enabled: bool,
    /// Some listener or rule forwards to it.
    pub(super) used: bool,
    pub(super) delay: f64,
}

impl Alb {
    /// The load balancers as they are by now. Where they cannot be read, since one of them goes at that moment or the emulator is
    /// too busy, they stay as they were: those of AWS do not stop serving while somebody changes another.
    pub(crate) async fn config(&self, upstream: &Upstream, place: &Place) -> Arc<Config> {
        let _turn = self.reading.lock().await;
        let written = self.written.load(Ordering::Acquire);
        let last = self.configs().get(place).cloned();
        if let Some((_, config)) = last.as_ref().filter(|(read_at, _)| *read_at == written) {
            return Arc::clone(config);
        }
        match read(upstream, place).await {
            Ok(config) => {
                let config = Arc::new(config);
                self.with(place, |table| table.adopt(&config.groups));
                self.configs().insert(place.clone(), (written, Arc::clone(&config)));
                config
            }
            Err(error) => {
                // Nothing is concluded from a failed look: the next one comes soon.
                tracing::warn!(error = crate::error::chain(&error), "load balancers could not be read");
                last.map(|(_, config)| config).unwrap_or_default()
            }
        }
    }
}

async fn read(upstream: &Upstream, place: &Place) -> Result<Config, crate::Error> {
    let balancers = members(upstream, place, "DescribeLoadBalancers", "LoadBalancers", None).await?;
    let listeners = members(upstream, place, "DescribeListeners", "Listeners", None).await?;
    let rules = members(upstream, place, "DescribeRules", "Rules", None).await?;
    let groups = members(upstream, place, "DescribeTargetGroups", "TargetGroups", None).await?;
    let mut config = Config {
        balancers: balancers.iter().map(balancer).collect(),
        listeners: listeners.iter().map(listener).collect(),
        rules: rules.iter().filter_map(rule).collect(),
        groups: HashMap::new(),
    };
    config.rules.sort_by_key(|rule| rule.priority);
    let used = config.forwards();
    for element in &groups {
        let mut group = target_group(element);
        let argument = Some(("TargetGroupArn", group.arn.as_str()));
        for attribute in members(upstream, place, "DescribeTargetGroupAttributes", "Attributes", argument).await? {
            if attribute.text("Key") == Some("deregistration_delay.timeout_seconds") {
                group.delay = number(attribute.text("Value"), 300.0);
            }
        }
        group.used = used.contains(&group.arn);
        config.groups.insert(group.arn.clone(), group);
    }
    Ok(config)
}

async fn members(
    upstream: &Upstream,
    place: &Place,
    action: &str,
    list: &str,
    argument: Option<(&str, &str)>,
) -> Result<Vec<Element>, crate::Error> {
    let mut form = BTreeMap::from([("Action".to_owned(), action.to_owned())]);
    form.insert("Version".into(), "2015-12-01".into());
    if let Some((key, value)) = argument {
        form.insert(key.into(), value.into());
    }
    let answer = upstream.query(&place.account, &place.region, "elasticloadbalancing", &form).await?;
    Ok(answer.find(list).map(|list| list.children().to_vec()).unwrap_or_default())
}

impl Config {
    /// The target groups to which something is forwarded.
    fn forwards(&self) -> Vec<String> {
        let actions = self.listeners.iter().flat_map(|l| &l.actions).chain(self.rules.iter().flat_map(|r| &r.actions));
        let groups = |action: &Action| match action {
            Action::Forward(groups) => groups.iter().map(|(group, _)| group.clone()).collect(),
            _ => Vec::new(),
        };
        actions.flat_map(groups).collect()
    }
}

impl Alb {
    /// The target groups of a place as they were last read, and whether something forwards to each.
    pub(crate) fn groups(&self, place: &Place) -> HashMap<String, bool> {
        let configs = self.configs();
        let groups = configs.get(place).map(|(_, config)| &config.groups);
        groups.into_iter().flatten().map(|(arn, group)| (arn.clone(), group.used)).collect()
    }
}

fn text(element: &Element, name: &str) -> String {
    element.text(name).unwrap_or_default().to_owned()
}

fn number(text: Option<&str>, usual: f64) -> f64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn balancer(element: &Element) -> LoadBalancer {
    LoadBalancer {
        arn: text(element, "LoadBalancerArn"),
        dns: text(element, "DNSName").to_lowercase(),
        internal: element.text("Scheme") == Some("internal"),
    }
}

fn listener(element: &Element) -> Listener {
    Listener {
        arn: text(element, "ListenerArn"),
        balancer: text(element, "LoadBalancerArn"),
        port: number(element.text("Port"), 80.0) as u16,
        https: element.text("Protocol") == Some("HTTPS"),
        certificate: element.find("CertificateArn").map(|arn| arn.own_text().to_owned()).unwrap_or_default(),
        actions: actions(element.child("DefaultActions")),
    }
}

fn rule(element: &Element) -> Option<Rule> {
    // Its ARN is its listener's with one more part, and another word.
    let arn = text(element, "RuleArn").replacen(":listener-rule/", ":listener/", 1);
    let (listener, _) = arn.rsplit_once('/')?;
    let values = |condition: &Element, name: &str| -> Vec<String> {
        let list = condition.child(name).map(Element::children).unwrap_or_default();
        list.iter().map(|value| value.own_text().to_owned()).collect()
    };
    let condition = |condition: &Element| {
        let header = condition.child("HttpHeaderConfig");
        let name = header.map(|header| text(header, "HttpHeaderName")).unwrap_or_default();
        let values = header.map_or_else(|| values(condition, "Values"), |header| values(header, "Values"));
        (text(condition, "Field"), name, values)
    };
    Some(Rule {
        listener: listener.to_owned(),
        // The default action stands in the listener.
        priority: element.text("Priority")?.parse().ok()?,
        conditions: element
            .child("Conditions")
            .map(Element::children)
            .unwrap_or_default()
            .iter()
            .map(condition)
            .collect(),
        actions: actions(element.child("Actions")),
    })
}

fn actions(list: Option<&Element>) -> Vec<Action> {
    let code =
        |text: Option<&str>, usual| text.and_then(|t| t.trim_start_matches("HTTP_").parse().ok()).unwrap_or(usual);
    let action = |element: &Element| match element.text("Type") {
        Some("forward") => forward(element),
        Some("fixed-response") => element.child("FixedResponseConfig").map_or(Action::Other, |fixed| Action::Fixed {
            status: code(fixed.text("StatusCode"), 503),
            kind: text(fixed, "ContentType"),
            body: text(fixed, "MessageBody"),
        }),
        Some("redirect") => element.child("RedirectConfig").map_or(Action::Other, |to| Action::Redirect {
            protocol: text(to, "Protocol"),
            host: text(to, "Host"),
            port: text(to, "Port"),
            path: text(to, "Path"),
            query: text(to, "Query"),
            status: code(to.text("StatusCode"), 301),
        }),
        _ => Action::Other,
    };
    list.map(Element::children).unwrap_or_default().iter().map(action).collect()
}

fn forward(action: &Element) -> Action {
    let many = action.child("ForwardConfig").and_then(|config| config.child("TargetGroups"));
    let one =
        |group: &Element| Some((group.text("TargetGroupArn")?.to_owned(), number(group.text("Weight"), 1.0) as u32));
    match (many, action.text("TargetGroupArn")) {
        (Some(many), _) => Action::Forward(many.children().iter().filter_map(one).collect()),
        (None, Some(group)) => Action::Forward(vec![(group.to_owned(), 1)]),
        (None, None) => Action::Other,
    }
}

fn target_group(element: &Element) -> TargetGroup {
    let matcher = element.child("Matcher").map(|matcher| text(matcher, "HttpCode")).filter(|codes| !codes.is_empty());
    TargetGroup {
        arn: text(element, "TargetGroupArn"),
        port: number(element.text("Port"), 80.0) as u16,
        check_port: element.text("HealthCheckPort").and_then(|port| port.parse().ok()),
        path: element.text("HealthCheckPath").filter(|path| !path.is_empty()).unwrap_or("/").to_owned(),
        interval: number(element.text("HealthCheckIntervalSeconds"), 30.0),
        timeout: number(element.text("HealthCheckTimeoutSeconds"), 5.0),
        healthy: number(element.text("HealthyThresholdCount"), 5.0) as u32,
        unhealthy: number(element.text("UnhealthyThresholdCount"), 2.0) as u32,
        matcher: matcher.unwrap_or_else(|| "200".to_owned()),
        enabled: element.text("HealthCheckEnabled") != Some("false"),
        used: false,
        delay: 300.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn load_balancers_that_cannot_be_read_stay_as_they_were() {
        let place = Place { account: crate::ACCOUNT.to_owned(), region: "ap-south-1".to_owned() };
        // Nobody listens there.
        let (alb, upstream) = (Alb::default(), Upstream::new(1, &"".into()));
        assert!(alb.config(&upstream, &place).await.balancers.is_empty());
        let known = Config { balancers: vec![LoadBalancer::default()], ..Config::default() };
        alb.configs().insert(place.clone(), (0, Arc::new(known)));
        alb.outdate();
        assert_eq!(alb.config(&upstream, &place).await.balancers.len(), 1);
        assert_ne!(alb.configs()[&place].0, alb.written.load(Ordering::Acquire), "it is read again at the next look");
    }
}
