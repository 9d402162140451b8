//! Carries out the registry's changes, one call each.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability};
use skydeck_core::layer::registry::{Change, Repository};
use skydeck_core::plan::Refusal;

use crate::error::{Error, Explain, Result, look_again, tolerate};
use crate::tag::to_ecr;

pub(super) async fn apply(ecr: &Client, change: &Change) -> Result<Option<String>> {
    match change {
        Change::CreateRepository { name, settings } => create(ecr, name, settings).await?,
        Change::SetMutability { name, new, .. } => {
            let new = ImageTagMutability::from(new.as_str());
            let request = ecr.put_image_tag_mutability().repository_name(name).image_tag_mutability(new);
            request.send().await.during("set the tag mutability of ECR repository", name)?;
        }
        Change::SetScanning { name, on } => {
            let request = ecr.put_image_scanning_configuration().repository_name(name);
            let request = request.image_scanning_configuration(scanning(*on));
            request.send().await.during("set scanning of ECR repository", name)?;
        }
        Change::SetLifecycle { name, new, .. } => {
            let request = ecr.put_lifecycle_policy().repository_name(name).lifecycle_policy_text(new.text());
            request.send().await.during("put the lifecycle policy of ECR repository", name)?;
        }
        Change::SetTags { arn, name, new, .. } => {
            let request = ecr.tag_resource().resource_arn(arn).set_tags(Some(to_ecr(new)));
            request.send().await.during("tag ECR repository", name)?;
        }
        Change::DeleteRepository { name, with_images } => delete(ecr, name, *with_images).await?,
    }
    Ok(None)
}

async fn delete(ecr: &Client, name: &str, with_images: bool) -> Result<()> {
    let request = ecr.delete_repository().repository_name(name).force(with_images);
    let answer = request.send().await.during("delete ECR repository", name);
    match answer {
        // It does not pass by itself: images are a person's to delete, or to give up in the file.
        Err(error) if error.code() == Some("RepositoryNotEmptyException") => Err(Error::Refused(Refusal::Impossible {
            what: format!("ECR repository {name} holds images, and skydeck leaves those alone"),
            advice: "Delete them, or set `delete-with-images = true` for its service in the platform file".into(),
        })),
        // Gone already: a retry after a lost answer, or a person who was faster.
        answer => tolerate(answer, &["RepositoryNotFoundException"]).map(drop),
    }
}

fn scanning(on: bool) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().scan_on_push(on).build()
}

async fn create(ecr: &Client, name: &str, settings: &Repository) -> Result<()> {
    let encryption = EncryptionConfiguration::builder()
        .encryption_type(EncryptionType::from(settings.encryption.as_str()))
        .build()
        .map_err(|_| Error::Broken("the encryption of an ECR repository is not said".into()))?;
    let answer = ecr
        .create_repository()
        .repository_name(name)
        .image_tag_mutability(ImageTagMutability::from(settings.tag_mutability.as_str()))
        .image_scanning_configuration(scanning(settings.scan_on_push))
        .encryption_configuration(encryption)
        .set_tags(Some(to_ecr(&settings.tags)))
        .send()
        .await
        .during("create ECR repository", name);
    // There although it was not seen: whose it is, the next attempt observes.
    look_again(answer, &["RepositoryAlreadyExistsException"]).map(drop)
}
