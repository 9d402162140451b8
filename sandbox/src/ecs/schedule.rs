//! The scheduler: starts the tasks that a service lacks, ends those that it has too many of, within its percents.

use std::collections::HashMap;

use super::deployment::Rollout;
use super::lifecycle::{Launch, Order};
use super::machine::Machine;
use super::percent::{at_least, at_most};
use super::placement::{self, Ask, Blocked, Node};
use super::service::{Service, Status as ServiceStatus};
use super::task::{Place, Status, Stop, Task};
use super::task_definition::TaskDefinition;
use super::{Region, World};
use crate::alb::Balancer;

/// Seconds on AWS after which the scheduler tries a placement again that failed: assumed.
const RETRY: f64 = 15.0;
/// Seconds on AWS between two events that say the same.
const SAY_AGAIN: f64 = 60.0;

/// The tasks of a service, as the scheduler divides them.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Of the primary deployment, on instances that stay, and wanted.
    pub(super) new: Vec<String>,
    /// Wanted, but to be replaced.
    pub(super) old: Vec<String>,
    /// Ending, and not ended.
    pub(super) ending: usize,
    pub(super) healthy: HashMap<String, bool>,
}

impl Census {
    fn count_healthy(&self, ids: &[String]) -> i64 {
        number(ids.iter().filter(|id| self.is_healthy(id)).count())
    }

    fn is_healthy(&self, id: &str) -> bool {
        self.healthy.get(id).copied().unwrap_or(false)
    }
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Region {
    /// Brings everything to where it stands now, and says what is to be done outside.
    pub(crate) fn tick(&mut self, world: &World, balancer: &mut dyn Balancer) -> Vec<Order> {
        self.lose_instances(world);
        self.advance(world, balancer);
        let clusters: Vec<String> = self.clusters.values().filter(|c| c.active).map(|c| c.name.clone()).collect();
        for cluster in clusters {
            let mut nodes = self.nodes(world, &cluster);
            let keys: Vec<_> = self.services.keys().filter(|(of, _)| *of == cluster).cloned().collect();
            let mut tasks = self.tasks_by_service(&cluster);
            for key in keys {
                // Taken out for the while, so that the tasks can be changed beside it.
                let Some(mut service) = self.services.remove(&key) else { continue };
                let ids = tasks.remove(&key.1).unwrap_or_default();
                self.run_service(world, &mut service, ids, &mut nodes, balancer);
                self.services.insert(key, service);
            }
            self.scale(world, &cluster, &nodes);
        }
        self.release_instances(world);
        self.advance(world, balancer);
        self.delete_unused();
        std::mem::take(&mut self.orders)
    }

    fn tasks_by_service(&mut self, cluster: &str) -> HashMap<String, Vec<String>> {
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        for task in self.tasks.values().filter(|task| task.cluster == cluster) {
            self.work.tasks += 1;
            // A failed task is looked at until its failure is counted.
            if task.is_alive() || !task.counted {
                found.entry(task.service.clone()).or_default().push(task.id.clone());
            }
        }
        found
    }

    fn run_service(
        &mut self,
        world: &World,
        service: &mut Service,
        mut ids: Vec<String>,
        nodes: &mut [Node],
        balancer: &mut dyn Balancer,
    ) {
        self.watch(world, service, &ids, balancer);
        ids.retain(|id| self.tasks.get(id).is_some_and(Task::is_alive));
        if service.status != ServiceStatus::Active {
            for id in &ids {
                let deployment = self.tasks.get(id).map(|task| task.deployment.clone()).unwrap_or_default();
                self.end_task(world, id, Stop::scaling(&deployment));
            }
            // The last ones may be stopping still.
            let stops = |id: &String| self.tasks.get(id).is_none_or(|task| task.status >= Status::Stopping);
            if ids.iter().all(stops) {
                service.status = ServiceStatus::Inactive;
            }
            return;
        }
        self.place_waiting(world, service, &ids, nodes);
        let census = self.census(world, service, &ids, nodes, balancer);
        let lacking = self.start_missing(world, service, &census, nodes) + self.stuck(world, &census);
        self.end_surplus(world, service, &census, lacking);
        let census = self.census(world, service, &ids, nodes, balancer);
        service.finish(world, &census, lacking);
    }

    fn census(
        &self,
        world: &World,
        service: &Service,
        ids: &[String],
        nodes: &[Node],
        balancer: &dyn Balancer,
    ) -> Census {
        let draining: Vec<&str> = nodes.iter().filter(|node| node.draining).map(|node| node.id.as_str()).collect();
        let mut census = Census::default();
        let primary = service.deployments.first().map(|deployment| deployment.id.as_str());
        for task in ids.iter().filter_map(|id| self.tasks.get(id)) {
            if !task.is_wanted() {
                census.ending += 1;
                continue;
            }
            let leaving = task.place.as_ref().is_some_and(|place| draining.contains(&place.instance.as_str()));
            census.healthy.insert(task.id.clone(), service.is_healthy(world, task, balancer));
            if Some(task.deployment.as_str()) == primary && !leaving {
                census.new.push(task.id.clone());
            } else {
                census.old.push(task.id.clone());
            }
        }
        census
    }

    /// Gives places to tasks that wait for capacity.
    fn place_waiting(&mut self, world: &World, service: &mut Service, ids: &[String], nodes: &mut [Node]) {
        for id in ids {
            let Some(mut task) = self.tasks.get(id).filter(|t| t.status == Status::Provisioning).cloned() else {
                continue;
            };
            if !task.is_wanted() {
                continue;
            }
            match self.put(service, &mut task, nodes) {
                Ok(()) => {
                    self.tasks.insert(task.id.clone(), task);
                    self.dirty = true;
                }
                Err(blocked) => {
                    self.wake(world.after(RETRY));
                    if world.tells_no_room && self.is_full(world, task.provider.as_deref()) {
                        service.unable(world, &blocked);
                    }
                    // The others are of the same size, and find no place either.
                    return;
                }
            }
        }
    }

    /// Starts what is missing as far as the maximum percent allows; how many more are missing.
    fn start_missing(&mut self, world: &World, service: &mut Service, census: &Census, nodes: &mut [Node]) -> i64 {
        let missing = service.desired - number(census.new.len());
        let Some(primary) = service.deployments.first() else { return 0 };
        if missing <= 0 || primary.rollout == Rollout::Failed {
            return 0;
        }
        if primary.not_before > world.now {
            let at = primary.not_before;
            self.wake(at);
            return 0;
        }
        let most = at_most(service.desired, service.percent("maximumPercent", 200));
        let alive = number(census.new.len() + census.old.len() + census.ending);
        let allowed = missing.min(most - alive).max(0);
        let mut started = Vec::new();
        for _ in 0..allowed {
            match self.start_one(world, service, census, &started, nodes) {
                Ok(id) => started.push(id),
                Err(blocked) => {
                    service.unable(world, &blocked);
                    self.wake(world.after(RETRY));
                    break;
                }
            }
        }
        if !started.is_empty() {
            let list: String = started.iter().map(|id| format!(" (task {id})")).collect();
            service.event(world.now, format!("(service {}) has started {} tasks:{list}.", service.name, started.len()));
            self.dirty = true;
        }
        missing - number(started.len())
    }

    fn start_one(
        &mut self,
        world: &World,
        service: &Service,
        census: &Census,
        started: &[String],
        nodes: &mut [Node],
    ) -> Result<String, Blocked> {
        let deployment = service.deployments.first().map(|d| d.id.clone()).unwrap_or_default();
        let definition = self.definition(&service.task_definition).ok_or(Blocked::NoInstances)?;
        let mut task = self.new_task(world, &service.cluster, &service.name, &deployment, definition);
        task.tags = service.tags_of_tasks(definition);
        let of = |id: &String| self.tasks.get(id).and_then(|task| task.provider.clone());
        let providers: Vec<String> = census.new.iter().chain(started).filter_map(of).collect();
        task.provider = next_provider(service, &providers);
        match self.put(service, &mut task, nodes) {
            Ok(()) => {}
            // Only tasks of a provider that scales wait for capacity; they are what it scales by.
            Err(blocked) if blocked.helped_by_capacity() && self.scales(task.provider.as_deref()) => {}
            Err(blocked) => return Err(blocked),
        }
        let id = task.id.clone();
        self.tasks.insert(id.clone(), task);
        Ok(id)
    }

    /// Puts a task on an instance and orders its start.
    fn put(&mut self, service: &Service, task: &mut Task, nodes: &mut [Node]) -> Result<(), Blocked> {
        self.work.placements += 1;
        self.work.nodes += nodes.len() as u64;
        let group = task.group();
        let ask = Ask {
            need: &task.need,
            group: &group,
            provider: task.provider.as_deref(),
            constraints: &service.placement.0,
            strategies: &service.placement.1,
            seed: u64::from_str_radix(task.id.get(..8).unwrap_or("0"), 16).unwrap_or(0),
        };
        let chosen = placement::choose(nodes, &ask)?;
        let Some(node) = nodes.get_mut(chosen) else { return Err(Blocked::NoInstances) };
        let ports = node.take(&task.need, &group);
        self.next_ports.insert(node.id.clone(), node.next_port);
        let attribute = |name: &str| node.attributes.get(name).cloned().unwrap_or_default();
        let zone = attribute("ecs.availability-zone");
        task.place = Some(Place { instance: node.id.clone(), arn: node.arn.clone(), zone });
        task.status = Status::Pending;
        for container in &mut task.containers {
            let own = ports.iter().filter(|(name, _)| *name == container.name);
            container.ports = own.map(|(_, port)| port.clone()).collect();
        }
        let definition = self.definition(&task.definition);
        let execution_role = definition.and_then(TaskDefinition::execution_role);
        let definitions = definition.map(|definition| definition.containers.clone()).unwrap_or_default();
        let ports = task.containers.iter().map(|container| container.ports.clone());
        self.orders.push(Order::Start(Box::new(Launch {
            task: task.id.clone(),
            instance: node.id.clone(),
            architecture: Machine::of(&attribute("ecs.instance-type")).architecture,
            execution_role,
            containers: definitions.into_iter().zip(ports).collect(),
        })));
        Ok(())
    }

    /// Ends old tasks that new ones have replaced or must make room for, and new ones above the desired count.
    fn end_surplus(&mut self, world: &World, service: &Service, census: &Census, lacking: i64) {
        for id in self.above_desired(service, census) {
            self.end_by_scaling(world, &id);
        }
        let least = at_least(service.desired, service.percent("minimumHealthyPercent", 100));
        let failed = service.deployments.first().is_some_and(|primary| primary.rollout == Rollout::Failed);
        if failed || census.old.is_empty() {
            return;
        }
        let (well, ill): (Vec<&String>, Vec<&String>) = census.old.iter().partition(|id| census.is_healthy(id));
        let new_healthy = census.count_healthy(&census.new);
        let spare = (new_healthy + number(well.len()) - least).max(0);
        let replaced = (new_healthy + number(well.len()) - service.desired).max(0);
        // Ill ones count as nothing, so that ending them costs nothing.
        let room = (lacking - number(census.ending) - number(ill.len())).max(0);
        for id in ill {
            self.end_by_scaling(world, id);
        }
        let count = usize::try_from(spare.min(replaced.max(room))).unwrap_or(0);
        for id in well.into_iter().take(count) {
            self.end_by_scaling(world, id);
        }
    }

    fn end_by_scaling(&mut self, world: &World, id: &str) {
        let deployment = self.tasks.get(id).map(|task| task.deployment.clone()).unwrap_or_default();
        self.end_task(world, id, Stop::scaling(&deployment));
    }

    /// The tasks of the primary deployment that are too many: those that do not run yet, then of the fullest zone.
    fn above_desired(&self, service: &Service, census: &Census) -> Vec<String> {
        let count = usize::try_from(number(census.new.len()) - service.desired).unwrap_or(0);
        let mut zones: HashMap<&str, i64> = HashMap::new();
        let mut ranked = Vec::new();
        for task in census.new.iter().filter_map(|id| self.tasks.get(id)) {
            let zone = task.place.as_ref().map_or("", |place| place.zone.as_str());
            let nth = zones.entry(zone).or_default();
            *nth += 1;
            ranked.push((task.status, census.is_healthy(&task.id), -*nth, task.id.clone()));
        }
        ranked.sort();
        ranked.into_iter().take(count).map(|(.., id)| id).collect()
    }
}

/// The provider that is furthest below its share: bases first, then by weight.
fn next_provider(service: &Service, taken: &[String]) -> Option<String> {
    let count = |name: &str| number(taken.iter().filter(|other| *other == name).count());
    let short = |item: &&super::cluster::StrategyItem| count(&item.capacity_provider) < item.base;
    let below_base = service.strategy.iter().find(short);
    let weighted = service.strategy.iter().filter(|item| item.weight > 0);
    let share = |item: &&super::cluster::StrategyItem| {
        (count(&item.capacity_provider) - item.base).max(0) * 1000 / item.weight.max(1)
    };
    below_base.or_else(|| weighted.min_by_key(share)).map(|item| item.capacity_provider.clone())
}

impl Service {
    /// Says that no instance can take a task, unless it has just been said.
    pub(super) fn unable(&mut self, world: &World, blocked: &Blocked) {
        let text = format!(
            "(service {}) was unable to place a task because no container instance met all of its requirements. {} For more \
             information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
            self.name,
            blocked.text()
        );
        let said = |(_, at, last): &(String, f64, String)| *last == text && world.now - at < world.scaled(SAY_AGAIN);
        if !self.events.iter().take(5).any(said) {
            self.event(world.now, text);
        }
    }
}
