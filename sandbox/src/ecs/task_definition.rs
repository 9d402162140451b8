//! Task definitions: families of numbered revisions.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::container::{self, Container, TaskLevel};
use super::service::Status;
use super::tags::{self, Tag};
use super::{Refusal, Region, Result, World, page, without_nulls};

/// All revisions of one name; numbers are never used twice.
#[derive(Debug, Default)]
pub(crate) struct Family {
    last: u32,
    pub(super) revisions: Vec<TaskDefinition>,
}

/// Whether new tasks may be made of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Inactive,
    Deleting,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Deleting => "DELETE_IN_PROGRESS",
        }
    }
}

/// One revision.
#[derive(Debug)]
pub(crate) struct TaskDefinition {
    pub(super) arn: String,
    revision: u32,
    pub(super) state: State,
    pub(super) containers: Vec<Container>,
    pub(super) rest: Map<String, Value>,
    pub(super) tags: Vec<Tag>,
    deregistered: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterRequest {
    family: String,
    #[serde(default)]
    container_definitions: Vec<Container>,
    network_mode: Option<String>,
    memory: Option<String>,
    cpu: Option<String>,
    task_role_arn: Option<String>,
    execution_role_arn: Option<String>,
    #[serde(default)]
    requires_compatibilities: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionRequest {
    task_definition: String,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionsRequest {
    task_definitions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListDefinitionsRequest {
    family_prefix: Option<String>,
    status: Option<String>,
    sort: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Region {
    pub(super) fn register_task_definition(&mut self, world: &World, request: RegisterRequest) -> Result {
        let (level, rest) = (check(&request)?, settings(&request, world.now, &self.account));
        let RegisterRequest { family: name, container_definitions: mut containers, tags, .. } = request;
        for container in &mut containers {
            container.fill(&level.network);
        }
        let prefix = self.arn(&format!("task-definition/{name}"));
        let family = self.families.entry(name).or_default();
        family.last += 1;
        let definition = TaskDefinition {
            arn: format!("{prefix}:{}", family.last),
            revision: family.last,
            state: State::Active,
            containers,
            rest,
            tags,
            deregistered: None,
        };
        let answer = json!({ "taskDefinition": definition.json(), "tags": definition.tags });
        family.revisions.push(definition);
        Ok(answer)
    }

    /// The revision that a text means: an ARN, `family:revision`, or a family, which is its latest active revision.
    pub(super) fn definition(&self, given: &str) -> Option<&TaskDefinition> {
        let (family, revision) = split(given);
        let revisions = &self.families.get(family)?.revisions;
        match revision {
            Some(revision) => revisions.iter().find(|definition| definition.revision == revision),
            None => revisions.iter().rev().find(|definition| definition.state == State::Active),
        }
    }

    /// The roles of a revision.
    pub(super) fn roles_of(&self, given: &str) -> Vec<String> {
        let found = self.definition(given).map(TaskDefinition::json).unwrap_or_default();
        let roles = ["executionRoleArn", "taskRoleArn"].iter().filter_map(|role| found[role].as_str());
        roles.map(ToOwned::to_owned).collect()
    }

    fn definition_mut(&mut self, given: &str) -> Option<&mut TaskDefinition> {
        let (family, revision) = split(given);
        let revisions = &mut self.families.get_mut(family)?.revisions;
        revisions.iter_mut().find(|definition| Some(definition.revision) == revision)
    }

    pub(super) fn describe_task_definition(&self, request: &DefinitionRequest) -> Result {
        let missing = || Refusal::client("Unable to describe task definition.");
        let found = self.definition(&request.task_definition).ok_or_else(missing)?;
        let tags = request.include.iter().any(|item| item == "TAGS");
        let tags = if tags { Some(&found.tags) } else { None };
        Ok(without_nulls(json!({ "taskDefinition": found.json(), "tags": tags })))
    }

    pub(super) fn list_task_definitions(&self, request: &ListDefinitionsRequest) -> Result {
        let status = request.status.as_deref().unwrap_or("ACTIVE");
        let families =
            self.families.iter().filter(|(name, _)| request.family_prefix.as_ref().is_none_or(|p| *name == p));
        let revisions = families.flat_map(|(_, family)| &family.revisions);
        let mut arns: Vec<&str> = revisions.filter(|d| d.state.name() == status).map(|d| d.arn.as_str()).collect();
        if request.sort.as_deref() == Some("DESC") {
            arns.reverse();
        }
        let (arns, next) = page(&arns, request.next_token.as_deref(), request.max_results, 100)?;
        Ok(without_nulls(json!({ "taskDefinitionArns": arns, "nextToken": next })))
    }

    pub(super) fn list_task_definition_families(&self, request: &ListDefinitionsRequest) -> Result {
        let prefix = request.family_prefix.as_deref().unwrap_or_default();
        let wanted = |family: &Family| {
            // A family of which all revisions were deleted is not told, though its number goes on.
            if family.revisions.is_empty() {
                return false;
            }
            let active = family.revisions.iter().any(|definition| definition.state == State::Active);
            match request.status.as_deref() {
                Some("ALL") | None => true,
                Some("INACTIVE") => !active,
                Some(_) => active,
            }
        };
        let families = self.families.iter().filter(|(name, family)| name.starts_with(prefix) && wanted(family));
        let names: Vec<&String> = families.map(|(name, _)| name).collect();
        let (names, next) = page(&names, request.next_token.as_deref(), request.max_results, 100)?;
        Ok(without_nulls(json!({ "families": names, "nextToken": next })))
    }

    pub(super) fn deregister_task_definition(&mut self, world: &World, request: &DefinitionRequest) -> Result {
        if split(&request.task_definition).1.is_none() {
            return Err(Refusal::client("Invalid revision number. Number: null"));
        }
        let missing = || Refusal::client("The specified task definition does not exist.");
        let found = self.definition_mut(&request.task_definition).ok_or_else(missing)?;
        if found.state == State::Active {
            found.state = State::Inactive;
            found.deregistered = Some(world.now);
        }
        Ok(json!({ "taskDefinition": found.json() }))
    }

    pub(super) fn delete_task_definitions(&mut self, _world: &World, request: &DefinitionsRequest) -> Result {
        if request.task_definitions.len() > 10 {
            return Err(Refusal::invalid("You can delete up to 10 task definitions."));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for given in &request.task_definitions {
            let reason = match self.definition_mut(given) {
                None => "TASK_DEFINITION_NOT_FOUND",
                Some(definition) if definition.state == State::Active => "TASK_DEFINITION_NOT_INACTIVE",
                Some(definition) => {
                    definition.state = State::Deleting;
                    found.push(definition.json());
                    continue;
                }
            };
            failures.push(json!({ "arn": given, "reason": reason }));
        }
        self.delete_unused();
        Ok(json!({ "taskDefinitions": found, "failures": failures }))
    }

    /// A revision that is to be deleted stays for as long as a task or a deployment refers to it. ECS looks periodically; here it
    /// goes at once.
    pub(super) fn delete_unused(&mut self) {
        let is_deleting = |definition: &TaskDefinition| definition.state == State::Deleting;
        if !self.families.values().any(|family| family.revisions.iter().any(is_deleting)) {
            return;
        }
        let deployed =
            self.services.values().filter(|service| service.status != Status::Inactive).flat_map(|service| {
                let deployments = service.deployments.iter().map(|deployment| &deployment.task_definition);
                deployments.chain([&service.task_definition])
            });
        let tasks = self.tasks.values().filter(|task| task.is_alive()).map(|task| &task.definition);
        let used: HashSet<String> = deployed.chain(tasks).cloned().collect();
        for family in self.families.values_mut() {
            family.revisions.retain(|definition| !is_deleting(definition) || used.contains(&definition.arn));
        }
    }
}

impl TaskDefinition {
    pub(super) fn execution_role(&self) -> Option<String> {
        self.rest.get("executionRoleArn")?.as_str().map(ToOwned::to_owned)
    }

    fn json(&self) -> Value {
        let mut map = self.rest.clone();
        map.insert("taskDefinitionArn".into(), json!(self.arn));
        map.insert("containerDefinitions".into(), json!(self.containers));
        map.insert("revision".into(), json!(self.revision));
        map.insert("status".into(), json!(self.state.name()));
        map.insert("deregisteredAt".into(), json!(self.deregistered));
        without_nulls(Value::Object(map))
    }
}

fn split(given: &str) -> (&str, Option<u32>) {
    let name = super::short(given);
    match name.split_once(':') {
        // A revision that is no number is one that does not exist.
        Some((family, revision)) => (family, Some(revision.parse().unwrap_or(0))),
        None => (name, None),
    }
}

fn check(request: &RegisterRequest) -> Result<TaskLevel> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if request.family.is_empty() {
        return Err(Refusal::client("Family should not be null or empty."));
    }
    if request.family.len() > 255 || !request.family.chars().all(valid) {
        return Err(Refusal::client("Family contains invalid characters."));
    }
    if request.container_definitions.is_empty() {
        return Err(Refusal::client("Container list cannot be empty."));
    }
    let number = |text: &Option<String>, what: &str| match text {
        None => Ok(None),
        Some(text) => {
            text.parse::<i64>().map(Some).map_err(|_| Refusal::client(format!("Invalid '{what}' setting for task.")))
        }
    };
    number(&request.cpu, "cpu")?;
    let level = TaskLevel {
        network: request.network_mode.clone().unwrap_or_else(|| "bridge".to_owned()),
        memory: number(&request.memory, "memory")?,
        execution_role: request.execution_role_arn.is_some(),
    };
    if !["bridge", "host", "awsvpc", "none"].contains(&&*level.network) {
        return Err(Refusal::client("Invalid network mode."));
    }
    for (place, container) in request.container_definitions.iter().enumerate() {
        container.check(&level)?;
        if request.container_definitions[..place].iter().any(|other| other.name == container.name) {
            return Err(Refusal::client("Container.name must be unique within a task definition."));
        }
    }
    if !request.container_definitions.iter().any(|container| container.essential) {
        return Err(Refusal::client("A task must have at least one essential container."));
    }
    tags::check(&request.tags)?;
    Ok(level)
}

/// Everything of a revision but its number, status and containers.
fn settings(request: &RegisterRequest, now: f64, account: &str) -> Map<String, Value> {
    let level = TaskLevel {
        network: request.network_mode.clone().unwrap_or_else(|| "bridge".to_owned()),
        memory: None,
        execution_role: request.execution_role_arn.is_some(),
    };
    let role = request.task_role_arn.is_some();
    let mut map = request.rest.clone();
    let fargate = level.network == "awsvpc" && request.cpu.is_some() && request.memory.is_some();
    let compatible: &[&str] = match (&*level.network, fargate) {
        ("awsvpc", true) => &["EC2", "FARGATE"],
        ("awsvpc", false) => &["EC2"],
        _ => &["EXTERNAL", "EC2"],
    };
    map.insert("family".into(), json!(request.family));
    map.insert("networkMode".into(), json!(request.network_mode));
    map.insert("memory".into(), json!(request.memory));
    map.insert("cpu".into(), json!(request.cpu));
    map.insert("taskRoleArn".into(), json!(request.task_role_arn));
    map.insert("executionRoleArn".into(), json!(request.execution_role_arn));
    map.insert("compatibilities".into(), json!(compatible));
    if !request.requires_compatibilities.is_empty() {
        map.insert("requiresCompatibilities".into(), json!(request.requires_compatibilities));
    }
    let needed = container::attributes(&request.container_definitions, role, &level);
    map.insert("requiresAttributes".into(), json!(needed));
    map.insert("registeredAt".into(), json!(now));
    map.insert("registeredBy".into(), json!(format!("arn:aws:iam::{account}:root")));
    map.entry("volumes").or_insert(json!([]));
    map.entry("placementConstraints").or_insert(json!([]));
    map
}
