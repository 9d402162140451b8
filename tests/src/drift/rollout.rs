//! What tasks are is a rollout's to change. A release by the product's own writes stands for one here, without the tasks: to
//! make something wrong, and to carry out what the layer hands over.

use aws_sdk_ecs::types::{CapacityProviderStrategyItem, LoadBalancer};
use skydeck_aws::execute::Made;
use skydeck_aws::layer::Work;
use skydeck_aws::layer::service::Service;
use skydeck_core::layer::service::{Change, Definition, Placement, World, task_definition, wanted_settings};

use crate::account::Account;

/// The image that all services run.
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

/// Gives every service that awaits it its first image, as far as that goes without tasks.
pub(super) async fn first_images(account: &Account) -> Result<(), String> {
    let world = observed(account).await?;
    for service in account.scope.platform.services.keys().filter(|service| !world.has_image(service)) {
        release(account, service).await?;
    }
    Ok(())
}

/// Releases what the platform file says.
pub(super) async fn release(account: &Account, service: &str) -> Result<(), String> {
    let definition = task_definition(&account.scope, service, DIGEST).map_err(|refusal| refusal.to_string())?;
    let (_, placement) = wanted_settings(&account.scope, service).map_err(|refusal| refusal.to_string())?;
    put(account, service, definition, &placement).await
}

/// Releases what a service is in another world.
pub(super) async fn release_as(account: &Account, service: &str, world: &World) -> Result<(), String> {
    let found = world.services.get(service).ok_or("there is no such service")?;
    let definition = world.definitions.get(&found.definition).ok_or("its task definition is not there")?;
    put(account, service, definition.clone(), &found.placement).await
}

async fn put(account: &Account, service: &str, new: Definition, placement: &Placement) -> Result<(), String> {
    let ecs = account.clients.ecs();
    let before = observed(account).await?.services.get(service).map(|found| found.definition.clone());
    let register = Change::Register { family: account.scope.name(service), new: Box::new(new) };
    let arn = write(account, &register).await?.ok_or("a revision has an ARN")?;
    let provider = |(name, (base, weight)): (&String, &(i32, i32))| {
        CapacityProviderStrategyItem::builder().capacity_provider(name).base(*base).weight(*weight).build().ok()
    };
    let balancers = placement.load_balancers.iter().map(|behind| {
        let balancer = LoadBalancer::builder().target_group_arn(&behind.target_group);
        balancer.container_name(&behind.container).container_port(behind.port.into()).build()
    });
    let request = ecs.update_service().cluster(account.scope.prefix()).service(service).task_definition(&arn);
    let request = request
        .set_capacity_provider_strategy(Some(placement.capacity.iter().filter_map(provider).collect()))
        .set_load_balancers(Some(balancers.collect()))
        .force_new_deployment(true);
    let said = request.send().await.map_err(|error| format!("{error:?}").chars().take(400).collect::<String>());
    // One revision stays: the one that the service has.
    if let Some(arn) = if said.is_ok() { before } else { Some(arn) } {
        write(account, &Change::Deregister { arn }).await?;
    }
    said.map(drop)
}

async fn write(account: &Account, change: &Change) -> Result<Option<String>, String> {
    let done = Service::apply(&account.clients, &account.scope, change, &Made::default()).await;
    done.map_err(|error| error.to_string())
}

async fn observed(account: &Account) -> Result<World, String> {
    Service::observe(&account.clients, &account.scope).await.map_err(|error| error.to_string())
}
