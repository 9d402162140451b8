//! Where a task goes: a pure choice among the instances of a cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::expression;

/// The ports that Docker gives out for host port 0.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32768..=60999;

/// A container instance, with what is left of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// The EC2 instance.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) provider: Option<String>,
    pub(crate) draining: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    pub(crate) ports: BTreeSet<u16>,
    /// How many tasks of each group, such as `service:backend`.
    pub(crate) groups: HashMap<String, usize>,
    pub(crate) tasks: usize,
    /// Where the search for a dynamic port goes on.
    pub(crate) next_port: u16,
}

/// A port that a task wants: of the container, and of the host (0 is any).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) container: u16,
    pub(crate) host: u16,
    pub(crate) protocol: String,
}

/// What a task needs of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    /// By container.
    pub(crate) ports: Vec<(String, Port)>,
}

/// A placement constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Constraint {
    DistinctInstance,
    MemberOf(String),
}

/// A placement strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Strategy {
    Spread(String),
    BinpackCpu,
    BinpackMemory,
    Random,
}

/// Why no instance can take a task, as ECS says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Blocked {
    NoInstances,
    Closest { arn: String, what: &'static str, by_size: bool },
}

impl Blocked {
    /// The end of the event that tells it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::NoInstances => "Reason: No Container Instances were found in your cluster.".to_owned(),
            Self::Closest { arn, what, .. } => {
                format!("The closest matching (container-instance {}) {what}.", super::short(arn))
            }
        }
    }

    /// Whether another instance of the same kind would help.
    pub(crate) fn helped_by_capacity(&self) -> bool {
        matches!(self, Self::NoInstances | Self::Closest { by_size: true, .. })
    }
}

/// What one placement is asked for.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) need: &'a Need,
    pub(crate) group: &'a str,
    pub(crate) provider: Option<&'a str>,
    pub(crate) constraints: &'a [Constraint],
    pub(crate) strategies: &'a [Strategy],
    /// Decides where the strategy is `random`.
    pub(crate) seed: u64,
}

/// The place in `nodes` of the one that takes the task.
pub(crate) fn choose(nodes: &[Node], ask: &Ask<'_>) -> Result<usize, Blocked> {
    let mut fitting = Vec::new();
    let mut closest: Option<(usize, i64, &Node, &'static str, bool)> = None;
    for (place, node) in nodes.iter().enumerate() {
        if node.draining || ask.provider.is_some_and(|provider| node.provider.as_deref() != Some(provider)) {
            continue;
        }
        match obstacle(node, ask) {
            None => fitting.push(place),
            Some((rank, what, by_size)) => {
                // The closest is the one that failed at the last check, and of those the one with the most memory left.
                if closest.as_ref().is_none_or(|(best, memory, ..)| (rank, node.memory) > (*best, *memory)) {
                    closest = Some((rank, node.memory, node, what, by_size));
                }
            }
        }
    }
    if fitting.is_empty() {
        return Err(closest.map_or(Blocked::NoInstances, |(_, _, node, what, by_size)| Blocked::Closest {
            arn: node.arn.clone(),
            what,
            by_size,
        }));
    }
    for strategy in ask.strategies {
        narrow(&mut fitting, nodes, ask, strategy);
    }
    let calm = |place: &&usize| {
        let node = &nodes[**place];
        (node.groups.get(ask.group).copied().unwrap_or(0), node.tasks, &node.id)
    };
    // Among equals the emptiest, so that a choice never depends on the order of the instances.
    fitting.iter().min_by_key(calm).copied().ok_or(Blocked::NoInstances)
}

/// What stands against an instance: how late it was found, ECS's words, and whether an empty instance would not have it.
fn obstacle(node: &Node, ask: &Ask<'_>) -> Option<(usize, &'static str, bool)> {
    for constraint in ask.constraints {
        match constraint {
            Constraint::MemberOf(expression) if !expression::holds(expression, &node.attributes) => {
                return Some((0, "does not satisfy a placement constraint", false));
            }
            Constraint::DistinctInstance if node.groups.get(ask.group).is_some_and(|count| *count > 0) => {
                return Some((1, "does not satisfy a placement constraint", true));
            }
            _ => {}
        }
    }
    if ask.need.ports.iter().any(|(_, port)| port.host != 0 && node.ports.contains(&port.host)) {
        return Some((2, "is already using a port required by your task", true));
    }
    if node.cpu < ask.need.cpu {
        return Some((3, "has insufficient CPU units available", true));
    }
    (node.memory < ask.need.memory).then_some((4, "has insufficient memory available", true))
}

fn narrow(fitting: &mut Vec<usize>, nodes: &[Node], ask: &Ask<'_>, strategy: &Strategy) {
    match strategy {
        Strategy::Random => {
            let seed = usize::try_from(ask.seed).unwrap_or(0) % fitting.len();
            *fitting = vec![fitting[seed]];
        }
        Strategy::BinpackCpu => keep_least(fitting, |place| nodes[place].cpu),
        Strategy::BinpackMemory => keep_least(fitting, |place| nodes[place].memory),
        Strategy::Spread(field) => {
            let value = |node: &Node| match field.as_str() {
                "instanceId" | "host" => node.id.clone(),
                other => node.attributes.get(other.trim_start_matches("attribute:")).cloned().unwrap_or_default(),
            };
            let mut counts: HashMap<String, i64> = HashMap::new();
            for node in nodes {
                let own = node.groups.get(ask.group).copied().unwrap_or(0);
                *counts.entry(value(node)).or_default() += i64::try_from(own).unwrap_or(i64::MAX);
            }
            keep_least(fitting, |place| counts.get(&value(&nodes[place])).copied().unwrap_or(0));
        }
    }
}

fn keep_least(fitting: &mut Vec<usize>, key: impl Fn(usize) -> i64) {
    let least = fitting.iter().map(|place| key(*place)).min();
    fitting.retain(|place| Some(key(*place)) == least);
}

impl Node {
    /// Takes a task's share, and says which host ports it got, by container.
    pub(crate) fn take(&mut self, need: &Need, group: &str) -> Vec<(String, Port)> {
        self.cpu -= need.cpu;
        self.memory -= need.memory;
        self.tasks += 1;
        *self.groups.entry(group.to_owned()).or_default() += 1;
        let mut taken = Vec::with_capacity(need.ports.len());
        for (container, port) in &need.ports {
            let host = if port.host == 0 { self.free_port() } else { port.host };
            self.ports.insert(host);
            taken.push((container.clone(), Port { host, ..port.clone() }));
        }
        taken
    }

    /// Goes round, so that a port just left is the last to be given out again.
    fn free_port(&mut self) -> u16 {
        let size = EPHEMERAL.end() - EPHEMERAL.start() + 1;
        let mut port = self.next_port.clamp(*EPHEMERAL.start(), *EPHEMERAL.end());
        for _ in 0..size {
            if !self.ports.contains(&port) {
                break;
            }
            port = if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
        }
        self.next_port = if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
        port
    }
}

/// The constraints and strategies of a service. Without a strategy ECS spreads over zones.
pub(crate) fn read(constraints: Option<&Value>, strategies: Option<&Value>) -> (Vec<Constraint>, Vec<Strategy>) {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let constraint = |value: &Value| match text(value, "type").as_str() {
        "distinctInstance" => Constraint::DistinctInstance,
        _ => Constraint::MemberOf(text(value, "expression")),
    };
    let strategy = |value: &Value| match (text(value, "type").as_str(), text(value, "field").to_lowercase().as_str()) {
        ("random", _) => Strategy::Random,
        ("binpack", "cpu") => Strategy::BinpackCpu,
        ("binpack", _) => Strategy::BinpackMemory,
        (_, "instanceid" | "host") => Strategy::Spread("instanceId".to_owned()),
        _ => Strategy::Spread(text(value, "field")),
    };
    let mut strategies: Vec<Strategy> = list(strategies).iter().map(strategy).collect();
    if strategies.is_empty() {
        strategies.push(Strategy::Spread("attribute:ecs.availability-zone".to_owned()));
    }
    (list(constraints).iter().map(constraint).collect(), strategies)
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
