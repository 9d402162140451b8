//! Which rule of a listener takes a request: a pure choice.

use hyper::http::HeaderMap;

use super::config::{Action, Config, Listener, LoadBalancer, Rule};
use crate::glob;

/// A request as rules see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}

impl Config {
    /// The load balancer of a DNS name.
    pub(super) fn balancer(&self, host: &str) -> Option<&LoadBalancer> {
        self.balancers.iter().find(|balancer| balancer.dns.eq_ignore_ascii_case(host))
    }

    pub(super) fn listener(&self, balancer: &LoadBalancer, port: u16) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.balancer == balancer.arn && listener.port == port)
    }

    /// The action that a listener takes: the last of the first matching rule, or its default one. (Those before it, which
    /// authenticate, are not simulated.)
    pub(super) fn action<'a>(&'a self, listener: &'a Listener, seen: &Seen<'_>) -> Option<&'a Action> {
        let mut own = self.rules.iter().filter(|rule| rule.listener == listener.arn);
        let actions = own.find(|rule| holds(rule, seen)).map_or(&listener.actions, |rule| &rule.actions);
        actions.last()
    }
}

/// The target group whose turn it is; none where all weigh nothing.
pub(super) fn weighed(groups: &[(String, u32)], turn: usize) -> Option<&str> {
    let mut slots = groups.iter().flat_map(|(group, weight)| std::iter::repeat_n(group.as_str(), *weight as usize));
    let all: usize = groups.iter().map(|(_, weight)| *weight as usize).sum();
    slots.nth(turn.checked_rem(all)?)
}

fn holds(rule: &Rule, seen: &Seen<'_>) -> bool {
    rule.conditions.iter().all(|(field, name, values)| {
        let any = |text: &str| values.iter().any(|pattern| glob::matches(pattern, text));
        let lower = |text: &str| values.iter().any(|p| glob::matches(&p.to_lowercase(), &text.to_lowercase()));
        match field.as_str() {
            "path-pattern" => any(seen.path),
            "host-header" => lower(seen.host),
            "http-request-method" => values.iter().any(|method| method == seen.method),
            "http-header" => seen.headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(lower)),
            "query-string" => any(seen.query),
            _ => false,
        }
    })
}

/// Where a redirect leads: its fields with `#{host}` and the like filled in.
pub(super) fn location(fields: [&str; 5], listener: &Listener, seen: &Seen<'_>) -> String {
    let filled = |text: &str| {
        text.replace("#{protocol}", if listener.https { "HTTPS" } else { "HTTP" })
            .replace("#{host}", seen.host)
            .replace("#{port}", &listener.port.to_string())
            .replace("#{path}", seen.path.trim_start_matches('/'))
            .replace("#{query}", seen.query)
    };
    let [protocol, host, port, path, query] = fields.map(filled);
    let query = if query.is_empty() { query } else { format!("?{query}") };
    format!("{}://{host}:{port}{path}{query}", protocol.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let listener = Listener {
            arn: "l".into(),
            balancer: "b".into(),
            port: 80,
            https: false,
            certificate: String::new(),
            actions: vec![Action::Fixed { status: 404, kind: "text/plain".into(), body: "Not Found".into() }],
        };
        let rule = |priority, field: &str, value: &str, group: &str| Rule {
            listener: "l".into(),
            priority,
            conditions: vec![(field.into(), String::new(), vec![value.into()])],
            actions: vec![Action::Forward(vec![(group.into(), 1)])],
        };
        let rules = vec![
            rule(50, "host-header", "*.example.org", "host"),
            rule(100, "path-pattern", "/payment-service*", "payment"),
            rule(200, "path-pattern", "/movie-service*", "movie"),
            rule(300, "http-request-method", "DELETE", "delete"),
        ];
        let balancer = LoadBalancer { arn: "b".into(), dns: "lb.aws".into(), internal: true };
        Config { balancers: vec![balancer], listeners: vec![listener], rules, groups: Default::default() }
    }

    #[test]
    fn the_first_rule_that_holds_takes_the_request() {
        let config = config();
        let listener = config.listener(config.balancer("LB.aws").unwrap(), 80).unwrap();
        let headers = HeaderMap::new();
        let act = |method, host, path| {
            let seen = Seen { method, host, path, query: "", headers: &headers };
            match config.action(listener, &seen).unwrap() {
                Action::Forward(groups) => groups[0].0.clone(),
                Action::Fixed { status, .. } => status.to_string(),
                _ => "other".to_owned(),
            }
        };
        assert_eq!(act("GET", "lb.aws", "/payment-service/pshealth"), "payment");
        assert_eq!(act("GET", "lb.aws", "/movie-service"), "movie");
        assert_eq!(act("GET", "lb.aws", "/pshealth"), "404");
        assert_eq!(act("DELETE", "lb.aws", "/x"), "delete");
        assert_eq!(act("GET", "API.Example.org", "/movie-service"), "host");
        assert!(config.listener(config.balancer("lb.aws").unwrap(), 443).is_none());
    }

    #[test]
    fn target_groups_take_turns_by_their_weights_and_one_without_weight_never() {
        let groups = [("old".to_owned(), 2), ("new".to_owned(), 1), ("later".to_owned(), 0)];
        let turns: Vec<_> = (0..6).filter_map(|turn| weighed(&groups, turn)).collect();
        assert_eq!(turns, ["old", "old", "new", "old", "old", "new"]);
        assert_eq!(weighed(&groups[2..], 0), None);
    }

    #[test]
    fn a_redirect_keeps_what_it_is_told_to_keep() {
        let config = config();
        let headers = HeaderMap::new();
        let seen = Seen { method: "GET", host: "h.org", path: "/a/b", query: "x=1", headers: &headers };
        let fields = ["HTTPS", "#{host}", "443", "/#{path}", "#{query}"];
        assert_eq!(location(fields, &config.listeners[0], &seen), "https://h.org:443/a/b?x=1");
    }
}
