//! Container definitions: what AWS checks in them, and what it fills in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Refusal, Result};

/// A port of a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PortMapping {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) container_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host_port: Option<u16>,
    #[serde(default = "tcp")]
    pub(crate) protocol: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

fn tcp() -> String {
    "tcp".to_owned()
}

/// One container; what the sandbox does not act on is kept and told again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) image: String,
    #[serde(default)]
    pub(crate) cpu: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_reservation: Option<i64>,
    #[serde(default)]
    pub(crate) port_mappings: Vec<PortMapping>,
    #[serde(default = "yes")]
    pub(crate) essential: bool,
    #[serde(default)]
    pub(crate) environment: Vec<Value>,
    #[serde(default)]
    mount_points: Vec<Value>,
    #[serde(default)]
    volumes_from: Vec<Value>,
    #[serde(default)]
    system_controls: Vec<Value>,
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

fn yes() -> bool {
    true
}

impl Container {
    /// Refuses what AWS refuses; `task` says what the task definition gives for all containers.
    pub(super) fn check(&self, task: &TaskLevel) -> Result<()> {
        let name = &self.name;
        if name.is_empty() {
            return Err(Refusal::client("Container.name should not be null or empty."));
        }
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.len() > 255 || !name.chars().all(valid) {
            return Err(Refusal::client("Container.name contains invalid characters."));
        }
        if self.image.is_empty() {
            return Err(Refusal::client("Container.image should not be null or empty."));
        }
        self.check_sizes(task)?;
        self.check_log()?;
        for port in &self.port_mappings {
            if port.container_port.is_none() && !port.rest.contains_key("containerPortRange") {
                return Err(Refusal::client("Container port must be between 1 and 65535."));
            }
            let fixed = port.host_port.filter(|host| *host != 0 && Some(*host) != port.container_port);
            if task.network != "bridge" && fixed.is_some() {
                return Err(Refusal::client(format!(
                    "When networkMode={}, the host ports and container ports in port mappings must match.",
                    task.network
                )));
            }
        }
        if self.has_secrets() && !task.execution_role {
            return Err(Refusal::client(
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            ));
        }
        Ok(())
    }

    fn check_sizes(&self, task: &TaskLevel) -> Result<()> {
        let invalid =
            |text: String| Err(Refusal::client(format!("Invalid setting for container '{}'. {text}", self.name)));
        if self.cpu < 0 {
            return invalid("CPU must not be negative.".into());
        }
        match (self.memory, self.memory_reservation) {
            (None, None) if task.memory.is_none() => {
                return invalid("At least one of 'memory' or 'memoryReservation' must be specified.".into());
            }
            (Some(memory), _) if memory < 6 => return invalid("The minimum memory is 6 MiB.".into()),
            (Some(memory), Some(reserved)) if reserved > memory => {
                return invalid("The 'memoryReservation' value must be less than 'memory'.".into());
            }
            _ => {}
        }
        if let (Some(of_task), Some(own)) = (task.memory, self.memory)
            && own > of_task
        {
            return invalid("The 'memory' of a container must not exceed that of its task.".into());
        }
        Ok(())
    }

    fn check_log(&self) -> Result<()> {
        let Some(log) = self.rest.get("logConfiguration") else { return Ok(()) };
        let options = &log["options"];
        if log["logDriver"] == "awslogs"
            && !(options["awslogs-group"].is_string() && options["awslogs-region"].is_string())
        {
            return Err(Refusal::client("Log driver awslogs requires options: awslogs-group, awslogs-region"));
        }
        Ok(())
    }

    /// Fills in what AWS fills in.
    pub(super) fn fill(&mut self, network: &str) {
        for port in &mut self.port_mappings {
            let same = if network == "bridge" { Some(0) } else { port.container_port };
            port.host_port = port.host_port.or(same);
        }
        if let Some(Value::Object(check)) = self.rest.get_mut("healthCheck") {
            for (key, value) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
                check.entry(key).or_insert(json!(value));
            }
        }
    }

    pub(super) fn has_secrets(&self) -> bool {
        self.rest.get("secrets").and_then(Value::as_array).is_some_and(|secrets| !secrets.is_empty())
    }
}

/// What the task definition says for all of its containers.
pub(super) struct TaskLevel {
    pub(super) network: String,
    pub(super) memory: Option<i64>,
    pub(super) execution_role: bool,
}

/// What an instance must be able to do for these containers.
pub(super) fn attributes(containers: &[Container], task_role: bool, level: &TaskLevel) -> Vec<Value> {
    let mut names: Vec<&str> = vec!["com.amazonaws.ecs.capability.docker-remote-api.1.18"];
    let logs = |c: &Container| c.rest.get("logConfiguration").is_some_and(|log| log["logDriver"] == "awslogs");
    if containers.iter().any(logs) {
        names.extend([
            "com.amazonaws.ecs.capability.logging-driver.awslogs",
            "com.amazonaws.ecs.capability.docker-remote-api.1.19",
        ]);
        if level.execution_role {
            names.push("ecs.capability.execution-role-awslogs");
        }
    }
    if containers.iter().any(|container| container.image.contains(".dkr.ecr.")) {
        names.push("com.amazonaws.ecs.capability.ecr-auth");
        if level.execution_role {
            names.push("ecs.capability.execution-role-ecr-pull");
        }
    }
    if containers.iter().any(Container::has_secrets) {
        names.push("ecs.capability.secrets.ssm.environment-variables");
    }
    if containers.iter().any(|container| container.rest.contains_key("healthCheck")) {
        names.extend(["ecs.capability.container-health-check", "com.amazonaws.ecs.capability.docker-remote-api.1.24"]);
    }
    if containers.iter().any(|container| container.memory_reservation.is_some()) {
        names.push("com.amazonaws.ecs.capability.docker-remote-api.1.21");
    }
    if task_role {
        names.push("com.amazonaws.ecs.capability.task-iam-role");
    }
    if level.network == "awsvpc" {
        names.push("ecs.capability.task-eni");
    }
    names.into_iter().map(|name| json!({ "name": name })).collect()
}
