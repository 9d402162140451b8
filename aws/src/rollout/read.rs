//! What is read before a decision.

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder;
use skydeck_core::layer::service::{Placement, repository};
use skydeck_core::rollout::decide::Running;
use skydeck_core::rollout::manifest::Manifest;
use skydeck_core::rollout::record::Verified;
use skydeck_core::rollout::run::Rollout;
use skydeck_core::scope::Scope;

use super::now;
use crate::client::Clients;
use crate::error::{Error, Explain, Result, not_yet};
use crate::layer::service::{self, Revision, describe};

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
    let request = clients.ecr.batch_get_image().repository_name(&repository).image_ids(id);
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
}

pub(crate) async fn serving(clients: &Clients, cluster: &str, name: &str) -> Result<Option<Serving>> {
    let request = clients.ecs.describe_services().cluster(cluster).services(name);
    let answer = request.send().await.find(&["ClusterNotFoundException"], "describe service", name)?;
    let found = answer.and_then(|answer| answer.services?.into_iter().find(|found| found.status() == Some("ACTIVE")));
    Ok(found.map(|found| {
        let read = service::read(&found);
        let made = found.created_at().and_then(|at| at.to_millis().ok()).unwrap_or_default();
        let life = format!("{} {made}", read.arn);
        Serving { life, definition: read.definition, desired: read.desired, placement: read.placement }
    }))
}

/// Milliseconds after which a service that ECS does not know is taken for gone, and not for one that it does not know yet.
const YOUNG: i64 = 120_000;

/// Whether the service of a rollout is going or gone.
pub(crate) async fn is_gone(clients: &Clients, rollout: &Rollout) -> Result<bool> {
    let request = clients.ecs.describe_services().cluster(&rollout.platform).services(&rollout.service);
    let gone = ["ClusterNotFoundException"];
    let answer = request.send().await.find(&gone, "describe service", &rollout.service)?;
    let found = answer.and_then(|answer| answer.services?.into_iter().next());
    Ok(found.map_or_else(|| now() - rollout.began > YOUNG, |found| found.status() != Some("ACTIVE")))
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
    let Revision { arn, definition, registered, active } = describe(&clients.ecs, &serving.definition).await?;
    let digest = definition.digest().map(ToOwned::to_owned);
    let wanted = skydeck_core::layer::service::wanted_settings(scope, name)?;
    let same_settings = active && definition.settings == wanted.0 && serving.placement == wanted.1;
    let verified = digest.clone().map(|digest| Verified { definition: arn, digest });
    Ok((Running { digest, desired: serving.desired, same_settings, registered }, verified))
}

/// Names of the parameters that a service reads and that are not there.
pub(crate) async fn missing_parameters(clients: &Clients, scope: &Scope, name: &str) -> Result<Vec<String>> {
    let Some(service) = scope.platform.services.get(name) else { return Ok(Vec::new()) };
    let keys = service.secrets.values();
    let mut names: Vec<String> =
        keys.filter_map(|key| scope.platform.secrets.get(key)).map(|secret| secret.parameter.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let mut missing = Vec::new();
    for names in names.chunks(BATCH) {
        // Without decryption: whether it is there is all that is asked.
        let request = clients.ssm.get_parameters().set_names(Some(names.to_vec())).with_decryption(false);
        let answer = request.send().await.during("read parameters", &names.join(", "))?;
        missing.extend(answer.invalid_parameters.unwrap_or_default());
    }
    Ok(missing)
}

/// How many names one call takes
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>).
const BATCH: usize = 10;

/// The platforms that may have a repository of this name.
pub(crate) async fn platforms_of(context: &crate::run::Context, repository: &str) -> Result<Vec<String>> {
    // One that was only planned has a folder too, and was not applied: nothing is read of it here.
    let platforms = context.home.folders().await?;
    Ok(platforms.into_iter().filter(|platform| repository.starts_with(&format!("{platform}-"))).collect())
}

/// An error where a service is not the platform's.
pub(crate) fn no_service(platform: &str, service: &str, known: impl IntoIterator<Item = String>) -> Error {
    let known: Vec<String> = known.into_iter().collect();
    Error::Input(format!("platform {platform} has no service `{service}`; it has {}", known.join(", ")))
}
