//! Instance profiles of others that hold a role of the platform's: such a role cannot go.

use futures::future::try_join_all;
use skydeck_core::foreign::Foreign;
use skydeck_core::layer::identity::{profile_name, roles};
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::tag::from_iam;

pub(super) async fn find(clients: &Clients, scope: &Scope) -> Result<Vec<Foreign>> {
    let own = profile_name(scope);
    let names =
        roles(scope).into_keys().map(|role| (clients.iam().list_instance_profiles_for_role().role_name(&role), role));
    let found = names.map(|(request, role)| async move {
        let answer = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = answer.find(&["NoSuchEntity"], "list instance profiles of IAM role", &role)?;
        Ok::<_, crate::error::Error>((role, found.unwrap_or_default()))
    });
    let found = try_join_all(found).await?;
    let profiles = found.iter().flat_map(|(role, profiles)| profiles.iter().map(move |profile| (role, profile)));
    let others = profiles.filter(|(_, profile)| profile.instance_profile_name() != own).map(|(role, profile)| {
        let found = Foreign::new("instance profile", profile.instance_profile_name(), format!("holds IAM role {role}"));
        found.tagged(from_iam(profile.tags()))
    });
    Ok(others.collect())
}
