//! What is read before a decision.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder;
use aws_sdk_ssm::types::ParameterStringFilter;
use futures::future::try_join_all;
use skydeck_core::layer::service::{Placement, repository};
use skydeck_core::rollout::decide::Running;
use skydeck_core::rollout::manifest::Manifest;
use skydeck_core::rollout::record::Verified;
use skydeck_core::rollout::run::Rollout;
use skydeck_core::scope::{Scope, TAG_INSTALLATION, Tags};

use super::now;
use crate::client::Clients;
use crate::error::{Error, Explain, Result, not_yet};
use crate::execute::all;
use crate::layer::secrets::tags;
use crate::layer::service::{self, Revision, describe, described};

/// The manifest of an image, as text.
pub(crate) async fn manifest(clients: &Clients, scope: &Scope, service: &str, digest: &str) -> Result<Option<String>> {
    Ok(image(clients, scope, service, digest).await?.map(|(manifest, _)| manifest))
}

/// The manifest of an image, as text, and the media type that it was pushed with.
pub(crate) async fn image(
    clients: &Clients,
    scope: &Scope,
    service: &str,
    digest: &str,
) -> Result<Option<(String, Option<String>)>> {
    let Some(repository) = repository(scope, service) else { return Ok(None) };
    let id = ImageIdentifier::builder().image_digest(digest).build();
    let request = clients.ecr().batch_get_image().repository_name(&repository).image_ids(id);
    let request = request.set_accepted_media_types(Some(Manifest::MEDIA_TYPES.map(Into::into).to_vec()));
    let answer = request.send().await.during("read image", &format!("{repository}@{digest}"))?;
    let image = answer.images.and_then(|images| images.into_iter().next());
    Ok(image.and_then(|image| Some((image.image_manifest?, image.image_manifest_media_type))))
}

/// A service as ECS has it now.
pub(crate) struct Serving {
    /// The service by its ARN and when ECS made it: one that came after it under the same name is another.
    pub(crate) life: String,
    pub(crate) definition: String,
    pub(crate) desired: u32,
    pub(crate) placement: Placement,
    /// Its ARN and tags.
    pub(crate) marks: (String, Tags),
}

/// Those of the services that are there, by name.
pub(crate) async fn serving(clients: &Clients, cluster: &str, names: &[String]) -> Result<BTreeMap<String, Serving>> {
    let found = described(clients.ecs(), cluster, names).await?;
    let alive = found.into_iter().filter(|found| found.status() == Some("ACTIVE"));
    let serving = alive.map(|found| {
        let read = service::read(&found);
        let made = found.created_at().and_then(|at| at.to_millis().ok()).unwrap_or_default();
        let life = format!("{} {made}", read.arn);
        let marks = (read.arn, read.tags);
        let (definition, desired, placement) = (read.definition, read.desired, read.placement);
        let serving = Serving { life, definition, desired, placement, marks };
        (found.service_name.unwrap_or_default(), serving)
    });
    Ok(serving.collect())
}

/// Milliseconds after which a service that ECS does not know is taken for gone, and not for one that it does not know yet.
const YOUNG: i64 = 120_000;

/// Whether the service of a rollout is going or gone.
pub(crate) async fn is_gone(clients: &Clients, rollout: &Rollout) -> Result<bool> {
    let found = described(clients.ecs(), &rollout.platform, std::slice::from_ref(&rollout.service)).await?;
    Ok(found.first().map_or_else(|| now() - rollout.began > YOUNG, |found| found.status() != Some("ACTIVE")))
}

/// The service of a rollout's name, where one is there.
pub(crate) async fn own(clients: &Clients, rollout: &Rollout) -> Result<Option<Serving>> {
    let mut found = serving(clients, &rollout.platform, std::slice::from_ref(&rollout.service)).await?;
    Ok(found.remove(&rollout.service))
}

/// Whether a service is another one than the rollout's of the same name: that was deleted, and made again.
pub(crate) fn is_other(rollout: &Rollout, serving: &Serving) -> bool {
    rollout.record.service.as_ref() != Some(&serving.life)
}

/// Whether another service of the same name stands in the place of the rollout's.
pub(crate) async fn is_another(clients: &Clients, rollout: &Rollout) -> Result<bool> {
    Ok(own(clients, rollout).await?.is_some_and(|serving| is_other(rollout, &serving)))
}

/// Changes a rollout's service. `false` where it is gone: then there is nothing to be done any more. What was registered or made a
/// moment ago, and is not known to this call yet, says nothing of the image: it passes.
pub(crate) async fn update(
    clients: &Clients,
    rollout: &Rollout,
    request: UpdateServiceFluentBuilder,
    verb: &str,
) -> Result<bool> {
    let request = request.cluster(&rollout.platform).service(&rollout.service);
    let Err(error) = request.send().await.during(verb, &rollout.service) else { return Ok(true) };
    let missing = ["ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException"];
    let is_missing = error.code().is_some_and(|code| missing.contains(&code));
    if is_missing && is_gone(clients, rollout).await? {
        return Ok(false);
    }
    not_yet(Err(error), |error| error.is_unknown() || is_missing)
}

/// What a service runs, by its task definition.
pub(crate) async fn running(
    clients: &Clients,
    scope: &Scope,
    name: &str,
    serving: &Serving,
) -> Result<(Running, Option<Verified>)> {
    let Revision { arn, definition, registered, active } = describe(clients.ecs(), &serving.definition).await?;
    let digest = definition.digest().map(ToOwned::to_owned);
    let wanted = skydeck_core::layer::service::wanted_settings(scope, name)?;
    let same_settings = active && definition.settings == wanted.0 && serving.placement == wanted.1;
    let verified = digest.clone().map(|digest| Verified { definition: arn, digest });
    Ok((Running { digest, desired: serving.desired, same_settings, registered }, verified))
}

/// Names of the parameters that a service reads.
pub(crate) fn parameters(scope: &Scope, name: &str) -> BTreeSet<String> {
    let keys = scope.platform.services.get(name).into_iter().flat_map(|service| service.secrets.values());
    keys.filter_map(|key| scope.platform.secrets.get(key)).map(|secret| secret.parameter.clone()).collect()
}

/// Those of the parameters that are not there. Their names are asked for, and no value comes back.
///
/// # Errors
/// Where Systems Manager refuses.
pub async fn missing(clients: &Clients, names: BTreeSet<String>) -> Result<BTreeSet<String>> {
    without(clients, names, None).await
}

/// Parameters that the tasks of services need and cannot read.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    /// Those that are not there.
    pub(crate) missing: BTreeSet<String>,
    /// Those that are there without the installation's tag, by which the services' roles may read them.
    pub(crate) withheld: BTreeSet<String>,
}

/// Which of the parameters tasks cannot read.
pub(crate) async fn lacking(clients: &Clients, scope: &Scope, names: BTreeSet<String>) -> Result<Lacking> {
    let lacking = without(clients, names, Some(&scope.platform.region)).await?;
    let missing = without(clients, lacking.clone(), None).await?;
    // A list by tags may be behind.
    let look = async |name: &String| Ok((name.clone(), tags(clients.ssm(), name).await?));
    let looked = all(lacking.difference(&missing).map(look)).await?;
    let withheld = looked.into_iter().filter(|(_, tags)| !tags.as_ref().is_some_and(|tags| scope.is_marked(tags)));
    Ok(Lacking { missing, withheld: withheld.map(|(name, _)| name).collect() })
}

/// Those of the names that no parameter has, or none with this value of the installation's tag.
async fn without(clients: &Clients, names: BTreeSet<String>, value: Option<&str>) -> Result<BTreeSet<String>> {
    let listed: Vec<String> = names.iter().cloned().collect();
    let found = try_join_all(listed.chunks(BATCH).map(|names| parameters_of(clients, names, value))).await?;
    let found: BTreeSet<String> = found.into_iter().flatten().collect();
    Ok(names.difference(&found).cloned().collect())
}

async fn parameters_of(clients: &Clients, names: &[String], value: Option<&str>) -> Result<Vec<String>> {
    let filter = |key: &str, values: Vec<String>| {
        ParameterStringFilter::builder().key(key).option("Equals").set_values(Some(values)).build()
    };
    let marked = value.map(|value| filter(&format!("tag:{TAG_INSTALLATION}"), vec![value.to_owned()]));
    let filters = std::iter::once(filter("Name", names.to_vec())).chain(marked);
    // The builder fails only without a key, and that is given.
    let filters = filters.collect::<std::result::Result<Vec<_>, _>>();
    let filters = filters.map_err(|_| Error::Broken("a filter of parameters has no key".into()))?;
    let request = clients.ssm().describe_parameters().set_parameter_filters(Some(filters)).max_results(50);
    let pages = request.into_paginator().send().collect::<std::result::Result<Vec<_>, _>>().await;
    let pages = pages.during("list parameters", &names.join(", "))?;
    Ok(pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default()).filter_map(|found| found.name).collect())
}

/// How many names one filter takes
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html>).
const BATCH: usize = 50;

/// The platforms that may have a repository of this name, one that was only planned among them: what was applied tells.
pub(crate) async fn platforms_of(context: &crate::run::Context, repository: &str) -> Result<Vec<String>> {
    let platforms = context.home.folders().await?;
    Ok(platforms.into_iter().filter(|platform| repository.starts_with(&format!("{platform}-"))).collect())
}

/// An error where a service is not the platform's.
pub(crate) fn no_service(platform: &str, service: &str, known: impl IntoIterator<Item = String>) -> Error {
    let known: Vec<String> = known.into_iter().collect();
    Error::Input(format!("platform {platform} has no service `{service}`; it has {}", known.join(", ")))
}
