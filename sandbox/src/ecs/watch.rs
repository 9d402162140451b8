//! What the scheduler sees of running tasks: targets to register, failed health checks, failures to count.

use super::deployment::{Deployment, Rollout};
use super::percent::breaker_threshold;
use super::schedule::Census;
use super::service::Service;
use super::task::{Health, Status, Stop, Task};
use super::{Region, World};
use crate::alb::{Balancer, Target};

/// Failures in a row after which ECS waits before it tries again, and seconds on AWS by which each makes it wait longer:
/// assumed.
const PATIENCE: (i64, f64) = (2, 10.0);
/// AWS's word for the longest: 27 minutes.
const LONGEST_WAIT: f64 = 1620.0;
/// Seconds on AWS after which a task counts as healthy that neither a container check nor a load balancer looks at.
const UNCHECKED: f64 = 40.0;

impl Region {
    pub(super) fn watch(&mut self, world: &World, service: &mut Service, ids: &[String], balancer: &mut dyn Balancer) {
        for id in ids {
            self.register(world, service, id, balancer);
            self.check_health(world, service, id, balancer);
            self.count(world, service, id, balancer);
        }
        if service.deployments.first().is_some_and(|d| d.rollout == Rollout::InProgress) {
            self.break_circuit(world, service);
        }
    }

    /// Puts a task that has started behind its target groups.
    fn register(&mut self, world: &World, service: &mut Service, id: &str, balancer: &mut dyn Balancer) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        if task.status != Status::Running || !task.is_wanted() || task.targets.len() == service.load_balancers.len() {
            return;
        }
        task.targets = service.targets_of(task);
        for target in &task.targets {
            balancer.register(world.now, target);
            let text = format!("(service {}) registered 1 targets in (target-group {})", service.name, target.group);
            service.event(world.now, text);
        }
    }

    fn check_health(&mut self, world: &World, service: &mut Service, id: &str, balancer: &mut dyn Balancer) {
        let Some(task) = self.tasks.get(id).filter(|t| t.status == Status::Running && t.is_wanted()) else { return };
        if task.health() == Health::Unhealthy {
            service.event(world.now, format!("(service {}) (task {id}) failed container health checks.", service.name));
            let stop = Stop::new("ServiceSchedulerInitiated", "Task failed container health checks", true);
            self.end_task(world, id, stop);
            return;
        }
        let grace = world.scaled(service.grace.unwrap_or(0) as f64);
        let until = task.started.unwrap_or(world.now) + grace;
        let failed = |target: &Target| balancer.complaint(target).map(|why| (target.clone(), why));
        let Some((target, why)) = task.targets.iter().find_map(failed) else { return };
        if until > world.now {
            self.wake(until);
            return;
        }
        let Target { group, id: instance, port } = &target;
        service.event(
            world.now,
            format!(
                "(service {}) (instance {instance}) (port {port}) is unhealthy in (target-group {group}) due to (reason {why})",
                service.name
            ),
        );
        let reason = format!("Task failed ELB health checks in (target-group {group})");
        self.end_task(world, id, Stop::new("ServiceSchedulerInitiated", reason, true));
    }

    /// Counts a success or a failure for the task's deployment, each once.
    fn count(&mut self, world: &World, service: &mut Service, id: &str, balancer: &dyn Balancer) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        let healthy = service.is_healthy(world, task, balancer);
        let Some(deployment) = service.deployments.iter_mut().find(|d| d.id == task.deployment) else {
            task.counted = task.counted || !task.is_alive();
            return;
        };
        if healthy && task.is_wanted() && !task.was_healthy {
            task.was_healthy = true;
            deployment.failed = 0;
        }
        let unchecked = task.unchecked_until(world).filter(|until| *until > world.now);
        let ended = task.stop.as_ref().map(|stop| stop.failure);
        if let (Some(until), None) = (unchecked, ended) {
            self.wake(until);
        }
        let Some(task) = self.tasks.get_mut(id) else { return };
        if task.counted || ended.is_none() {
            return;
        }
        task.counted = true;
        if ended == Some(true) {
            deployment.failed += 1;
            deployment.updated = world.now;
            // Tasks that have run are started anew at once.
            if task.started.is_none() {
                let (few, step) = PATIENCE;
                let wait = (step * (deployment.failed - few).max(0) as f64).min(LONGEST_WAIT);
                deployment.not_before = world.after(wait);
            }
        }
    }

    /// Gives a deployment up whose tasks only fail.
    fn break_circuit(&mut self, world: &World, service: &mut Service) {
        let breaker = &service.deployment_configuration["deploymentCircuitBreaker"];
        let (enabled, rollback) = (breaker["enable"] == true, breaker["rollback"] == true);
        let threshold = breaker_threshold(service.desired);
        let Some(primary) = service.deployments.first_mut() else { return };
        if !enabled || primary.failed < threshold {
            return;
        }
        let reason = "ECS deployment circuit breaker: tasks failed to start.".to_owned();
        primary.set(world.now, Rollout::Failed, reason);
        let (name, id) = (service.name.clone(), primary.id.clone());
        service
            .event(world.now, format!("(service {name}) (deployment {id}) deployment failed: tasks failed to start."));
        let Some(last) = service.completed.clone().filter(|_| rollback) else { return };
        let mut back = Deployment::new(world, &last);
        back.strategy = service.strategy.clone();
        back.launch_type = service.launch_type.clone();
        back.desired = service.desired;
        back.reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", back.id);
        service.event(world.now, format!("(service {name}) rolling back to (deployment {}).", back.id));
        service.task_definition = last;
        service.deployments.insert(0, back);
    }
}

impl Task {
    /// Until when a running task counts as not healthy yet though nothing checks its containers.
    fn unchecked_until(&self, world: &World) -> Option<f64> {
        let unchecked = self.health() == Health::None && self.targets.is_empty();
        self.started.filter(|_| unchecked).map(|started| started + world.scaled(UNCHECKED))
    }
}

impl Service {
    /// Whether one of its tasks counts towards the minimum healthy percent.
    pub(super) fn is_healthy(&self, world: &World, task: &Task, balancer: &dyn Balancer) -> bool {
        let checked = match task.health() {
            Health::Healthy => true,
            Health::None if self.load_balancers.is_empty() => {
                task.unchecked_until(world).is_some_and(|until| until <= world.now)
            }
            Health::None => true,
            Health::Unknown | Health::Unhealthy => false,
        };
        task.status == Status::Running
            && checked
            && task.targets.len() == self.load_balancers.len()
            && task.targets.iter().all(|target| balancer.is_healthy(target))
    }

    /// Ends a deployment that has all of its tasks, and says when nothing is left to do.
    pub(super) fn finish(&mut self, world: &World, census: &Census, lacking: i64) {
        let desired = self.desired;
        let healthy = census.new.iter().filter(|id| census.healthy.get(*id) == Some(&true)).count();
        let complete = census.old.is_empty()
            && lacking <= 0
            && usize::try_from(desired).is_ok_and(|desired| census.new.len() == desired && healthy == desired);
        let Some(primary) = self.deployments.first_mut() else { return };
        primary.desired = if primary.rollout == Rollout::Failed { 0 } else { desired };
        if !complete || census.ending > 0 || primary.rollout == Rollout::Failed {
            self.steady = false;
            return;
        }
        let (id, rollout) = (primary.id.clone(), primary.rollout);
        if rollout == Rollout::InProgress {
            primary.set(world.now, Rollout::Completed, format!("ECS deployment {id} completed."));
            self.completed = Some(primary.task_definition.clone());
            self.event(world.now, format!("(service {}) (deployment {id}) deployment completed.", self.name));
        }
        self.deployments.truncate(1);
        if !self.steady {
            self.steady = true;
            self.event(world.now, format!("(service {}) has reached a steady state.", self.name));
        }
    }
}
