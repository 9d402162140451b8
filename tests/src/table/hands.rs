//! What people do to a service behind skydeck's back.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::Service;
use skydeck_aws::Clients;

use super::watch::pause;

const CLUSTER: &str = "skyfox-devprod";
/// How long a deleted service may drain, in real time.
const PATIENCE: Duration = Duration::from_secs(120);

fn told(error: impl Debug) -> String {
    format!("{error:?}")
}

async fn find(aws: &Clients, name: &str) -> Result<Service, String> {
    let found = aws.ecs().describe_services().cluster(CLUSTER).services(name).send().await.map_err(told)?;
    found.services.unwrap_or_default().into_iter().next().ok_or_else(|| format!("there is no service {name}"))
}

/// Deregisters the revision that a service runs.
pub(super) async fn deregister(aws: &Clients, service: &str) -> Result<(), String> {
    let found = find(aws, service).await?;
    let request = aws.ecs().deregister_task_definition().set_task_definition(found.task_definition);
    request.send().await.map(drop).map_err(told)
}

/// Deletes an image.
pub(super) async fn delete(aws: &Clients, repository: &str, digest: &str) -> Result<(), String> {
    let image = ImageIdentifier::builder().image_digest(digest).build();
    let request = aws.ecr().batch_delete_image().repository_name(repository).image_ids(image);
    request.send().await.map(drop).map_err(told)
}

/// Sets how many tasks a service wants.
pub(super) async fn scale(aws: &Clients, service: &str, count: i32) -> Result<(), String> {
    let request = aws.ecs().update_service().cluster(CLUSTER).service(service).desired_count(count);
    request.send().await.map(drop).map_err(told)
}

/// Deletes a service, and makes it again as it was, without tasks.
pub(super) async fn remake(aws: &Clients, service: &str) -> Result<(), String> {
    let before = find(aws, service).await?;
    let arn = before.service_arn().unwrap_or_default();
    // With its tags: what has not skydeck's is nothing that skydeck may change.
    let tags = aws.ecs().list_tags_for_resource().resource_arn(arn).send().await.map_err(told)?.tags;
    let request = aws.ecs().delete_service().cluster(CLUSTER).service(service).force(true);
    request.send().await.map_err(told)?;
    let begun = Instant::now();
    while find(aws, service).await?.status() != Some("INACTIVE") {
        if begun.elapsed() > PATIENCE {
            return Err(format!("service {service} does not go"));
        }
        pause().await;
    }
    let request = aws.ecs().create_service().cluster(CLUSTER).service_name(service).desired_count(0);
    let request = request.set_task_definition(before.task_definition).set_load_balancers(before.load_balancers);
    let request = request.set_capacity_provider_strategy(before.capacity_provider_strategy);
    let request = request.set_deployment_configuration(before.deployment_configuration);
    let request = request.set_health_check_grace_period_seconds(before.health_check_grace_period_seconds);
    let request = request.set_tags(tags);
    request.send().await.map(drop).map_err(told)
}
