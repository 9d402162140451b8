//! The instances of a cluster as the scheduler sees them, and what happens to tasks whose instance goes.

use std::collections::{BTreeMap, HashMap};

use super::lifecycle::Order;
use super::machine::Machine;
use super::placement::Node;
use super::task::{Stop, Task};
use super::{Region, World};
use crate::asg::Instance;

impl Region {
    /// The instances that tasks can be on, with what their tasks leave.
    pub(super) fn nodes(&mut self, world: &World, cluster: &str) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for instance in self.instances_of(world, cluster).into_iter().filter(|instance| instance.gone.is_none()) {
            places.insert(instance.id.clone(), nodes.len());
            nodes.push(self.node(cluster, instance));
        }
        for task in self.tasks.values().filter(|task| task.cluster == cluster && task.is_alive()) {
            let found = task.place.as_ref().and_then(|place| places.get(&place.instance));
            if let Some(node) = found.and_then(|place| nodes.get_mut(*place)) {
                node.hold(task);
            }
        }
        nodes
    }

    fn node(&self, cluster: &str, instance: &Instance) -> Node {
        let machine = Machine::of(&instance.kind);
        let arn = self.instance_arn(cluster, instance);
        let pairs = [
            ("ecs.availability-zone", instance.zone.as_str()),
            ("ecs.subnet-id", &instance.subnet),
            ("ecs.instance-type", &instance.kind),
            ("ecs.ami-id", &instance.image),
            ("ecs.os-type", "linux"),
            ("ecs.os-family", "LINUX"),
            ("ecs.cpu-architecture", machine.architecture),
        ];
        let attributes: BTreeMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Node {
            id: instance.id.clone(),
            provider: self.provider_of(cluster, &instance.group_arn).map(str::to_owned),
            draining: instance.is_ending() || self.draining.contains(&arn),
            arn,
            attributes,
            cpu: machine.cpu,
            memory: machine.memory,
            ports: super::instance::RESERVED.iter().filter_map(|port| port.parse().ok()).collect(),
            groups: HashMap::new(),
            tasks: 0,
            next_port: self.next_ports.get(&instance.id).copied().unwrap_or(0),
        }
    }

    /// Tasks end with their instance.
    pub(super) fn lose_instances(&mut self, world: &World) {
        let there = |id: &str| world.instances.iter().any(|i| i.id == id && i.gone.is_none());
        let mut seen: HashMap<&str, bool> = HashMap::new();
        let mut lost = Vec::new();
        for task in self.tasks.values().filter(|task| task.is_alive() && task.executed.is_none()) {
            let Some(place) = &task.place else { continue };
            if !*seen.entry(place.instance.as_str()).or_insert_with(|| there(&place.instance)) {
                lost.push((task.id.clone(), place.instance.clone()));
            }
        }
        for (id, instance) in lost {
            let reason = format!("Host EC2 (instance {instance}) terminated.");
            self.fail_task(world, &id, Stop::new("TerminationNotice", reason, false));
        }
    }

    /// Instances that only waited for their tasks to leave may end.
    pub(super) fn release_instances(&mut self, world: &World) {
        for instance in world.instances.iter().filter(|instance| instance.draining && instance.gone.is_none()) {
            let on = |task: &Task| task.is_alive() && task.place.as_ref().is_some_and(|p| p.instance == instance.id);
            if !self.tasks.values().any(on) {
                self.orders.push(Order::Release(instance.id.clone()));
            }
        }
    }

    /// The next tick comes no later than at this time.
    pub(super) fn wake(&mut self, at: f64) {
        self.next = self.next.min(at);
    }

    /// When the next tick is due: at once after a change.
    pub(crate) fn due(&self) -> f64 {
        if self.dirty {
            return 0.0;
        }
        self.tasks.values().filter_map(|task| task.due).fold(self.next, f64::min)
    }
}

impl Node {
    /// A task that is on it already.
    fn hold(&mut self, task: &Task) {
        self.cpu -= task.need.cpu;
        self.memory -= task.need.memory;
        self.tasks += 1;
        *self.groups.entry(task.group()).or_default() += 1;
        self.ports.extend(task.containers.iter().flat_map(|container| container.ports.iter().map(|port| port.host)));
    }
}
