//! Clusters.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::deployment::Counts;
use super::tags::{self, Tag};
use super::{Refusal, Region, Result, World, page, short, without_nulls};

/// A part of a capacity provider strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StrategyItem {
    pub(crate) capacity_provider: String,
    #[serde(default)]
    pub(crate) weight: i64,
    #[serde(default)]
    pub(crate) base: i64,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) active: bool,
    settings: Vec<Value>,
    configuration: Option<Value>,
    service_connect_defaults: Option<Value>,
    pub(super) capacity_providers: Vec<String>,
    pub(super) default_strategy: Vec<StrategyItem>,
    pub(super) tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateClusterRequest {
    #[serde(default = "default_name")]
    cluster_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    settings: Vec<Value>,
    configuration: Option<Value>,
    #[serde(default)]
    capacity_providers: Vec<String>,
    #[serde(default)]
    default_capacity_provider_strategy: Vec<StrategyItem>,
    service_connect_defaults: Option<Value>,
}

fn default_name() -> String {
    "default".to_owned()
}

#[derive(Deserialize)]
pub(super) struct DescribeClustersRequest {
    #[serde(default)]
    clusters: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateClusterRequest {
    cluster: String,
    settings: Option<Vec<Value>>,
    configuration: Option<Value>,
    service_connect_defaults: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutProvidersRequest {
    cluster: String,
    capacity_providers: Vec<String>,
    default_capacity_provider_strategy: Vec<StrategyItem>,
}

#[derive(Deserialize)]
pub(super) struct ClusterRequest {
    cluster: Option<String>,
}

/// What the lists have in common.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListRequest {
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Region {
    /// The active cluster that a request means by name or ARN; none given is `default`.
    pub(super) fn cluster(&self, given: Option<&str>) -> Result<&Cluster> {
        let name = short(given.unwrap_or("default"));
        self.clusters.get(name).filter(|cluster| cluster.active).ok_or(Refusal::ClusterNotFound)
    }

    fn cluster_mut(&mut self, given: &str) -> Result<&mut Cluster> {
        self.clusters.get_mut(short(given)).filter(|cluster| cluster.active).ok_or(Refusal::ClusterNotFound)
    }

    pub(super) fn create_cluster(&mut self, world: &World, request: CreateClusterRequest) -> Result {
        let name = request.cluster_name;
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 255 || !name.chars().all(valid) {
            return Err(Refusal::invalid("Identifier contains invalid characters."));
        }
        tags::check(&request.tags)?;
        check_settings(&request.settings)?;
        self.check_providers(&request.capacity_providers, &request.default_capacity_provider_strategy)?;
        if !self.clusters.get(&name).is_some_and(|cluster| cluster.active) {
            let cluster = Cluster {
                arn: self.arn(&format!("cluster/{name}")),
                name: name.clone(),
                active: true,
                settings: merged(vec![insights("disabled")], request.settings),
                configuration: request.configuration,
                service_connect_defaults: request.service_connect_defaults,
                capacity_providers: request.capacity_providers,
                default_strategy: request.default_capacity_provider_strategy,
                tags: request.tags,
            };
            // The services of a deleted cluster of that name are not the new one's.
            self.services.retain(|(cluster, _), _| *cluster != name);
            self.clusters.insert(name.clone(), cluster);
        }
        let include = ["SETTINGS", "TAGS", "CONFIGURATIONS"].map(str::to_owned);
        Ok(json!({ "cluster": self.cluster_json(world, self.cluster(Some(&name))?, &include) }))
    }

    pub(super) fn describe_clusters(&self, world: &World, request: &DescribeClustersRequest) -> Value {
        let default = vec!["default".to_owned()];
        let asked = if request.clusters.is_empty() { &default } else { &request.clusters };
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for given in asked {
            match self.clusters.get(short(given)) {
                Some(cluster) => found.push(self.cluster_json(world, cluster, &request.include)),
                None => {
                    let arn = self.arn(&format!("cluster/{}", short(given)));
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        json!({ "clusters": found, "failures": failures })
    }

    pub(super) fn list_clusters(&self, request: &ListRequest) -> Result {
        let arns: Vec<&str> = self.clusters.values().filter(|c| c.active).map(|c| c.arn.as_str()).collect();
        let (arns, next) = page(&arns, request.next_token.as_deref(), request.max_results, 100)?;
        Ok(without_nulls(json!({ "clusterArns": arns, "nextToken": next })))
    }

    pub(super) fn update_cluster(&mut self, world: &World, request: UpdateClusterRequest) -> Result {
        check_settings(request.settings.as_deref().unwrap_or_default())?;
        let cluster = self.cluster_mut(&request.cluster)?;
        if let Some(settings) = request.settings {
            cluster.settings = merged(std::mem::take(&mut cluster.settings), settings);
        }
        if request.configuration.is_some() {
            cluster.configuration = request.configuration;
        }
        if request.service_connect_defaults.is_some() {
            cluster.service_connect_defaults = request.service_connect_defaults;
        }
        let include = ["SETTINGS", "CONFIGURATIONS"].map(str::to_owned);
        Ok(json!({ "cluster": self.cluster_json(world, self.cluster(Some(&request.cluster))?, &include) }))
    }

    pub(super) fn put_cluster_capacity_providers(&mut self, world: &World, request: PutProvidersRequest) -> Result {
        self.check_providers(&request.capacity_providers, &request.default_capacity_provider_strategy)?;
        let name = self.cluster(Some(&request.cluster))?.name.clone();
        let uses = |provider: &str| self.services.values().any(|service| service.uses(&name, provider));
        let removed = self.cluster(Some(&name))?.capacity_providers.iter();
        if removed.filter(|provider| !request.capacity_providers.contains(provider)).any(|provider| uses(provider)) {
            let text = "The specified capacity provider is in use and cannot be removed.";
            return Err(Refusal::ResourceInUse(text.to_owned()));
        }
        let cluster = self.cluster_mut(&name)?;
        cluster.capacity_providers = request.capacity_providers;
        cluster.default_strategy = request.default_capacity_provider_strategy;
        let include = ["SETTINGS", "ATTACHMENTS"].map(str::to_owned);
        Ok(json!({ "cluster": self.cluster_json(world, self.cluster(Some(&name))?, &include) }))
    }

    pub(super) fn delete_cluster(&mut self, world: &World, request: &ClusterRequest) -> Result {
        let name = self.cluster(request.cluster.as_deref())?.name.clone();
        if self.services.values().any(|service| service.counts_for(&name)) {
            return Err(Refusal::CONTAINS_SERVICES);
        }
        if self.tasks.values().any(|task| task.cluster == name && task.is_alive()) {
            return Err(Refusal::CONTAINS_TASKS);
        }
        if !self.instances_of(world, &name).is_empty() {
            return Err(Refusal::CONTAINS_INSTANCES);
        }
        let cluster = self.cluster_mut(&name)?;
        cluster.active = false;
        cluster.capacity_providers.clear();
        cluster.default_strategy.clear();
        let found = self.clusters.get(&name).ok_or(Refusal::ClusterNotFound)?;
        Ok(json!({ "cluster": self.cluster_json(world, found, &[]) }))
    }

    fn check_providers(&self, providers: &[String], strategy: &[StrategyItem]) -> Result<()> {
        for provider in providers {
            if !self.provider_is_active(provider) {
                return Err(Refusal::invalid(format!(
                    "The specified capacity provider '{provider}' was not found. Specify a valid name or ARN and try again."
                )));
            }
        }
        check_strategy(strategy, providers)
    }

    fn cluster_json(&self, world: &World, cluster: &Cluster, include: &[String]) -> Value {
        let has = |what: &str| include.iter().any(|item| item == what);
        let services = self.services.values().filter(|service| service.counts_for(&cluster.name)).count();
        let instances = self.instances_of(world, &cluster.name).len();
        let counts = self.counts(|task| task.cluster == cluster.name);
        let attachments: Vec<Value> = cluster
            .capacity_providers
            .iter()
            .filter(|p| !p.starts_with("FARGATE"))
            .map(|provider| {
                json!({
                    "id": crate::ids::digest(&format!("{}{provider}", cluster.arn)),
                    "type": "as_policy",
                    "status": "CREATED",
                    "details": [{ "name": "capacityProviderName", "value": provider }],
                })
            })
            .collect();
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
        put("clusterArn", json!(cluster.arn));
        put("clusterName", json!(cluster.name));
        put("status", json!(if cluster.active { "ACTIVE" } else { "INACTIVE" }));
        put("registeredContainerInstancesCount", json!(instances));
        put("runningTasksCount", json!(counts.running));
        put("pendingTasksCount", json!(counts.pending));
        put("activeServicesCount", json!(services));
        put("statistics", if has("STATISTICS") { statistics(services, counts) } else { json!([]) });
        put("tags", if has("TAGS") { json!(cluster.tags) } else { json!([]) });
        put("settings", if has("SETTINGS") { json!(cluster.settings) } else { json!([]) });
        put("capacityProviders", json!(cluster.capacity_providers));
        put("defaultCapacityProviderStrategy", json!(cluster.default_strategy));
        if has("CONFIGURATIONS") {
            put("configuration", json!(cluster.configuration));
        }
        if has("ATTACHMENTS") {
            put("attachmentsStatus", json!("UPDATE_COMPLETE"));
            put("attachments", json!(attachments));
        }
        put("serviceConnectDefaults", json!(cluster.service_connect_defaults));
        without_nulls(Value::Object(map))
    }
}

fn statistics(services: usize, counts: Counts) -> Value {
    let counts = [
        ("runningEC2TasksCount", counts.running),
        ("runningFargateTasksCount", 0),
        ("pendingEC2TasksCount", counts.pending),
        ("pendingFargateTasksCount", 0),
        ("runningExternalTasksCount", 0),
        ("pendingExternalTasksCount", 0),
        ("activeEC2ServiceCount", super::schedule::number(services)),
        ("activeFargateServiceCount", 0),
        ("drainingEC2ServiceCount", 0),
        ("drainingFargateServiceCount", 0),
    ];
    counts.iter().map(|(name, value)| json!({ "name": name, "value": value.to_string() })).collect()
}

/// Refuses a strategy that AWS refuses; `attached` are the cluster's providers.
pub(super) fn check_strategy(strategy: &[StrategyItem], attached: &[String]) -> Result<()> {
    for item in strategy {
        if !attached.iter().any(|provider| short(provider) == short(&item.capacity_provider)) {
            return Err(Refusal::invalid(format!(
                "The capacity provider strategy contains a capacity provider '{}' that is not associated with the cluster. \
                 Associate the capacity provider with the cluster and try again.",
                item.capacity_provider
            )));
        }
        if !(0..=1000).contains(&item.weight) || !(0..=100_000).contains(&item.base) {
            return Err(Refusal::invalid("A weight is between 0 and 1000 and a base between 0 and 100000."));
        }
    }
    if !strategy.is_empty() && strategy.iter().all(|item| item.weight == 0) {
        return Err(Refusal::invalid(
            "At least one capacity provider in the strategy must have a weight value greater than zero.",
        ));
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        return Err(Refusal::invalid("Only one capacity provider in a strategy can have a base defined."));
    }
    Ok(())
}

fn insights(value: &str) -> Value {
    json!({ "name": "containerInsights", "value": value })
}

fn check_settings(settings: &[Value]) -> Result<()> {
    for setting in settings {
        let valid = setting["name"] == "containerInsights"
            && ["enabled", "disabled", "enhanced"].iter().any(|value| setting["value"] == **value);
        if !valid {
            return Err(Refusal::invalid("Invalid cluster setting name or value."));
        }
    }
    Ok(())
}

fn merged(mut kept: Vec<Value>, settings: Vec<Value>) -> Vec<Value> {
    for setting in settings {
        kept.retain(|other| other["name"] != setting["name"]);
        kept.push(setting);
    }
    kept
}
