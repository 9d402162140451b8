//! Gives parameters their values, as `skydeck secret set` does: with the installation's tag.

use aws_sdk_ssm::error::ProvideErrorMetadata;
use aws_sdk_ssm::types::{ParameterType, Tag};
use skydeck_aws::Clients;
use skydeck_core::scope::TAG_INSTALLATION;

use crate::canary;

/// Gives all of SkyFox's secrets.
///
/// # Panics
/// Where one cannot be given.
pub async fn give_skyfox(clients: &Clients) {
    for name in ["jwt-secret", "database-url", "movie-service-api-key", "payment-gateway-api-key"] {
        give(clients, &format!("/skyfox-backend/{name}"), canary()).await.expect("a parameter");
    }
}

/// Gives one a value, or another.
///
/// # Errors
/// What AWS says.
pub async fn give(clients: &Clients, name: &str, value: &str) -> Result<(), String> {
    let region = clients.region.clone();
    let tag = Tag::builder().key(TAG_INSTALLATION).value(region).build().map_err(|error| error.to_string())?;
    let put = || clients.ssm().put_parameter().name(name).value(value).r#type(ParameterType::SecureString);
    match put().tags(tag).send().await {
        // Its tags stay.
        Err(error) if error.code() == Some("ParameterAlreadyExists") => put().overwrite(true).send().await,
        answer => answer,
    }
    .map(drop)
    .map_err(|error| format!("{error:?}"))
}
