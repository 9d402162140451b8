//! The images of a repository: what lies in it, without what is no image.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageIdentifier, TagStatus};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use futures::future::{join_all, try_join_all};
use skydeck_core::rollout::content::Content;
use skydeck_core::rollout::image::Pushed;
use skydeck_core::rollout::manifest::{Listed, Manifest};
use skydeck_core::rollout::policy;
use skydeck_core::spec::ImagePolicy;
use tokio::time::timeout;

use crate::client::Clients;
use crate::error::{Explain, Result};

/// How many manifests one call gives
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html>).
const BATCH: usize = 100;
/// An index in an index in an index: no registry client makes more.
const DEPTH: usize = 3;
/// How long a configuration may take to come, of the 60 seconds that a function has.
const PATIENCE: Duration = Duration::from_secs(10);

/// What bears a tag in a repository and may be an image, as far as ECR's list says; `None` where there is no such repository.
pub(crate) async fn list(clients: &Clients, repository: &str) -> Result<Option<Vec<Pushed>>> {
    let tagged = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
    let request = clients.ecr().describe_images().repository_name(repository).filter(tagged).max_results(1000);
    let mut pages = request.into_paginator().items().send();
    let mut details = Vec::new();
    while let Some(image) = pages.next().await {
        let missing = ["RepositoryNotFoundException"];
        match image.find(&missing, "list images of repository", repository)? {
            Some(image) => details.push(image),
            None => return Ok(None),
        }
    }
    Ok(Some(details.iter().filter(|image| listed(image).other().is_none()).map(pushed).collect()))
}

/// An image of a repository, be it without a tag. A repository that is not there has none.
pub(crate) async fn find(clients: &Clients, repository: &str, digest: &str) -> Result<Option<Pushed>> {
    let id = ImageIdentifier::builder().image_digest(digest).build();
    let request = clients.ecr().describe_images().repository_name(repository).image_ids(id);
    let missing = ["ImageNotFoundException", "RepositoryNotFoundException"];
    let found = request.send().await.find(&missing, "look for image", &format!("{repository}@{digest}"))?;
    Ok(found.and_then(|found| found.image_details().first().map(pushed)))
}

/// The digests of all that lies in a repository, with a tag or without; none where there is no such repository.
pub(crate) async fn digests(clients: &Clients, repository: &str) -> Result<BTreeSet<String>> {
    let request = clients.ecr().list_images().repository_name(repository).max_results(1000);
    let images = request.into_paginator().items().send().collect::<std::result::Result<Vec<_>, _>>().await;
    let images = images.find(&["RepositoryNotFoundException"], "list images of repository", repository)?;
    Ok(images.unwrap_or_default().into_iter().filter_map(|image| image.image_digest).collect())
}

fn listed(image: &ImageDetail) -> Listed<'_> {
    Listed {
        manifest: image.image_manifest_media_type(),
        artifact: image.artifact_media_type(),
        subject: image.subject_manifest_digest(),
    }
}

fn pushed(image: &ImageDetail) -> Pushed {
    Pushed {
        digest: image.image_digest().unwrap_or_default().into(),
        tags: image.image_tags().to_vec(),
        at: image.image_pushed_at().and_then(|at| at.to_millis().ok()).unwrap_or_default(),
    }
}

/// Takes out of `images` whatever stands before the image that a policy wants and is none: the list cannot tell a signature from
/// an image, its manifest can. The one that would be wanted is read alone, and where it is none, the others in bulk.
pub(crate) async fn sift(
    clients: &Clients,
    repository: &str,
    policy: &ImagePolicy,
    images: &mut Vec<Pushed>,
    content: &mut Content,
) -> Result<()> {
    let mut count = 1;
    while let Some(wanted) = policy::wanted(policy, images) {
        let wanted = wanted.image.digest.clone();
        if content.is_image(&wanted) {
            return Ok(());
        }
        let asked = policy::first(policy, images, count);
        read(clients, repository, content, &asked).await?;
        images.retain(|image| !asked.contains(&image.digest) || content.is_image(&image.digest));
        count = BATCH;
    }
    Ok(())
}

/// Reads what says whether these are images, and for what: their manifests, and those of entries of indexes that name no platform.
pub(crate) async fn read(clients: &Clients, repository: &str, content: &mut Content, digests: &[String]) -> Result<()> {
    for _ in 0..DEPTH {
        let mut unread: Vec<String> = digests.iter().flat_map(|digest| content.unread(digest)).collect();
        unread.sort_unstable();
        unread.dedup();
        let calls = unread.chunks(BATCH).map(|digests| manifests(clients, repository, digests));
        let found: BTreeMap<String, String> = try_join_all(calls).await?.into_iter().flatten().collect();
        for digest in &unread {
            content.manifest(digest, found.get(digest).map(String::as_str));
        }
    }
    Ok(())
}

/// Manifests of a repository, as text, by digest.
async fn manifests(clients: &Clients, repository: &str, digests: &[String]) -> Result<Vec<(String, String)>> {
    let id = |digest: &String| ImageIdentifier::builder().image_digest(digest).build();
    let request = clients.ecr().batch_get_image().repository_name(repository);
    let request = request.set_image_ids(Some(digests.iter().map(id).collect()));
    let request = request.set_accepted_media_types(Some(Manifest::MEDIA_TYPES.map(Into::into).to_vec()));
    let missing = ["RepositoryNotFoundException"];
    let answer = request.send().await.find(&missing, "read images of repository", repository)?;
    let images = answer.and_then(|answer| answer.images).unwrap_or_default();
    let read = |image: aws_sdk_ecr::types::Image| Some((image.image_id?.image_digest?, image.image_manifest?));
    Ok(images.into_iter().filter_map(read).collect())
}

/// Which of these images a repository has no more.
pub(super) async fn gone(clients: &Clients, repository: &str, digests: &[String]) -> Result<Vec<String>> {
    let calls = digests.chunks(BATCH).map(|digests| manifests(clients, repository, digests));
    let found: Vec<String> = try_join_all(calls).await?.into_iter().flatten().map(|(digest, _)| digest).collect();
    Ok(digests.iter().filter(|digest| !found.contains(digest)).cloned().collect())
}

/// Reads the configurations that say for which processor an image is, where its manifest does not. One that cannot be had is
/// remembered as such: then the task tells.
pub(crate) async fn read_configs(clients: &Clients, repository: &str, content: &mut Content, digest: &str) {
    let configs = content.unread_configs(digest);
    let texts = join_all(configs.iter().map(|config| blob(clients, repository, config))).await;
    for (config, text) in configs.iter().zip(texts) {
        content.config(config, text.as_deref());
    }
}

/// A small blob of a repository, as text. ECR gives an address at which it lies, with the permission to read it in it.
async fn blob(clients: &Clients, repository: &str, digest: &str) -> Option<String> {
    let request = clients.ecr().get_download_url_for_layer().repository_name(repository).layer_digest(digest);
    let url = request.send().await.ok()?.download_url?;
    timeout(PATIENCE, get(url)).await.ok().flatten()
}

async fn get(url: String) -> Option<String> {
    let connector = Connector::builder().proxy_config(ProxyConfig::from_env());
    let connector = connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
    let mut request = HttpRequest::empty();
    request.set_uri(url).ok()?;
    let answer = connector.call(request).await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let bytes = ByteStream::new(answer.into_body()).collect().await.ok()?.into_bytes();
    String::from_utf8(bytes.to_vec()).ok()
}
