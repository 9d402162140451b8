//! How a service is told.

use serde_json::{Value, json};

use super::deployment::Counts;
use super::service::{Service, Status};
use super::task::{Status as TaskStatus, Task};
use super::{Region, without_nulls};

impl Region {
    /// How many tasks run and how many are about to, among those that `wanted` chooses.
    pub(super) fn counts(&self, wanted: impl Fn(&Task) -> bool) -> Counts {
        let mut counts = Counts::default();
        for task in self.tasks.values().filter(|task| wanted(task)) {
            match task.status {
                TaskStatus::Running => counts.running += 1,
                TaskStatus::Provisioning | TaskStatus::Pending => counts.pending += 1,
                _ => {}
            }
        }
        counts
    }
}

impl Service {
    fn owns(&self, task: &Task) -> bool {
        task.cluster == self.cluster && task.service == self.name
    }

    pub(super) fn json(&self, region: &Region, tags: bool) -> Value {
        let mut map = self.rest.clone();
        let status = match self.status {
            Status::Active => "ACTIVE",
            Status::Draining => "DRAINING",
            Status::Inactive => "INACTIVE",
        };
        let balanced = !self.load_balancers.is_empty();
        let role = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";
        let events = self.events.iter().map(|(id, at, text)| json!({ "id": id, "createdAt": at, "message": text }));
        let counts = region.counts(|task| self.owns(task));
        let deployment = |(place, deployment): (usize, &super::deployment::Deployment)| {
            let own = region.counts(|task| self.owns(task) && task.deployment == deployment.id);
            deployment.json(place == 0, own)
        };
        let listed = if self.status == Status::Inactive { &[][..] } else { &self.deployments[..] };
        let deployments: Vec<Value> = listed.iter().enumerate().map(deployment).collect();
        for (key, value) in [
            ("serviceArn", json!(self.arn)),
            ("serviceName", json!(self.name)),
            ("clusterArn", json!(region.arn(&format!("cluster/{}", self.cluster)))),
            ("loadBalancers", json!(self.load_balancers)),
            ("status", json!(status)),
            ("desiredCount", json!(self.desired)),
            ("runningCount", json!(counts.running)),
            ("pendingCount", json!(counts.pending)),
            ("launchType", json!(self.launch_type)),
            ("capacityProviderStrategy", if self.strategy.is_empty() { Value::Null } else { json!(self.strategy) }),
            ("taskDefinition", json!(self.task_definition)),
            ("deploymentConfiguration", self.deployment_configuration.clone()),
            ("deployments", json!(deployments)),
            ("roleArn", if balanced { json!(format!("arn:aws:iam::{}:{role}", region.account)) } else { Value::Null }),
            ("events", events.collect()),
            ("createdAt", json!(self.created)),
            ("createdBy", json!(format!("arn:aws:iam::{}:root", region.account))),
            ("healthCheckGracePeriodSeconds", json!(self.grace.or(balanced.then_some(0)))),
            ("tags", if tags && !self.tags.is_empty() { json!(self.tags) } else { Value::Null }),
        ] {
            map.insert(key.to_owned(), value);
        }
        without_nulls(Value::Object(map))
    }
}
