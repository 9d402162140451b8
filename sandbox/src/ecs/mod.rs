//! ECS, answered by the sandbox itself: what is asked for is checked as AWS checks it, kept in memory per account and
//! region, and told again in AWS's words. Each noun has its file; all of them are pure functions on a [`Region`].

mod capacity_provider;
mod cluster;
mod container;
mod deployment;
mod expression;
mod instance;
mod lifecycle;
mod machine;
mod nodes;
mod percent;
mod placement;
#[cfg(test)]
mod property_tests;
mod refusal;
mod scaling;
mod schedule;
#[cfg(test)]
mod scheduler_tests;
mod service;
mod service_check;
mod service_json;
mod service_request;
#[cfg(test)]
mod sim;
mod tags;
mod task;
mod task_api;
mod task_definition;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::Answer;
use crate::asg::{Instance, Place, Tag as GroupTag};
use crate::gateway::Shared;
use crate::gateway::naming::{Name, Protocol};
pub(crate) use container::Container;
pub(crate) use lifecycle::{Launch, Order, Report};
pub(crate) use placement::Port;
pub(crate) use refusal::Refusal;

/// What ECS sees of the rest of AWS while it answers one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// Seconds since 1970.
    pub(crate) now: f64,
    /// How many times as fast as AWS its durations pass; 0 counts as 1.
    pub(crate) speed: f64,
    /// The instances of all Auto Scaling groups.
    pub(crate) instances: Vec<Instance>,
    pub(crate) groups: Vec<GroupFacts>,
    /// Target groups, and whether a load balancer forwards to each; none where nobody looked.
    pub(crate) target_groups: Option<HashMap<String, bool>>,
    /// Whether a service says that there is no room for tasks which wait for a capacity provider.
    pub(crate) tells_no_room: bool,
}

/// What ECS knows of an Auto Scaling group.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupFacts {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) desired: u32,
}

impl World {
    /// How long a duration of AWS takes here.
    pub(crate) fn scaled(&self, seconds: f64) -> f64 {
        if self.speed > 0.0 { seconds / self.speed } else { seconds }
    }

    /// Another one when instances or groups are others, or have come further.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for instance in &self.instances {
            (&instance.id, instance.joined <= self.now, instance.draining, instance.gone.is_some()).hash(&mut hasher);
        }
        for group in &self.groups {
            (&group.arn, group.min, group.max, group.desired).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The time that many seconds of AWS from now.
    pub(crate) fn after(&self, seconds: f64) -> f64 {
        self.now + self.scaled(seconds)
    }
}

/// How much work the sandbox's own services have done: what a test counts instead of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// How often the scheduler looked at a task.
    pub tasks: u64,
    /// How often it looked for a place for one.
    pub placements: u64,
    /// How many instances it looked at for that.
    pub nodes: u64,
    /// How many health checks load balancers made.
    pub probes: u64,
}

/// All that ECS keeps for one account in one region.
#[derive(Debug, Default)]
pub(crate) struct Region {
    account: String,
    region: String,
    clusters: BTreeMap<String, cluster::Cluster>,
    providers: BTreeMap<String, capacity_provider::CapacityProvider>,
    families: BTreeMap<String, task_definition::Family>,
    /// By cluster and name.
    services: BTreeMap<(String, String), service::Service>,
    tasks: BTreeMap<String, task::Task>,
    /// Container instances that somebody set to `DRAINING`, by ARN.
    draining: BTreeSet<String>,
    /// By EC2 instance: where the search for a dynamic port goes on.
    next_ports: HashMap<String, u16>,
    orders: Vec<Order>,
    /// Something changed since the last tick.
    dirty: bool,
    /// When the next tick is due without a change.
    next: f64,
    /// The instances and groups of the last tick.
    seen: u64,
    work: Work,
}

/// The body of an answer, or why there is none.
pub(crate) type Result<T = Value> = std::result::Result<T, Refusal>;

/// ECS in every account and region.
#[derive(Debug, Default)]
pub(crate) struct Ecs {
    places: Mutex<HashMap<Place, Region>>,
    /// Whether a service says that it finds no room for tasks which wait for a capacity provider: AWS does so at times.
    tells_no_room: AtomicBool,
}

impl Ecs {
    pub(crate) async fn answer(&self, shared: &Shared, name: &Name, body: &[u8]) -> Answer {
        let place = Place::of(name);
        let now = shared.clock.now();
        let mut world = Self::world(shared, &place);
        if matches!(&*name.action, "CreateService" | "UpdateService") {
            shared.alb.config(&shared.upstream, &place).await;
            world.target_groups = Some(shared.alb.groups(&place));
        }
        let result = self.act(&place, &world, name, body);
        if name.writes() {
            shared.pulse.notify_one();
        }
        match result {
            Ok(value) => {
                if name.action == "CreateCapacityProvider" || name.action == "UpdateCapacityProvider" {
                    mark_managed(shared, &place, now, &value);
                }
                Answer::json(&value)
            }
            Err(refusal) => Answer::error(Protocol::Json, refusal.status(), refusal.code(), refusal.message()),
        }
    }
}

impl Ecs {
    fn act(&self, place: &Place, world: &World, name: &Name, body: &[u8]) -> Result {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let region = places.entry(place.clone()).or_insert_with(|| Region::new(&place.account, &place.region));
        region.act(world, &name.action, body)
    }

    /// The tags of all that a call names, by ARN.
    pub(crate) fn tags_named(&self, place: &Place, body: &[u8]) -> BTreeMap<String, BTreeMap<String, String>> {
        self.region(place, |region| region.tags_named(body)).unwrap_or_default()
    }

    /// The roles of the task definition that a call gives to a service.
    pub(crate) fn roles_given(&self, place: &Place, body: &[u8]) -> Vec<String> {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let given = said["taskDefinition"].as_str().unwrap_or_default();
        self.region(place, |region| region.roles_of(given)).unwrap_or_default()
    }

    fn region<T>(&self, place: &Place, look: impl FnOnce(&mut Region) -> T) -> Option<T> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place).map(look)
    }

    fn world(shared: &Shared, place: &Place) -> World {
        let now = shared.clock.now();
        let facts = |group: &crate::asg::Group| GroupFacts {
            arn: group.arn.clone(),
            name: group.name.clone(),
            min: group.min,
            max: group.max,
            desired: group.desired,
        };
        let groups = shared.asg.with(place, now, |groups| groups.values().map(facts).collect());
        World {
            now,
            speed: shared.clock.speed(),
            instances: shared.asg.instances(place, now),
            groups,
            target_groups: None,
            tells_no_room: shared.ecs.tells_no_room.load(Ordering::Relaxed),
        }
    }

    /// From now on says, or does not say, that tasks which wait for a capacity provider find no room.
    pub(crate) fn tell_no_room(&self, tells: bool) {
        self.tells_no_room.store(tells, Ordering::Relaxed);
    }

    /// The accounts and regions in which somebody has called ECS or made a group.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// How much the scheduler has looked at, everywhere.
    pub(crate) fn work(&self) -> Work {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.values().fold(Work::default(), |sum, region| Work {
            tasks: sum.tasks + region.work.tasks,
            placements: sum.placements + region.work.placements,
            nodes: sum.nodes + region.work.nodes,
            probes: 0,
        })
    }

    /// Something outside has changed what the scheduler sees.
    pub(crate) fn touch(&self, place: &Place) {
        self.region(place, |region| region.dirty = true);
    }

    /// Takes an agent's word.
    pub(crate) fn report(&self, shared: &Shared, place: &Place, task: &str, report: Report) {
        // An agent knows nothing of groups and instances.
        let world = World { now: shared.clock.now(), speed: shared.clock.speed(), ..World::default() };
        self.region(place, |region| region.report(&world, task, report));
        shared.pulse.notify_one();
    }

    /// Lets the scheduler work if something is due; its orders, and when it is due again.
    pub(crate) fn tick(&self, shared: &Shared, place: &Place) -> (Vec<Order>, f64) {
        let world = Self::world(shared, place);
        let tick = |region: &mut Region| {
            let fingerprint = world.fingerprint();
            if region.due() > world.now && region.seen == fingerprint {
                return (Vec::new(), region.due());
            }
            region.seen = fingerprint;
            region.dirty = false;
            region.next = f64::INFINITY;
            let orders = shared.alb.with(place, |table| region.tick(&world, table));
            (orders, region.due())
        };
        self.region(place, tick).unwrap_or((Vec::new(), f64::INFINITY))
    }
}

/// ECS puts a tag on the group behind a capacity provider.
fn mark_managed(shared: &Shared, place: &Place, now: f64, created: &Value) {
    let arn = created.pointer("/capacityProvider/autoScalingGroupProvider/autoScalingGroupArn");
    let Some(arn) = arn.and_then(Value::as_str) else { return };
    shared.asg.with(place, now, |groups| {
        if let Some(group) = groups.values_mut().find(|group| group.arn == arn) {
            let tag = GroupTag { value: String::new(), propagate: true };
            group.tags.entry("AmazonECSManaged".to_owned()).or_insert(tag);
            group.drains = created.pointer("/capacityProvider/autoScalingGroupProvider/managedDraining")
                == Some(&Value::from("ENABLED"));
        }
    });
}

impl Region {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), ..Self::default() }
    }

    /// Carries one action out.
    pub(crate) fn act(&mut self, world: &World, action: &str, body: &[u8]) -> Result {
        // A call that only reads changes nothing that the scheduler would have to look at.
        self.dirty |= !["Describe", "List"].iter().any(|read| action.starts_with(read));
        match action {
            "CreateCluster" => self.create_cluster(world, parse(body)?),
            "DescribeClusters" => Ok(self.describe_clusters(world, &parse(body)?)),
            "ListClusters" => self.list_clusters(&parse(body)?),
            "UpdateCluster" | "UpdateClusterSettings" => self.update_cluster(world, parse(body)?),
            "PutClusterCapacityProviders" => self.put_cluster_capacity_providers(world, parse(body)?),
            "DeleteCluster" => self.delete_cluster(world, &parse(body)?),
            "CreateCapacityProvider" => self.create_capacity_provider(world, parse(body)?),
            "DescribeCapacityProviders" => self.describe_capacity_providers(&parse(body)?),
            "UpdateCapacityProvider" => self.update_capacity_provider(parse(body)?),
            "DeleteCapacityProvider" => self.delete_capacity_provider(&parse(body)?),
            "RegisterTaskDefinition" => self.register_task_definition(world, parse(body)?),
            "DescribeTaskDefinition" => self.describe_task_definition(&parse(body)?),
            "ListTaskDefinitions" => self.list_task_definitions(&parse(body)?),
            "ListTaskDefinitionFamilies" => self.list_task_definition_families(&parse(body)?),
            "DeregisterTaskDefinition" => self.deregister_task_definition(world, &parse(body)?),
            "DeleteTaskDefinitions" => self.delete_task_definitions(world, &parse(body)?),
            "CreateService" => self.create_service(world, parse(body)?),
            "DescribeServices" => self.describe_services(&parse(body)?),
            "UpdateService" => self.update_service(world, parse(body)?),
            "DeleteService" => self.delete_service(world, &parse(body)?),
            "ListServices" => self.list_services(&parse(body)?),
            "ListTasks" => self.list_tasks(&parse(body)?),
            "DescribeTasks" => self.describe_tasks(&parse(body)?),
            "StopTask" => self.stop_task(world, &parse(body)?),
            "UpdateContainerInstancesState" => self.update_instances_state(world, &parse(body)?),
            "ListContainerInstances" => self.list_container_instances(world, &parse(body)?),
            "DescribeContainerInstances" => self.describe_container_instances(world, &parse(body)?),
            "TagResource" => self.tag_resource(parse(body)?),
            "UntagResource" => self.untag_resource(&parse(body)?),
            "ListTagsForResource" => self.list_tags(&parse(body)?),
            _ => Err(Refusal::unsupported(action)),
        }
    }

    /// An ARN of this account and region.
    fn arn(&self, rest: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{rest}", self.region, self.account)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refusal::Serialization(error.to_string()))
}

/// The last part of an ARN or a path, or the name itself.
fn short(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// One page of a list, and the token of the next one.
fn page<T: Clone>(
    items: &[T],
    token: Option<&str>,
    limit: Option<i64>,
    usual: usize,
) -> Result<(Vec<T>, Option<String>)> {
    let invalid = || Refusal::invalid("Invalid token.");
    let from: usize = token.map_or(Ok(0), |token| token.parse().map_err(|_| invalid()))?;
    let limit = match limit {
        None => usual,
        Some(limit @ 1..=100) => usize::try_from(limit).unwrap_or(usual),
        Some(_) => return Err(Refusal::invalid("The maxResults must be between 1 and 100.")),
    };
    let chosen: Vec<T> = items.iter().skip(from).take(limit).cloned().collect();
    let next = (from + limit < items.len()).then(|| (from + limit).to_string());
    Ok((chosen, next))
}

/// Members without a value do not stand in AWS's answers.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
