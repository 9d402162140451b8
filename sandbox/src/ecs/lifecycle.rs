//! What moves a task from one state to the next: its instance's reports, its end, and time.

use super::placement::Port;
use super::task::{Health, Status, Stop, Task};
use super::{Region, World};
use crate::alb::{Balancer, Target};

/// Seconds on AWS that containers take to end after they were told to: assumed, for what ends at SIGTERM.
const STOPPING: f64 = 2.0;
/// Seconds on AWS from the end of the containers to `STOPPED`: assumed.
const DEPROVISIONING: f64 = 1.0;
/// Stopped tasks are told for an hour on AWS; here as many as these.
const KEPT: usize = 500;

/// What the scheduler wants done outside of ECS.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// An instance's agent pulls and starts a task.
    Start(Box<Launch>),
    /// An instance's agent ends a task.
    Halt(String),
    /// Managed scaling sets a group's desired capacity.
    Desire { group: String, desired: u32 },
    /// A draining instance is empty, so that its end needs to wait no more.
    Release(String),
}

/// A task for an agent.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) task: String,
    pub(crate) instance: String,
    pub(crate) architecture: &'static str,
    /// The role with which the agent asks for the containers' secrets.
    pub(crate) execution_role: Option<String>,
    /// Definition, and host ports.
    pub(crate) containers: Vec<(super::container::Container, Vec<Port>)>,
}

/// What an agent tells about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    Pulling,
    /// The digest of each container's image, in their order.
    Pulled(Vec<Option<String>>),
    /// No container could be started, in ECS's words.
    Failed(String),
    Started,
    Exited {
        container: String,
        code: i64,
        reason: Option<String>,
    },
    Health {
        container: String,
        healthy: bool,
    },
}

impl Region {
    /// Takes an agent's word.
    pub(crate) fn report(&mut self, world: &World, id: &str, report: Report) {
        self.dirty = true;
        let Some(task) = self.tasks.get_mut(id) else { return };
        match report {
            Report::Pulling => task.pulled.0 = Some(world.now),
            Report::Pulled(digests) => {
                task.pulled.1 = Some(world.now);
                for (container, digest) in task.containers.iter_mut().zip(digests) {
                    container.digest = digest;
                }
            }
            Report::Started if task.status == Status::Pending => {
                task.status = Status::Running;
                task.started = Some(world.now);
                task.containers.iter_mut().for_each(|container| container.status = Status::Running);
            }
            Report::Started => {}
            Report::Failed(reason) => {
                for container in &mut task.containers {
                    container.reason = Some(reason.clone());
                }
                self.fail_task(world, id, Stop::new("TaskFailedToStart", reason, true));
            }
            Report::Exited { container, code, reason } => {
                let Some(found) = task.containers.iter_mut().find(|other| other.name == container) else { return };
                (found.exit, found.reason, found.status) = (Some(code), reason, Status::Stopped);
                if found.essential {
                    let stop = Stop::new("EssentialContainerExited", "Essential container in task exited", true);
                    self.fail_task(world, id, stop);
                }
            }
            Report::Health { container, healthy } => {
                let health = if healthy { Health::Healthy } else { Health::Unhealthy };
                task.containers.iter_mut().filter(|c| c.name == container).for_each(|c| c.health = health);
            }
        }
    }

    /// Ends a task in order: out of the load balancers first, then its containers.
    pub(super) fn end_task(&mut self, world: &World, id: &str, stop: Stop) {
        self.dirty = true;
        let Some(task) = self.tasks.get_mut(id).filter(|task| task.is_wanted()) else { return };
        task.stop = Some(stop);
        task.stopping = Some(world.now);
        match task.status {
            Status::Provisioning => {
                task.status = Status::Deprovisioning;
                task.due = Some(world.now);
            }
            _ => {
                task.status = Status::Deactivating;
                task.due = Some(world.now);
            }
        }
    }

    /// A task that has ended by itself, or with its instance: nothing is left to wait for.
    pub(super) fn fail_task(&mut self, world: &World, id: &str, stop: Stop) {
        self.dirty = true;
        let Some(task) = self.tasks.get_mut(id).filter(|task| task.is_alive()) else { return };
        task.stop.get_or_insert(stop);
        task.stopping.get_or_insert(world.now);
        task.executed.get_or_insert(world.now);
        task.containers.iter_mut().for_each(|container| container.status = Status::Stopped);
        task.status = Status::Deprovisioning;
        task.due = Some(world.after(DEPROVISIONING));
        self.orders.push(Order::Halt(id.to_owned()));
    }

    /// Carries tasks on whose time has come.
    pub(super) fn advance(&mut self, world: &World, balancer: &mut dyn Balancer) {
        // Where a task has ended by itself, nothing is sent there from now on.
        for task in self.tasks.values_mut().filter(|task| task.status == Status::Deprovisioning) {
            for target in std::mem::take(&mut task.targets) {
                balancer.deregister(world.now, &target);
            }
        }
        let due = |task: &Task| task.is_alive() && task.due.is_some_and(|due| due <= world.now);
        let ids: Vec<String> = self.tasks.values().filter(|task| due(task)).map(|task| task.id.clone()).collect();
        for id in ids {
            // A task may pass through several states at once when its times are all in the past.
            while self.tasks.get(&id).is_some_and(due) {
                self.step(world, &id, balancer);
            }
        }
        self.forget();
    }

    fn step(&mut self, world: &World, id: &str, balancer: &mut dyn Balancer) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        let targets = std::mem::take(&mut task.targets);
        for target in &targets {
            balancer.deregister(world.now, target);
        }
        let told = targets.iter().map(|target| target.group.clone()).collect::<Vec<_>>();
        match task.status {
            Status::Deactivating if targets.iter().any(|target| balancer.knows(target)) => {
                task.due = Some(world.after(1.0));
                // Kept to ask again whether the load balancer has let go.
                task.targets = targets;
                if task.executed.is_none() {
                    task.executed = Some(world.now);
                    self.tell_drain(world, id, &told);
                }
                return;
            }
            Status::Deactivating => {
                task.status = Status::Stopping;
                task.executed = Some(world.now);
                task.due = Some(world.after(STOPPING));
                self.orders.push(Order::Halt(id.to_owned()));
                self.tell(world, id, |name, task| {
                    format!("(service {name}) has stopped 1 running tasks: (task {}).", task.id)
                });
            }
            Status::Stopping => {
                task.status = Status::Deprovisioning;
                task.due = Some(world.after(DEPROVISIONING));
                for container in &mut task.containers {
                    container.status = Status::Stopped;
                    container.exit.get_or_insert(0);
                }
            }
            Status::Deprovisioning => {
                task.status = Status::Stopped;
                task.stopped = Some(world.now);
                task.due = None;
                task.containers.iter_mut().for_each(|container| container.status = Status::Stopped);
            }
            _ => task.due = None,
        }
        self.dirty = true;
    }

    fn tell_drain(&mut self, world: &World, id: &str, groups: &[String]) {
        for group in groups {
            self.tell(world, id, |name, _| {
                format!("(service {name}) deregistered 1 targets in (target-group {group})")
            });
        }
        self.tell(world, id, |name, _| format!("(service {name}) has begun draining connections on 1 tasks."));
    }

    /// An event of the task's service.
    fn tell(&mut self, world: &World, id: &str, text: impl Fn(&str, &Task) -> String) {
        let Some(task) = self.tasks.get(id) else { return };
        if let Some(service) = self.services.get_mut(&(task.cluster.clone(), task.service.clone())) {
            service.event(world.now, text(&task.service, task));
        }
    }

    /// The longest stopped are told no more.
    fn forget(&mut self) {
        let stopped = |task: &&Task| !task.is_alive();
        let count = self.tasks.values().filter(stopped).count();
        if count <= KEPT {
            return;
        }
        let mut old: Vec<(f64, String)> =
            self.tasks.values().filter(stopped).map(|t| (t.stopped.unwrap_or(0.0), t.id.clone())).collect();
        old.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, id) in old.into_iter().take(count - KEPT) {
            self.tasks.remove(&id);
        }
    }
}

impl Task {
    /// Its place behind a target group.
    pub(super) fn target(&self, group: &str, container: &str, port: u64) -> Option<Target> {
        let place = self.place.as_ref()?;
        let port = self.host_port(container, port)?;
        Some(Target { group: group.to_owned(), id: place.instance.clone(), port })
    }
}
