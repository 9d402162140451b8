//! Services and their deployments. Without a scheduler a service of no tasks is steady at once, and one of some tasks waits.

use serde_json::{Map, Value, json};

use super::cluster::StrategyItem;
use super::service_check::{check_balancers, check_grace, check_percents, named};
use super::service_request::{
    CreateServiceRequest, DeleteServiceRequest, DescribeServicesRequest, ListServicesRequest, UpdateServiceRequest,
};
use super::tags::{self, Tag};
use super::{Refusal, Region, Result, World, page, short, without_nulls};

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Inactive,
}

/// A deployment of a service.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    id: String,
    task_definition: String,
    created: f64,
    updated: f64,
}

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    name: String,
    pub(super) arn: String,
    cluster: String,
    status: Status,
    desired: i64,
    pub(super) task_definition: String,
    strategy: Vec<StrategyItem>,
    launch_type: Option<String>,
    load_balancers: Vec<Value>,
    grace: Option<i64>,
    deployment_configuration: Value,
    /// Settings that the sandbox keeps and tells again without acting on them.
    rest: Map<String, Value>,
    deployment: Deployment,
    /// Newest first: when, and AWS's words.
    events: Vec<(String, f64, String)>,
    created: f64,
    pub(super) tags: Vec<Tag>,
    client_token: Option<String>,
}

impl Region {
    pub(super) fn create_service(&mut self, world: &World, request: CreateServiceRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        let key = (cluster.name.clone(), request.service_name.clone());
        self.check_service(cluster, &request)?;
        tags::check(&request.tags)?;
        let default_strategy = cluster.default_strategy.clone();
        if let Some(service) = self.services.get(&key).filter(|service| service.status == Status::Active) {
            // The same call again, by its token, is answered as the first was.
            if request.client_token.is_some() && request.client_token == service.client_token {
                return Ok(json!({ "service": service.json(self, true) }));
            }
            return Err(Refusal::invalid("Creation of service was not idempotent."));
        }
        let given = request.task_definition.as_deref().unwrap_or_default();
        let definition = self.usable_definition(given)?.arn.clone();
        let arn = self.arn(&format!("service/{}/{}", key.0, key.1));
        let service = Service::new(world, arn, &key.0, definition, default_strategy, request);
        let answer = json!({ "service": service.json(self, true) });
        self.services.insert(key, service);
        Ok(answer)
    }

    pub(super) fn describe_services(&self, request: &DescribeServicesRequest) -> Result {
        if request.services.is_empty() {
            return Err(Refusal::invalid("Services cannot be empty."));
        }
        if request.services.len() > 10 {
            return Err(Refusal::invalid("Services cannot have more than 10 elements."));
        }
        let cluster = self.cluster(request.cluster.as_deref())?.name.clone();
        let tags = request.include.iter().any(|item| item == "TAGS");
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for given in &request.services {
            match self.services.get(&(cluster.clone(), short(given).to_owned())) {
                Some(service) => found.push(service.json(self, tags)),
                None => {
                    let arn = self.arn(&format!("service/{cluster}/{}", short(given)));
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        Ok(json!({ "services": found, "failures": failures }))
    }

    pub(super) fn update_service(&mut self, world: &World, request: UpdateServiceRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        let key = (cluster.name.clone(), short(&request.service).to_owned());
        let service = self.services.get(&key).ok_or(Refusal::ServiceNotFound)?;
        if service.status != Status::Active {
            return Err(Refusal::ServiceNotActive);
        }
        let definition = request.task_definition.as_deref().unwrap_or(&service.task_definition);
        let definition = match request.task_definition {
            Some(_) => self.usable_definition(definition)?,
            None => self.definition(definition).ok_or_else(|| Refusal::client("TaskDefinition not found."))?,
        };
        let balancers = request.load_balancers.as_ref().unwrap_or(&service.load_balancers);
        check_balancers(balancers, definition)?;
        check_grace(request.health_check_grace_period_seconds, balancers)?;
        check_percents(request.deployment_configuration.as_ref().unwrap_or(&service.deployment_configuration))?;
        if let Some(strategy) = &request.capacity_provider_strategy {
            super::cluster::check_strategy(strategy, &cluster.capacity_providers)?;
        }
        let definition = definition.arn.clone();
        let service = self.services.get_mut(&key).ok_or(Refusal::ServiceNotFound)?;
        service.update(world, definition, request);
        let service = self.services.get(&key).ok_or(Refusal::ServiceNotFound)?;
        Ok(json!({ "service": service.json(self, true) }))
    }

    pub(super) fn delete_service(&mut self, world: &World, request: &DeleteServiceRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?.name.clone();
        let key = (cluster, short(&request.service).to_owned());
        let service = self.services.get_mut(&key).ok_or(Refusal::ServiceNotFound)?;
        if service.status != Status::Active {
            return Err(Refusal::ServiceNotActive);
        }
        let daemon = service.rest.get("schedulingStrategy").is_some_and(|strategy| strategy == "DAEMON");
        if service.desired > 0 && !request.force && !daemon {
            return Err(Refusal::invalid("The service cannot be stopped while it is scaled above 0."));
        }
        // With no task to stop it is inactive at once; the answer still says that it drains, as AWS's does.
        service.status = Status::Inactive;
        service.desired = 0;
        service.deployment.updated = world.now;
        let service = self.services.get(&key).ok_or(Refusal::ServiceNotFound)?;
        let mut answer = service.json(self, true);
        answer["status"] = json!("DRAINING");
        Ok(json!({ "service": answer }))
    }

    pub(super) fn list_services(&self, request: &ListServicesRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        let wanted = |service: &&Service| {
            let strategy = service.rest.get("schedulingStrategy").and_then(Value::as_str).unwrap_or("REPLICA");
            service.counts_for(&cluster.name)
                && request.launch_type.as_ref().is_none_or(|kind| service.launch_type.as_ref() == Some(kind))
                && request.scheduling_strategy.as_ref().is_none_or(|wanted| wanted == strategy)
        };
        let arns: Vec<&str> = self.services.values().filter(wanted).map(|service| service.arn.as_str()).collect();
        let (arns, next) = page(&arns, request.next_token.as_deref(), request.max_results, 10)?;
        Ok(without_nulls(json!({ "serviceArns": arns, "nextToken": next })))
    }
}

impl Service {
    fn new(
        world: &World,
        arn: String,
        cluster: &str,
        task_definition: String,
        default_strategy: Vec<StrategyItem>,
        request: CreateServiceRequest,
    ) -> Self {
        let explicit = !request.capacity_provider_strategy.is_empty() || request.launch_type.is_some();
        let strategy = if explicit { request.capacity_provider_strategy } else { default_strategy };
        let launch_type = request.launch_type.or_else(|| strategy.is_empty().then(|| "EC2".to_owned()));
        let mut rest = request.rest;
        rest.insert("schedulingStrategy".into(), json!(request.scheduling_strategy.as_deref().unwrap_or("REPLICA")));
        for (key, value) in [
            ("placementConstraints", json!([])),
            ("placementStrategy", json!([])),
            ("serviceRegistries", json!([])),
            ("propagateTags", json!("NONE")),
            ("enableECSManagedTags", json!(false)),
            ("enableExecuteCommand", json!(false)),
            ("availabilityZoneRebalancing", json!("DISABLED")),
            ("deploymentController", json!({ "type": "ECS" })),
        ] {
            rest.entry(key).or_insert(value);
        }
        let mut service = Self {
            name: request.service_name,
            arn,
            cluster: cluster.to_owned(),
            status: Status::Active,
            desired: request.desired_count.unwrap_or(0),
            deployment: Deployment::new(world, &task_definition),
            task_definition,
            strategy: named(strategy),
            launch_type,
            load_balancers: request.load_balancers,
            grace: request.health_check_grace_period_seconds,
            deployment_configuration: filled(json!({}), &request.deployment_configuration),
            rest,
            events: Vec::new(),
            created: world.now,
            tags: request.tags,
            client_token: request.client_token,
        };
        service.settle(world);
        service
    }

    fn update(&mut self, world: &World, definition: String, request: UpdateServiceRequest) {
        let strategy = request.capacity_provider_strategy.map(named);
        let changed = request.force_new_deployment
            || definition != self.task_definition
            || strategy.as_ref().is_some_and(|strategy| *strategy != self.strategy)
            || request.load_balancers.as_ref().is_some_and(|balancers| *balancers != self.load_balancers);
        if let Some(strategy) = strategy {
            self.launch_type = strategy.is_empty().then(|| "EC2".to_owned());
            self.strategy = strategy;
        }
        self.task_definition = definition;
        self.desired = request.desired_count.unwrap_or(self.desired);
        self.load_balancers = request.load_balancers.unwrap_or_else(|| std::mem::take(&mut self.load_balancers));
        self.grace = request.health_check_grace_period_seconds.or(self.grace);
        if let Some(configuration) = request.deployment_configuration {
            self.deployment_configuration = filled(self.deployment_configuration.take(), &configuration);
        }
        self.rest.extend(request.rest);
        if changed {
            self.deployment = Deployment::new(world, &self.task_definition);
        }
        self.deployment.updated = world.now;
        self.settle(world);
    }

    /// What a service that has all the tasks it wants says.
    fn settle(&mut self, world: &World) {
        if self.desired > 0 {
            return;
        }
        let completed = format!("(service {}) (deployment {}) deployment completed.", self.name, self.deployment.id);
        let steady = format!("(service {}) has reached a steady state.", self.name);
        for text in [completed, steady] {
            if self.events.first().is_none_or(|(_, _, last)| *last != text) {
                self.events.insert(0, (crate::ids::uuid(), world.now, text));
            }
        }
        self.events.truncate(100);
    }

    /// Whether a cluster has it among its services.
    pub(super) fn counts_for(&self, cluster: &str) -> bool {
        self.cluster == cluster && self.status == Status::Active
    }

    /// Whether it takes its capacity in a cluster from a provider.
    pub(super) fn uses(&self, cluster: &str, provider: &str) -> bool {
        self.counts_for(cluster) && self.strategy.iter().any(|item| item.capacity_provider == short(provider))
    }

    fn json(&self, region: &Region, tags: bool) -> Value {
        let mut map = self.rest.clone();
        let active = self.status == Status::Active;
        let balanced = !self.load_balancers.is_empty();
        let role = "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";
        let events = self.events.iter().map(|(id, at, text)| json!({ "id": id, "createdAt": at, "message": text }));
        let deployments = if active { vec![self.deployment_json()] } else { Vec::new() };
        for (key, value) in [
            ("serviceArn", json!(self.arn)),
            ("serviceName", json!(self.name)),
            ("clusterArn", json!(region.arn(&format!("cluster/{}", self.cluster)))),
            ("loadBalancers", json!(self.load_balancers)),
            ("status", json!(if active { "ACTIVE" } else { "INACTIVE" })),
            ("desiredCount", json!(self.desired)),
            ("runningCount", json!(0)),
            ("pendingCount", json!(0)),
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

    fn deployment_json(&self) -> Value {
        let deployment = &self.deployment;
        let (state, reason) =
            if self.desired == 0 { ("COMPLETED", "completed") } else { ("IN_PROGRESS", "in progress") };
        without_nulls(json!({
            "id": deployment.id,
            "status": "PRIMARY",
            "taskDefinition": deployment.task_definition,
            "desiredCount": self.desired,
            "pendingCount": 0,
            "runningCount": 0,
            "failedTasks": 0,
            "createdAt": deployment.created,
            "updatedAt": deployment.updated,
            "capacityProviderStrategy": if self.strategy.is_empty() { Value::Null } else { json!(self.strategy) },
            "launchType": self.launch_type,
            "rolloutState": state,
            "rolloutStateReason": format!("ECS deployment {} {reason}.", deployment.id),
        }))
    }
}

impl Deployment {
    fn new(world: &World, task_definition: &str) -> Self {
        Self {
            id: format!("ecs-svc/{}", crate::ids::number()),
            task_definition: task_definition.to_owned(),
            created: world.now,
            updated: world.now,
        }
    }
}

/// A deployment configuration with the members of another over it, and AWS's values where neither has one.
fn filled(kept: Value, given: &Value) -> Value {
    let mut map = match kept {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Value::Object(given) = given {
        map.extend(given.clone());
    }
    let breaker = json!({ "enable": false, "rollback": false });
    for (key, value) in [
        ("deploymentCircuitBreaker", breaker),
        ("maximumPercent", json!(200)),
        ("minimumHealthyPercent", json!(100)),
        ("strategy", json!("ROLLING")),
        ("bakeTimeInMinutes", json!(0)),
    ] {
        map.entry(key).or_insert(value);
    }
    Value::Object(map)
}
