//! Services: what is asked of them, kept and told. The scheduler makes it happen.

use serde_json::{Map, Value, json};

use super::cluster::StrategyItem;
use super::deployment::{Deployment, Rollout};
use super::placement::{self, Constraint, Strategy};
use super::schedule::Census;
use super::service_check::{check_balancers, check_grace, check_percents, check_target_groups, named};
use super::service_request::{
    CreateServiceRequest, DeleteServiceRequest, DescribeServicesRequest, ListServicesRequest, UpdateServiceRequest,
};
use super::tags::{self, Tag};
use super::task::Task;
use super::{Refusal, Region, Result, World, page, short, without_nulls};
use crate::alb::Target;

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Draining,
    Inactive,
}

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) cluster: String,
    pub(super) status: Status,
    pub(super) desired: i64,
    pub(super) task_definition: String,
    pub(super) strategy: Vec<StrategyItem>,
    pub(super) launch_type: Option<String>,
    pub(super) load_balancers: Vec<Value>,
    pub(super) grace: Option<i64>,
    pub(super) deployment_configuration: Value,
    /// Settings that the sandbox keeps and tells again without acting on them.
    pub(super) rest: Map<String, Value>,
    pub(super) placement: (Vec<Constraint>, Vec<Strategy>),
    /// The primary one first.
    pub(super) deployments: Vec<Deployment>,
    /// The task definition of the last deployment that was completed, for the circuit breaker's rollback.
    pub(super) completed: Option<String>,
    /// Its last event was that it is steady.
    pub(super) steady: bool,
    /// Newest first: when, and AWS's words.
    pub(super) events: Vec<(String, f64, String)>,
    pub(super) created: f64,
    pub(super) tags: Vec<Tag>,
    client_token: Option<String>,
}

impl Region {
    pub(super) fn create_service(&mut self, world: &World, request: CreateServiceRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        let key = (cluster.name.clone(), request.service_name.clone());
        self.check_service(cluster, &request)?;
        check_target_groups(world, &request.load_balancers)?;
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
        check_target_groups(world, request.load_balancers.as_deref().unwrap_or_default())?;
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
        service.status = Status::Draining;
        service.desired = 0;
        if let Some(primary) = service.deployments.first_mut() {
            (primary.desired, primary.updated) = (0, world.now);
        }
        let service = self.services.get(&key).ok_or(Refusal::ServiceNotFound)?;
        let answer = service.json(self, true);
        let busy = self.tasks.values().any(|task| task.is_alive() && task.cluster == key.0 && task.service == key.1);
        if !busy && let Some(service) = self.services.get_mut(&key) {
            // With no task to stop it is inactive at once; the answer still says that it drains, as AWS's does.
            service.status = Status::Inactive;
        }
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
            deployments: Vec::new(),
            completed: None,
            steady: false,
            placement: placement::read(rest.get("placementConstraints"), rest.get("placementStrategy")),
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
        service.begin(world);
        service.finish(world, &Census::default(), service.desired);
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
        self.placement = placement::read(self.rest.get("placementConstraints"), self.rest.get("placementStrategy"));
        if changed {
            self.begin(world);
        }
        let desired = self.desired;
        if let Some(primary) = self.deployments.first_mut() {
            (primary.updated, primary.desired) = (world.now, desired);
        }
        self.steady = false;
    }

    /// A new primary deployment.
    fn begin(&mut self, world: &World) {
        let mut deployment = Deployment::new(world, &self.task_definition);
        deployment.strategy = self.strategy.clone();
        deployment.launch_type = self.launch_type.clone();
        deployment.desired = self.desired;
        for old in &mut self.deployments {
            // What was not completed has been overtaken.
            if old.rollout == Rollout::InProgress {
                old.updated = world.now;
            }
        }
        self.deployments.insert(0, deployment);
        self.steady = false;
    }

    /// Adds an event; AWS keeps the last hundred.
    pub(super) fn event(&mut self, now: f64, text: String) {
        self.events.insert(0, (crate::ids::uuid(), now, text));
        self.events.truncate(100);
    }

    /// A number of its deployment configuration.
    pub(super) fn percent(&self, key: &str, usual: i64) -> i64 {
        self.deployment_configuration[key].as_i64().unwrap_or(usual)
    }

    /// Where a task of it is to be registered.
    pub(super) fn targets_of(&self, task: &Task) -> Vec<Target> {
        let target = |balancer: &Value| {
            let text = |key: &str| balancer[key].as_str();
            let port = balancer["containerPort"].as_u64()?;
            task.target(text("targetGroupArn")?, text("containerName")?, port)
        };
        self.load_balancers.iter().filter_map(target).collect()
    }

    /// Whether a cluster has it among its services.
    pub(super) fn counts_for(&self, cluster: &str) -> bool {
        self.cluster == cluster && self.status != Status::Inactive
    }

    /// Whether it takes its capacity in a cluster from a provider.
    pub(super) fn uses(&self, cluster: &str, provider: &str) -> bool {
        self.counts_for(cluster) && self.strategy.iter().any(|item| item.capacity_provider == short(provider))
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
