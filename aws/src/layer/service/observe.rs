//! Reads services and task definitions: services in bulk, of each task definition family its revisions, and the few
//! definitions that matter.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as ecs;
use futures::future::try_join_all;
use futures::try_join;
use skydeck_core::layer::service::{self, Behind, Definition, Family, Placement, Service, Settings, World};
use skydeck_core::rollout::content::Content;
use skydeck_core::rollout::policy::wanted;
use skydeck_core::scope::Scope;
use skydeck_core::spec::ImagePolicy;

use super::definition;
use crate::client::Clients;
use crate::error::{Error, Explain, Result};
use crate::number;
use crate::rollout::images;
use crate::tag::from_ecs;

/// How many services one call describes
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>).
const AT_ONCE: usize = 10;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let client = clients.ecs();
    let kept = |family: &str| scope.platform.services.keys().any(|service| service::family(scope, service) == family);
    let (services, families) = try_join!(services(client, scope), families(client, scope, kept))?;
    let mut world = world(client, services, families).await?;
    // Only of services that have run none: afterwards a rollout looks.
    let waiting = scope.platform.services.iter().filter(|(name, _)| !world.has_image(name));
    let images = try_join_all(waiting.map(|(name, service)| first_image(clients, scope, name, &service.image)));
    let running = scope.platform.services.keys().filter_map(|name| {
        let found = world.services.get(name)?;
        Some((name, world.definitions.get(&found.definition)?.digest()?))
    });
    let lost = try_join_all(running.map(|(name, digest)| lost_image(clients, scope, name, digest)));
    let (images, lost) = try_join!(images, lost)?;
    world.images = images.into_iter().flatten().collect();
    world.lost = lost.into_iter().flatten().collect();
    Ok(world)
}

/// Services, and when none of ours is left, all revisions of all families: the teardown takes one after the other, and looks
/// often while tasks stop.
pub(super) async fn observe_leaving(clients: &Clients, scope: &Scope) -> Result<World> {
    let client = clients.ecs();
    let services = services(client, scope).await?;
    if services.values().any(|service| scope.owns(&service.tags)) {
        return Ok(World { services, ..World::default() });
    }
    let families = families(client, scope, |_| false).await?;
    world(client, services, families).await
}

/// The world with the definitions that matter.
async fn world(
    client: &Client,
    services: BTreeMap<String, Service>,
    families: BTreeMap<String, Family>,
) -> Result<World> {
    // One that was registered twice is the newest or the one before it.
    let many = if services.values().any(|service| service.tasks == 0) { 2 } else { 1 };
    let newest = families.values().flat_map(|family| {
        let active = family.active.iter().take(many);
        active.chain(family.inactive.first().filter(|_| family.active.is_empty()))
    });
    let used = services.values().map(|service| &service.definition);
    let arns: BTreeSet<&String> = newest.chain(used).filter(|arn| !arn.is_empty()).collect();
    let found = try_join_all(arns.into_iter().map(|arn| describe(client, arn))).await?;
    let is_used = |arn: &String| services.values().any(|service| service.definition == *arn);
    let deregistered = found.iter().filter(|found| !found.active && is_used(&found.arn));
    let deregistered = deregistered.map(|found| found.arn.clone()).collect();
    let definitions: BTreeMap<String, Definition> =
        found.into_iter().map(|found| (found.arn, found.definition)).collect();
    let families = families.into_iter().map(|(name, mut family)| {
        // Whose a family is, its newest revision says.
        let newest = family.active.first().or(family.inactive.first());
        let newest = newest.and_then(|arn| definitions.get(arn));
        family.tags = newest.map(|definition| definition.tags.clone()).unwrap_or_default();
        (name, family)
    });
    Ok(World { families: families.collect(), services, definitions, deregistered, ..World::default() })
}

/// The service and the digest of the image that it is to start with; `None` where its repository has none.
async fn first_image(
    clients: &Clients,
    scope: &Scope,
    service: &str,
    policy: &ImagePolicy,
) -> Result<Option<(String, String)>> {
    let Some(repository) = skydeck_core::layer::service::repository(scope, service) else { return Ok(None) };
    let mut images = images::list(clients, &repository).await?.unwrap_or_default();
    images::sift(clients, &repository, policy, &mut images, &mut Content::default()).await?;
    Ok(wanted(policy, &images).map(|wanted| (service.to_owned(), wanted.image.digest.clone())))
}

/// The service and the digest of the image that it runs, where its repository has that no more.
async fn lost_image(clients: &Clients, scope: &Scope, service: &str, digest: &str) -> Result<Option<(String, String)>> {
    let Some(repository) = skydeck_core::layer::service::repository(scope, service) else { return Ok(None) };
    let found = images::find(clients, &repository, digest).await?;
    Ok(found.is_none().then(|| (service.to_owned(), digest.to_owned())))
}

async fn services(client: &Client, scope: &Scope) -> Result<BTreeMap<String, Service>> {
    let found = alive(client, scope).await?;
    Ok(found.iter().map(|service| (service.service_name().unwrap_or_default().to_owned(), read(service))).collect())
}

/// The services of the cluster, and those of the platform file wherever a list leaves them out.
pub(crate) async fn alive(client: &Client, scope: &Scope) -> Result<Vec<ecs::Service>> {
    let cluster = &scope.prefix();
    let request = client.list_services().cluster(cluster).max_results(100);
    let listed: Result<Vec<String>, _> = request.into_paginator().items().send().collect::<Result<_, _>>().await;
    let Some(listed) = listed.find(&["ClusterNotFoundException"], "list services of cluster", cluster)? else {
        return Ok(Vec::new());
    };
    let listed = listed.iter().filter_map(|arn| arn.rsplit('/').next().map(ToOwned::to_owned));
    let names: BTreeSet<String> = listed.chain(scope.platform.services.keys().cloned()).collect();
    let names: Vec<String> = names.into_iter().collect();
    let found = described(client, cluster, &names).await?;
    // A deleted service stays visible for a while, as INACTIVE.
    Ok(found.into_iter().filter(|service| service.status() != Some("INACTIVE")).collect())
}

/// Services of a cluster by their names or ARNs, with their tags, in as few calls as ECS admits; none where there is no such
/// cluster. All that describes services comes here.
pub(crate) async fn described(client: &Client, cluster: &str, names: &[String]) -> Result<Vec<ecs::Service>> {
    let chunks = names.chunks(AT_ONCE).map(|names| async move {
        let request = client.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
        let result = request.include(ecs::ServiceField::Tags).send().await;
        result.find(&["ClusterNotFoundException"], "describe services of cluster", cluster)
    });
    let answers = try_join_all(chunks).await?;
    Ok(answers.into_iter().flatten().flat_map(|answer| answer.services.unwrap_or_default()).collect())
}

pub(crate) fn read(found: &ecs::Service) -> Service {
    let counts = [found.desired_count(), found.running_count(), found.pending_count()];
    let deployment = found.deployment_configuration();
    let breaker = deployment.and_then(|deployment| deployment.deployment_circuit_breaker());
    let strategy = |strategy: &ecs::PlacementStrategy| {
        let kind = strategy.r#type().map(|kind| kind.as_str()).unwrap_or_default();
        let field = strategy.field().unwrap_or_default();
        // ECS takes `memory` and may tell `MEMORY`.
        let field = if kind == "binpack" { field.to_lowercase() } else { field.to_owned() };
        (kind.to_owned(), field)
    };
    let item =
        |item: &ecs::CapacityProviderStrategyItem| (item.capacity_provider().to_owned(), (item.base(), item.weight()));
    Service {
        arn: found.service_arn().unwrap_or_default().into(),
        draining: found.status() == Some("DRAINING"),
        tasks: counts.into_iter().map(|count| number::from_aws(Some(count))).max().unwrap_or_default(),
        desired: number::from_aws(Some(found.desired_count())),
        definition: found.task_definition().unwrap_or_default().into(),
        settings: Settings {
            maximum_percent: number::from_aws(deployment.and_then(|found| found.maximum_percent())),
            minimum_healthy_percent: number::from_aws(deployment.and_then(|found| found.minimum_healthy_percent())),
            circuit_breaker: breaker.is_some_and(|breaker| breaker.enable()),
            circuit_breaker_rollback: breaker.is_some_and(|breaker| breaker.rollback()),
            grace_seconds: number::from_aws(found.health_check_grace_period_seconds()),
            placement_strategy: found.placement_strategy().iter().map(strategy).collect(),
            zone_rebalancing: found.availability_zone_rebalancing() == Some(&ecs::AvailabilityZoneRebalancing::Enabled),
            managed_tags: found.enable_ecs_managed_tags(),
            propagate_tags: found.propagate_tags().map_or("NONE", |from| from.as_str()).into(),
            execute_command: found.enable_execute_command(),
        },
        placement: Placement {
            capacity: found.capacity_provider_strategy().iter().map(item).collect(),
            load_balancers: found.load_balancers().iter().map(behind).collect(),
        },
        tags: from_ecs(found.tags()),
    }
}

fn behind(found: &ecs::LoadBalancer) -> Behind {
    Behind {
        target_group: found.target_group_arn().unwrap_or_default().into(),
        container: found.container_name().unwrap_or_default().into(),
        port: number::port(found.container_port()),
    }
}

/// How many revisions of a family that stays are looked at: the newest, and one that was registered twice.
const LAST: i32 = 2;

/// The families that begin with the platform's prefix, with their revisions: of those that are kept the last ones, of the
/// others all, since they go.
async fn families(client: &Client, scope: &Scope, kept: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Family>> {
    let prefix = format!("{}-", scope.prefix());
    let names: Vec<String> = client
        .list_task_definition_families()
        .family_prefix(&prefix)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .during("list task definition families of", &prefix)?;
    let families = names.into_iter().map(|name| {
        let most = kept(&name).then_some(LAST);
        async move {
            let active = revisions(client, &name, ecs::TaskDefinitionStatus::Active, most).await?;
            let inactive = if most.is_some() && !active.is_empty() {
                Vec::new()
            } else {
                revisions(client, &name, ecs::TaskDefinitionStatus::Inactive, most).await?
            };
            Ok::<_, Error>((name, Family { active, inactive, ..Family::default() }))
        }
    });
    let families = try_join_all(families).await?;
    // A family of which AWS is deleting all revisions counts as gone.
    let is_left = |family: &Family| !(family.active.is_empty() && family.inactive.is_empty());
    Ok(families.into_iter().filter(|(_, family)| is_left(family)).collect())
}

/// ARNs of a family's revisions, newest first: all of them, or so many.
async fn revisions(
    client: &Client,
    family: &str,
    status: ecs::TaskDefinitionStatus,
    most: Option<i32>,
) -> Result<Vec<String>> {
    let request = client.list_task_definitions().family_prefix(family).status(status).sort(ecs::SortOrder::Desc);
    if most.is_some() {
        let answer = request.set_max_results(most).send().await.during("list task definitions of", family)?;
        return Ok(answer.task_definition_arns.unwrap_or_default());
    }
    let pages = request.into_paginator().items().send().collect::<Result<_, _>>();
    pages.await.during("list task definitions of", family)
}

/// A revision as ECS has it.
pub(crate) struct Revision {
    pub(crate) arn: String,
    pub(crate) definition: Definition,
    /// When it was registered, in milliseconds since 1970.
    pub(crate) registered: i64,
    /// Whether deployments can be made of it: it was neither deregistered nor deleted.
    pub(crate) active: bool,
}

/// A task definition by its ARN.
pub(crate) async fn describe(client: &Client, arn: &str) -> Result<Revision> {
    let request = client.describe_task_definition().task_definition(arn).include(ecs::TaskDefinitionField::Tags);
    let answer = request.send().await.during("describe task definition", arn)?;
    let found = answer.task_definition().ok_or_else(|| Error::Broken(format!("AWS gives {arn} without contents")))?;
    Ok(Revision {
        arn: arn.to_owned(),
        definition: definition::read(found, answer.tags()),
        registered: found.registered_at().and_then(|at| at.to_millis().ok()).unwrap_or_default(),
        active: found.status() == Some(&ecs::TaskDefinitionStatus::Active),
    })
}
