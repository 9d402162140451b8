//! Carries out the services' changes, one call each.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::create_service::builders::CreateServiceFluentBuilder;
use aws_sdk_ecs::types as ecs;
use sha2::{Digest, Sha256};
use skydeck_core::layer::service::{Change, Placement, Settings};
use skydeck_core::scope::{Scope, Tags};

use super::definition;
use crate::error::{Error, Explain, Result, tolerate};
use crate::execute::Made;
use crate::number;
use crate::tag::to_ecs;

pub(super) async fn apply(client: &Client, scope: &Scope, change: &Change, made: &Made) -> Result<Option<String>> {
    let cluster = &scope.prefix();
    let update = |name: &String| client.update_service().cluster(cluster).service(name);
    match change {
        Change::Register { family, new, .. } => return definition::register(client, family, new).await.map(Some),
        Change::CreateService { name, definition, settings, placement, tags } => {
            let request = create(client, cluster, name, made.id(definition)?, settings, placement, tags)?;
            request.desired_count(0).send().await.during("create service", name)?;
        }
        Change::SetService { name, new, .. } => set(client, cluster, name, new).await?,
        Change::SetTags { arn, kind, name, new, .. } => {
            let request = client.tag_resource().resource_arn(arn).set_tags(Some(to_ecs(new)));
            request.send().await.during(&format!("tag {kind}"), name)?;
        }
        Change::ScaleToZero { name, .. } => {
            update(name).desired_count(0).send().await.during("scale down service", name)?;
        }
        Change::DeleteService { name } => {
            let request = client.delete_service().cluster(cluster).service(name).force(true);
            // Gone already: a retry after a lost answer, or a person who was faster.
            let gone = ["ServiceNotFoundException", "ServiceNotActiveException"];
            tolerate(request.send().await.during("delete service", name), &gone)?;
        }
        Change::Deregister { arn } => {
            let request = client.deregister_task_definition().task_definition(arn);
            match request.send().await.during("deregister task definition", arn) {
                // Gone already, and what was read told it still.
                Err(Error::Aws { code, message, .. })
                    if code == "ClientException" && message.contains("does not exist") => {}
                done => drop(done?),
            }
        }
        Change::DeleteDefinitions { family, arns } => delete_definitions(client, family, arns).await?,
    }
    Ok(None)
}

pub(crate) fn capacity(placement: &Placement) -> Result<Vec<ecs::CapacityProviderStrategyItem>> {
    let item = |(provider, (base, weight)): (&String, &(i32, i32))| {
        let item = ecs::CapacityProviderStrategyItem::builder().capacity_provider(provider).base(*base).weight(*weight);
        item.build().map_err(|_| Error::Broken("a capacity provider has no name".into()))
    };
    placement.capacity.iter().map(item).collect()
}

pub(crate) fn load_balancers(placement: &Placement) -> Vec<ecs::LoadBalancer> {
    let one = |behind: &skydeck_core::layer::service::Behind| {
        ecs::LoadBalancer::builder()
            .target_group_arn(&behind.target_group)
            .container_name(&behind.container)
            .container_port(behind.port.into())
            .build()
    };
    placement.load_balancers.iter().map(one).collect()
}

fn deployment(settings: &Settings) -> ecs::DeploymentConfiguration {
    let breaker = ecs::DeploymentCircuitBreaker::builder()
        .enable(settings.circuit_breaker)
        .rollback(settings.circuit_breaker_rollback)
        .build();
    ecs::DeploymentConfiguration::builder()
        .maximum_percent(number::to_aws(settings.maximum_percent))
        .minimum_healthy_percent(number::to_aws(settings.minimum_healthy_percent))
        .deployment_circuit_breaker(breaker)
        .build()
}

fn strategy(settings: &Settings) -> Vec<ecs::PlacementStrategy> {
    let one = |(kind, field): &(String, String)| {
        ecs::PlacementStrategy::builder().r#type(kind.as_str().into()).field(field).build()
    };
    settings.placement_strategy.iter().map(one).collect()
}

fn rebalancing(settings: &Settings) -> ecs::AvailabilityZoneRebalancing {
    if settings.zone_rebalancing {
        ecs::AvailabilityZoneRebalancing::Enabled
    } else {
        ecs::AvailabilityZoneRebalancing::Disabled
    }
}

/// A token by which ECS knows a retry. The revision and the target group are in it: a service that is made anew after
/// a destroy has others, and must not get the answer of the first one's creation.
fn token(cluster: &str, name: &str, definition: &str, placement: &Placement) -> String {
    let text = serde_json::to_string(&(cluster, name, definition, placement)).unwrap_or_default();
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

fn create(
    client: &Client,
    cluster: &str,
    name: &str,
    definition: &str,
    settings: &Settings,
    placement: &Placement,
    tags: &Tags,
) -> Result<CreateServiceFluentBuilder> {
    Ok(client
        .create_service()
        .cluster(cluster)
        .service_name(name)
        .client_token(token(cluster, name, definition, placement))
        .task_definition(definition)
        .scheduling_strategy(ecs::SchedulingStrategy::Replica)
        .set_capacity_provider_strategy(Some(capacity(placement)?))
        .set_load_balancers(Some(load_balancers(placement)))
        .deployment_configuration(deployment(settings))
        .set_placement_strategy(Some(strategy(settings)))
        .health_check_grace_period_seconds(number::to_aws(settings.grace_seconds))
        .availability_zone_rebalancing(rebalancing(settings))
        .enable_ecs_managed_tags(settings.managed_tags)
        .propagate_tags(settings.propagate_tags.as_str().into())
        .enable_execute_command(settings.execute_command)
        .set_tags(Some(to_ecs(tags))))
}

async fn set(client: &Client, cluster: &str, name: &str, new: &Settings) -> Result<()> {
    let request = client
        .update_service()
        .cluster(cluster)
        .service(name)
        .deployment_configuration(deployment(new))
        .set_placement_strategy(Some(strategy(new)))
        .health_check_grace_period_seconds(number::to_aws(new.grace_seconds))
        .availability_zone_rebalancing(rebalancing(new))
        .enable_ecs_managed_tags(new.managed_tags)
        .propagate_tags(new.propagate_tags.as_str().into())
        .enable_execute_command(new.execute_command);
    request.send().await.during("update service", name).map(drop)
}

/// Why ECS did not delete a task definition that is not there. Which of the two it says is not documented for this call.
const GONE: [&str; 2] = ["MISSING", "TASK_DEFINITION_NOT_FOUND"];

/// ECS tells in its answer what it did not delete.
pub(crate) async fn delete_definitions(client: &Client, family: &str, arns: &[String]) -> Result<()> {
    let request = client.delete_task_definitions().set_task_definitions(Some(arns.to_vec()));
    let answer = match request.send().await.during("delete task definitions of", family) {
        // One that somebody registered by hand, without the tag that the fence asks for, is left to them.
        Err(error) if error.error_type() == "AccessDenied" => {
            return delete_one_by_one(client, family, arns, error).await;
        }
        answer => answer?,
    };
    let failures: Vec<String> = answer
        .failures()
        .iter()
        // Gone already: a retry after a lost answer.
        .filter(|failure| !failure.reason().is_some_and(|reason| GONE.contains(&reason)))
        .map(|failure| {
            format!("{}: {}", failure.arn().unwrap_or(family), failure.reason().unwrap_or("no reason given"))
        })
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::Aws {
        verb: "delete task definitions of".into(),
        resource: family.into(),
        code: "TaskDefinitionFailure".into(),
        message: failures.join("; "),
    })
}

/// Deletes those of a refused call that may be deleted.
async fn delete_one_by_one(client: &Client, family: &str, arns: &[String], denied: Error) -> Result<()> {
    let [_, _, ..] = arns else {
        tracing::warn!("{}: {denied}", arns.concat());
        return Ok(());
    };
    for arn in arns {
        Box::pin(delete_definitions(client, family, std::slice::from_ref(arn))).await?;
    }
    Ok(())
}
