//! The calls about tasks.

use serde::Deserialize;
use serde_json::{Value, json};

use super::task::{Health, Status, Stop, Task, TaskContainer};
use super::{Refusal, Region, Result, World, page, short, without_nulls};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTasksRequest {
    cluster: Option<String>,
    service_name: Option<String>,
    container_instance: Option<String>,
    family: Option<String>,
    started_by: Option<String>,
    desired_status: Option<String>,
    launch_type: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct DescribeTasksRequest {
    cluster: Option<String>,
    tasks: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct StopTaskRequest {
    cluster: Option<String>,
    task: String,
    reason: Option<String>,
}

impl Region {
    pub(super) fn list_tasks(&self, request: &ListTasksRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        if let Some(service) = &request.service_name
            && !self.services.contains_key(&(cluster.name.clone(), short(service).to_owned()))
        {
            return Err(Refusal::ServiceNotFound);
        }
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| short(wanted) == found);
        let family = |task: &Task| short(&task.definition).split(':').next().unwrap_or_default().to_owned();
        let wanted = |task: &&Task| {
            task.cluster == cluster.name
                && is(&request.service_name, &task.service)
                && is(&request.family, &family(task))
                && request.started_by.as_ref().is_none_or(|by| *by == task.deployment)
                && request.desired_status.as_deref().unwrap_or("RUNNING") == desired_status(task)
                && request.launch_type.as_deref().is_none_or(|kind| kind == "EC2")
                && request
                    .container_instance
                    .as_ref()
                    .is_none_or(|wanted| task.place.as_ref().is_some_and(|place| short(&place.arn) == short(wanted)))
        };
        let arns: Vec<&str> = self.tasks.values().filter(wanted).map(|task| task.arn.as_str()).collect();
        let (arns, next) = page(&arns, request.next_token.as_deref(), request.max_results, 100)?;
        Ok(without_nulls(json!({ "taskArns": arns, "nextToken": next })))
    }

    pub(super) fn describe_tasks(&self, request: &DescribeTasksRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        if request.tasks.is_empty() {
            return Err(Refusal::invalid("Tasks cannot be empty."));
        }
        if request.tasks.len() > 100 {
            return Err(Refusal::invalid("Tasks cannot have more than 100 elements."));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for given in &request.tasks {
            match self.tasks.get(short(given)).filter(|task| task.cluster == cluster.name) {
                Some(task) => {
                    let mut told = self.task_json(task);
                    if request.include.iter().any(|item| item == "TAGS") {
                        told["tags"] = json!(task.tags);
                    }
                    found.push(told);
                }
                None => {
                    let arn = self.arn(&format!("task/{}/{}", cluster.name, short(given)));
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        Ok(json!({ "tasks": found, "failures": failures }))
    }

    pub(super) fn stop_task(&mut self, world: &World, request: &StopTaskRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?.name.clone();
        let id = short(&request.task).to_owned();
        let missing = || Refusal::invalid("The referenced task was not found.");
        if self.tasks.get(&id).is_none_or(|task| task.cluster != cluster) {
            return Err(missing());
        }
        let reason = request.reason.as_deref().unwrap_or("Task stopped by user");
        self.end_task(world, &id, Stop::new("UserInitiated", reason, false));
        let task = self.tasks.get(&id).ok_or_else(missing)?;
        Ok(json!({ "task": self.task_json(task) }))
    }

    fn task_json(&self, task: &Task) -> Value {
        let place = task.place.as_ref();
        let architecture = json!([{ "name": "ecs.cpu-architecture", "value": "arm64" }]);
        without_nulls(json!({
            "taskArn": task.arn,
            "clusterArn": self.arn(&format!("cluster/{}", task.cluster)),
            "taskDefinitionArn": task.definition,
            "containerInstanceArn": place.map(|place| &place.arn),
            "availabilityZone": place.map(|place| &place.zone),
            "group": task.group(),
            "startedBy": task.deployment,
            "capacityProviderName": task.provider,
            "launchType": "EC2",
            "lastStatus": task.status.name(),
            "desiredStatus": desired_status(task),
            "healthStatus": health_name(task.health()),
            "cpu": task.need.cpu.to_string(),
            "memory": task.need.memory.to_string(),
            "containers": task.containers.iter().map(|c| self.container_json(task, c)).collect::<Vec<_>>(),
            "connectivity": place.map(|_| "CONNECTED"),
            "connectivityAt": place.map(|_| task.created),
            "createdAt": task.created,
            "pullStartedAt": task.pulled.0,
            "pullStoppedAt": task.pulled.1,
            "startedAt": task.started,
            "stoppingAt": task.stopping,
            "executionStoppedAt": task.executed,
            "stoppedAt": task.stopped,
            "stopCode": task.stop.as_ref().map(|stop| stop.code),
            "stoppedReason": task.stop.as_ref().map(|stop| &stop.reason),
            "attributes": architecture,
            "attachments": [],
            "enableExecuteCommand": false,
            "overrides": { "containerOverrides": [], "inferenceAcceleratorOverrides": [] },
            "tags": [],
            "version": 1 + task.status as i64,
        }))
    }

    fn container_json(&self, task: &Task, container: &TaskContainer) -> Value {
        let id = crate::ids::digest(&format!("{} {}", task.id, container.name));
        let binding = |port: &super::placement::Port| json!({ "bindIP": "0.0.0.0", "containerPort": port.container, "hostPort": port.host, "protocol": port.protocol });
        let bindings: Vec<Value> = if container.status == Status::Running || container.exit.is_some() {
            container.ports.iter().map(binding).collect()
        } else {
            Vec::new()
        };
        json!({
            "containerArn": self.arn(&format!("container/{}/{}/{id}", task.cluster, task.id)),
            "taskArn": task.arn,
            "name": container.name,
            "image": container.image,
            "imageDigest": container.digest,
            "runtimeId": task.started.map(|_| format!("{id}{id}")),
            "lastStatus": container.status.name(),
            "exitCode": container.exit,
            "reason": container.reason,
            "networkBindings": bindings,
            "networkInterfaces": [],
            "healthStatus": health_name(container.health),
            "cpu": container.cpu.to_string(),
            "memory": container.memory.map(|memory| memory.to_string()),
            "memoryReservation": container.memory_reservation.map(|memory| memory.to_string()),
        })
    }
}

fn desired_status(task: &Task) -> &'static str {
    if task.is_wanted() { "RUNNING" } else { "STOPPED" }
}

fn health_name(health: Health) -> &'static str {
    match health {
        Health::None | Health::Unknown => "UNKNOWN",
        Health::Healthy => "HEALTHY",
        Health::Unhealthy => "UNHEALTHY",
    }
}
