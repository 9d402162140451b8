//! Container instances: instances of Auto Scaling groups whose agent has joined a cluster.

use serde::Deserialize;
use serde_json::{Value, json};

use super::machine::Machine;
use super::task::Task;
use super::{Refusal, Region, Result, World, page, short, without_nulls};
use crate::asg::Instance;

/// Ports that the system and the agent hold.
pub(super) const RESERVED: [&str; 5] = ["22", "2375", "2376", "51678", "51679"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListInstancesRequest {
    cluster: Option<String>,
    status: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeInstancesRequest {
    cluster: Option<String>,
    container_instances: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstancesStateRequest {
    cluster: Option<String>,
    container_instances: Vec<String>,
    status: String,
}

impl Region {
    /// The instances that have joined a cluster and are not gone.
    pub(super) fn instances_of<'a>(&self, world: &'a World, cluster: &str) -> Vec<&'a Instance> {
        let joined =
            |i: &&Instance| i.cluster.as_deref() == Some(cluster) && i.joined <= world.now && !i.is_gone(world.now);
        world.instances.iter().filter(joined).collect()
    }

    pub(super) fn instance_arn(&self, cluster: &str, instance: &Instance) -> String {
        self.arn(&format!("container-instance/{cluster}/{}", crate::ids::digest(&format!("{cluster} {}", instance.id))))
    }

    fn instance_status(&self, cluster: &str, instance: &Instance) -> &'static str {
        let draining = instance.is_ending() || self.draining.contains(&self.instance_arn(cluster, instance));
        if draining { "DRAINING" } else { "ACTIVE" }
    }

    /// Lets tasks leave an instance, or come to it again.
    pub(super) fn update_instances_state(&mut self, world: &World, request: &InstancesStateRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?.name.clone();
        if !["ACTIVE", "DRAINING"].contains(&&*request.status) {
            return Err(Refusal::invalid("Container instance status must be ACTIVE or DRAINING."));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for given in &request.container_instances {
            let instance = self
                .instances_of(world, &cluster)
                .into_iter()
                .find(|i| short(&self.instance_arn(&cluster, i)) == short(given));
            let Some(instance) = instance else {
                failures.push(json!({ "arn": given, "reason": "MISSING" }));
                continue;
            };
            let arn = self.instance_arn(&cluster, instance);
            if request.status == "DRAINING" {
                self.draining.insert(arn.clone());
            } else {
                self.draining.remove(&arn);
            }
            found.push(self.instance_json(&cluster, &arn, instance, false));
        }
        Ok(json!({ "containerInstances": found, "failures": failures }))
    }

    pub(super) fn list_container_instances(&self, world: &World, request: &ListInstancesRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?.name.clone();
        let wanted =
            |i: &&Instance| request.status.as_deref().is_none_or(|wanted| wanted == self.instance_status(&cluster, i));
        let instances = self.instances_of(world, &cluster);
        let arns: Vec<String> = instances.into_iter().filter(wanted).map(|i| self.instance_arn(&cluster, i)).collect();
        let (arns, next) = page(&arns, request.next_token.as_deref(), request.max_results, 100)?;
        Ok(without_nulls(json!({ "containerInstanceArns": arns, "nextToken": next })))
    }

    pub(super) fn describe_container_instances(&self, world: &World, request: &DescribeInstancesRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?.name.clone();
        if request.container_instances.is_empty() {
            return Err(Refusal::invalid("Container instances cannot be empty."));
        }
        if request.container_instances.len() > 100 {
            return Err(Refusal::invalid("Container instances cannot have more than 100 elements."));
        }
        let tags = request.include.iter().any(|item| item == "TAGS");
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        let instances = self.instances_of(world, &cluster);
        for given in &request.container_instances {
            let mut all = instances.iter().map(|instance| (self.instance_arn(&cluster, instance), *instance));
            match all.find(|(arn, _)| short(arn) == short(given)) {
                Some((arn, instance)) => found.push(self.instance_json(&cluster, &arn, instance, tags)),
                None => failures.push(json!({ "arn": given, "reason": "MISSING" })),
            }
        }
        Ok(json!({ "containerInstances": found, "failures": failures }))
    }

    fn instance_json(&self, cluster: &str, arn: &str, instance: &Instance, tags: bool) -> Value {
        let machine = Machine::of(&instance.kind);
        let on =
            |task: &Task| task.is_alive() && task.place.as_ref().is_some_and(|place| place.instance == instance.id);
        let counts = self.counts(on);
        let mut left = machine;
        let mut ports: Vec<String> = RESERVED.iter().map(|port| (*port).to_owned()).collect();
        for task in self.tasks.values().filter(|task| on(task)) {
            left.cpu -= task.need.cpu;
            left.memory -= task.need.memory;
            ports.extend(task.containers.iter().flat_map(|c| c.ports.iter().map(|port| port.host.to_string())));
        }
        let reserved: Vec<String> = RESERVED.iter().map(|port| (*port).to_owned()).collect();
        without_nulls(json!({
            "containerInstanceArn": arn,
            "ec2InstanceId": instance.id,
            "capacityProviderName": self.provider_of(cluster, &instance.group_arn),
            "version": 3,
            "versionInfo": { "agentVersion": "1.99.0", "agentHash": "00000000", "dockerVersion": "DockerVersion: 25.0.8" },
            "registeredResources": resources(machine, &reserved),
            "remainingResources": resources(left, &ports),
            "status": self.instance_status(cluster, instance),
            "agentConnected": true,
            "runningTasksCount": counts.running,
            "pendingTasksCount": counts.pending,
            "attributes": attributes(instance, machine),
            "registeredAt": instance.joined,
            "attachments": [],
            "tags": if tags { json!([]) } else { Value::Null },
        }))
    }
}

fn resources(machine: Machine, held: &[String]) -> Value {
    let number = |name: &str, value: i64| json!({ "name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value });
    let ports = |name: &str, ports: &[String]| json!({ "name": name, "type": "STRINGSET", "doubleValue": 0.0, "longValue": 0, "integerValue": 0, "stringSetValue": ports });
    json!(
        [number("CPU", machine.cpu), number("MEMORY", machine.memory), ports("PORTS", held), ports("PORTS_UDP", &[]),]
    )
}

fn attributes(instance: &Instance, machine: Machine) -> Value {
    let with = |name: &str, value: &str| json!({ "name": name, "value": value });
    let alone = |name: &&str| json!({ "name": name });
    let mut all = vec![
        with("ecs.availability-zone", &instance.zone),
        with("ecs.subnet-id", &instance.subnet),
        with("ecs.instance-type", &instance.kind),
        with("ecs.ami-id", &instance.image),
        with("ecs.os-type", "linux"),
        with("ecs.os-family", "LINUX"),
        with("ecs.cpu-architecture", machine.architecture),
    ];
    let capabilities = [
        "com.amazonaws.ecs.capability.docker-remote-api.1.18",
        "com.amazonaws.ecs.capability.docker-remote-api.1.19",
        "com.amazonaws.ecs.capability.docker-remote-api.1.21",
        "com.amazonaws.ecs.capability.docker-remote-api.1.24",
        "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "com.amazonaws.ecs.capability.ecr-auth",
        "com.amazonaws.ecs.capability.task-iam-role",
        "ecs.capability.container-health-check",
        "ecs.capability.execution-role-awslogs",
        "ecs.capability.execution-role-ecr-pull",
        "ecs.capability.secrets.ssm.environment-variables",
        "ecs.capability.task-eni",
    ];
    all.extend(capabilities.iter().map(alone));
    Value::Array(all)
}
