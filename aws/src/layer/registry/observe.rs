//! Reads the registry: all repositories in one paginated call, then tags and lifecycle policy of those that bear the
//! platform's prefix, for which ECR has no bulk call.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::Repository as Described;
use futures::try_join;
use skydeck_core::layer::registry::{Lifecycle, Repository, World, repositories};
use skydeck_core::plan::Found;
use skydeck_core::scope::{Scope, Tags};

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::execute::all;
use crate::tag::from_ecr;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let wanted = repositories(scope);
    world(clients, scope, |name| !wanted.contains_key(name)).await
}

/// The teardown wants to know of all of them whether they hold images.
pub(super) async fn observe_leaving(clients: &Clients, scope: &Scope) -> Result<World> {
    world(clients, scope, |_| true).await
}

async fn world(clients: &Clients, scope: &Scope, leaves: impl Fn(&str) -> bool) -> Result<World> {
    let ecr = clients.ecr();
    // Not by name: one name that does not exist would fail the whole call.
    let request = ecr.describe_repositories().max_results(1000).into_paginator().items();
    let described: Vec<Described> =
        request.send().collect::<Result<_, _>>().await.during("list", "ECR repositories")?;
    // Every repository of the platform is named by it, those that an older platform file asked for too.
    let prefix = scope.name("");
    let ours = described.iter().filter(|found| found.repository_name().is_some_and(|name| name.starts_with(&prefix)));
    let wanted = repositories(scope);
    let mut world = World::default();
    for found in all(ours.map(|found| describe(ecr, found))).await?.into_iter().flatten() {
        let (name, uri, found) = found;
        if wanted.contains_key(&name) || scope.owns(&found.settings.tags) {
            world.uris.insert(name.clone(), uri);
            world.repositories.insert(name, found);
        }
    }
    let leaving = world.repositories.keys().filter(|name| leaves(name));
    let holding = all(leaving.map(async |name| Ok(holds_images(ecr, name).await?.then(|| name.clone())))).await?;
    world.holding = holding.into_iter().flatten().collect();
    Ok(world)
}

/// Whether there is an image in a repository; in one that is gone there is none.
async fn holds_images(ecr: &Client, name: &str) -> Result<bool> {
    let request = ecr.list_images().repository_name(name).max_results(1);
    let found =
        request.send().await.find(&["RepositoryNotFoundException"], "list the images of ECR repository", name)?;
    Ok(found.is_some_and(|found| !found.image_ids().is_empty()))
}

/// Name, URI and settings; `None` where the repository was deleted since it was listed.
async fn describe(ecr: &Client, found: &Described) -> Result<Option<(String, String, Found<Repository>)>> {
    let (name, arn) = (found.repository_name().unwrap_or_default(), found.repository_arn().unwrap_or_default());
    let (tags, lifecycle) = try_join!(tags(ecr, arn, name), lifecycle(ecr, name))?;
    let Some(tags) = tags else { return Ok(None) };
    let settings = Repository {
        tag_mutability: found.image_tag_mutability().map(|value| value.as_str().to_owned()).unwrap_or_default(),
        scan_on_push: found.image_scanning_configuration().is_some_and(|scanning| scanning.scan_on_push()),
        encryption: found
            .encryption_configuration()
            .map(|encryption| encryption.encryption_type().as_str().to_owned())
            .unwrap_or_default(),
        lifecycle,
        tags,
    };
    let uri = found.repository_uri().unwrap_or_default().to_owned();
    Ok(Some((name.to_owned(), uri, Found { id: arn.to_owned(), settings })))
}

async fn tags(ecr: &Client, arn: &str, name: &str) -> Result<Option<Tags>> {
    let answer = ecr.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.find(&["RepositoryNotFoundException"], "list the tags of ECR repository", name)?;
    Ok(answer.map(|answer| from_ecr(answer.tags())))
}

async fn lifecycle(ecr: &Client, name: &str) -> Result<Option<Lifecycle>> {
    let none = ["LifecyclePolicyNotFoundException", "RepositoryNotFoundException"];
    let answer = ecr.get_lifecycle_policy().repository_name(name).send().await;
    let answer = answer.find(&none, "read the lifecycle policy of ECR repository", name)?;
    Ok(answer.and_then(|answer| answer.lifecycle_policy_text().map(Lifecycle::parse)))
}
