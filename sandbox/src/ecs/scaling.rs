//! Managed scaling: a capacity provider makes its group as large as its tasks need.

use std::collections::BTreeSet;

use super::capacity_provider::CapacityProvider;
use super::lifecycle::Order;
use super::machine::Machine;
use super::placement::{self, Ask, Node};
use super::schedule::{Census, number};
use super::task::{Status, Task};
use super::{GroupFacts, Region, World};

/// Seconds on AWS between two values of `CapacityProviderReservation`.
const METRIC: f64 = 60.0;
/// Values below the target in a row, each of them one `METRIC`, before a group is made smaller.
const PATIENCE: f64 = 15.0;

/// What managed scaling remembers of a provider.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scaling {
    /// When the next value is due.
    next: f64,
    low_since: Option<f64>,
    /// The last value.
    pub(crate) reservation: Option<f64>,
}

impl Region {
    /// Whether tasks of a provider wait for capacity.
    pub(super) fn scales(&self, provider: Option<&str>) -> bool {
        provider.and_then(|name| self.providers.get(name)).is_some_and(CapacityProvider::is_managed)
    }

    fn group_of<'a>(&self, world: &'a World, provider: &str) -> Option<&'a GroupFacts> {
        let arn = &self.providers.get(provider)?.group.auto_scaling_group_arn;
        world.groups.iter().find(|group| group.arn == *arn)
    }

    /// Whether a provider's group is as large as it may be, with no instance on its way.
    pub(super) fn is_full(&self, world: &World, provider: Option<&str>) -> bool {
        let Some(group) = provider.and_then(|name| self.group_of(world, name)) else { return true };
        let coming = |i: &crate::asg::Instance| i.group_arn == group.arn && !i.is_ending() && i.joined > world.now;
        group.desired >= group.max && !world.instances.iter().any(coming)
    }

    /// Tasks for which no capacity will come, and which keep the others waiting.
    pub(super) fn stuck(&self, world: &World, census: &Census) -> i64 {
        let waits = |task: &&Task| task.status == Status::Provisioning && self.is_full(world, task.provider.as_deref());
        number(census.new.iter().filter_map(|id| self.tasks.get(id)).filter(waits).count())
    }

    pub(super) fn scale(&mut self, world: &World, cluster: &str, nodes: &[Node]) {
        let names: Vec<String> = self
            .clusters
            .get(cluster)
            .map(|cluster| cluster.capacity_providers.iter().map(|name| super::short(name).to_owned()).collect())
            .unwrap_or_default();
        for name in names {
            let Some(provider) = self.providers.get(&name).filter(|provider| provider.is_managed()) else { continue };
            let (mut scaling, settings) = (provider.scaling, provider.group.managed_scaling.clone());
            let Some(group) = self.group_of(world, &name) else { continue };
            if scaling.next > world.now {
                self.wake(scaling.next);
                continue;
            }
            scaling.next = world.after(METRIC);
            let size = world.instances.iter().filter(|i| i.group_arn == group.arn && !i.is_ending()).count();
            let needed = self.needed(world, cluster, &name, group, nodes);
            let reservation = match (needed, size) {
                (0, 0) => 100.0,
                (_, 0) => 200.0,
                _ => needed as f64 / size as f64 * 100.0,
            };
            scaling.reservation = Some(reservation);
            let target = settings.target_capacity as f64;
            let wanted = (needed as f64 * 100.0 / target).ceil() as i64;
            let size = number(size);
            let (least, most) = (settings.minimum_scaling_step_size, settings.maximum_scaling_step_size);
            let mut desired = None;
            if reservation > target {
                scaling.low_since = None;
                desired = Some(size + (wanted - size).clamp(least, most.max(least)));
            } else if reservation < target {
                let since = *scaling.low_since.get_or_insert(world.now);
                // The first value counts itself.
                if world.now - since >= world.scaled(METRIC * (PATIENCE - 1.0)) - f64::EPSILON {
                    desired = Some(size - (size - wanted).clamp(0, most));
                    scaling.low_since = None;
                }
            } else {
                scaling.low_since = None;
            }
            let bounded = desired.map(|wanted| wanted.clamp(i64::from(group.min), i64::from(group.max)));
            if let Some(desired) = bounded.and_then(|wanted| u32::try_from(wanted).ok())
                && desired != group.desired
            {
                self.orders.push(Order::Desire { group: group.name.clone(), desired });
            }
            self.wake(scaling.next);
            if let Some(provider) = self.providers.get_mut(&name) {
                provider.scaling = scaling;
            }
        }
    }

    /// How many instances of a group its tasks need: those in use, and those that the waiting tasks would fill.
    fn needed(&self, world: &World, cluster: &str, provider: &str, group: &GroupFacts, nodes: &[Node]) -> usize {
        let mut own: Vec<Node> =
            nodes.iter().filter(|n| n.provider.as_deref() == Some(provider) && !n.draining).cloned().collect();
        let mut used: BTreeSet<usize> = (0..own.len()).filter(|place| own[*place].tasks > 0).collect();
        let kind = world.instances.iter().find(|i| i.group_arn == group.arn).map_or("", |i| i.kind.as_str());
        let machine = Machine::of(kind);
        let fresh = |number: usize| Node {
            id: format!("new-{number}"),
            provider: Some(provider.to_owned()),
            cpu: machine.cpu,
            memory: machine.memory,
            ..Node::default()
        };
        let waiting = |task: &&Task| {
            task.cluster == cluster
                && task.status == Status::Provisioning
                && task.is_wanted()
                && task.provider.as_deref() == Some(provider)
        };
        let strategies = [placement::Strategy::BinpackMemory];
        for task in self.tasks.values().filter(waiting) {
            let group = task.group();
            let constraints: &[placement::Constraint] =
                if self.is_distinct(task) { &[placement::Constraint::DistinctInstance] } else { &[] };
            let ask =
                Ask { need: &task.need, group: &group, provider: None, constraints, strategies: &strategies, seed: 0 };
            let place = placement::choose(&own, &ask).or_else(|_| {
                own.push(fresh(own.len()));
                placement::choose(&own[own.len() - 1..], &ask).map(|_| own.len() - 1)
            });
            // What fits on no instance of this kind makes no group grow.
            match place {
                Ok(place) => {
                    own[place].take(&task.need, &group);
                    used.insert(place);
                }
                Err(_) => {
                    own.pop();
                }
            }
        }
        used.len()
    }

    fn is_distinct(&self, task: &Task) -> bool {
        let service = self.services.get(&(task.cluster.clone(), task.service.clone()));
        service.is_some_and(|service| service.placement.0.contains(&placement::Constraint::DistinctInstance))
    }
}

impl CapacityProvider {
    pub(super) fn is_managed(&self) -> bool {
        self.active && self.group.managed_scaling.status == "ENABLED"
    }
}
