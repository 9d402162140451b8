//! Reads IAM: all roles of the account in one paginated call, and the one instance profile.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{EntityType, RoleDetail};
use futures::try_join;
use percent_encoding::percent_decode_str;
use skydeck_core::layer::identity::{LINKED_SERVICES, Policy, Profile, Role, World, profile_name, roles};
use skydeck_core::plan::Found;
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::tag::from_iam;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let iam = &clients.iam;
    let name = profile_name(scope);
    let (details, profile) = try_join!(all_roles(iam), find_profile(iam, &name))?;
    let wanted = roles(scope);
    let ours: BTreeMap<String, Found<Role>> = details
        .iter()
        .map(|detail| (detail.role_name().unwrap_or_default().to_owned(), found(detail)))
        .filter(|(name, role)| wanted.contains_key(name) || scope.owns(&role.settings.tags))
        .collect();
    Ok(World { roles: ours, profile, linked: linked(&details) })
}

/// A role's policies, trust and tags come together in this one call; role by role it would be four calls each.
async fn all_roles(iam: &Client) -> Result<Vec<RoleDetail>> {
    let mut pages =
        iam.get_account_authorization_details().filter(EntityType::Role).max_items(1000).into_paginator().send();
    let mut roles = Vec::new();
    while let Some(page) = pages.next().await {
        roles.extend(page.during("list", "IAM roles")?.role_detail_list.unwrap_or_default());
    }
    Ok(roles)
}

/// IAM gives policy documents URL-encoded (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleDetail.html>).
fn policy(document: Option<&str>) -> Policy {
    Policy::parse(&percent_decode_str(document.unwrap_or_default()).decode_utf8_lossy())
}

fn found(detail: &RoleDetail) -> Found<Role> {
    let inline = detail.role_policy_list().iter();
    let settings = Role {
        trust: policy(detail.assume_role_policy_document()),
        managed: detail.attached_managed_policies().iter().filter_map(|one| one.policy_arn()).map(Into::into).collect(),
        inline: inline
            .map(|one| (one.policy_name().unwrap_or_default().to_owned(), policy(one.policy_document())))
            .collect(),
        tags: from_iam(detail.tags()),
    };
    Found { id: detail.arn().unwrap_or_default().to_owned(), settings }
}

/// Services whose service-linked role is there, by its path: that names the service. A role made with a suffix
/// (`AWSServiceRoleForAutoScaling_other`) serves only who names it.
fn linked(details: &[RoleDetail]) -> BTreeSet<String> {
    let has = |service: &&str| {
        let path = format!("/aws-service-role/{service}/");
        details
            .iter()
            .any(|role| role.path() == Some(path.as_str()) && role.role_name().is_some_and(|name| !name.contains('_')))
    };
    LINKED_SERVICES.iter().filter(|service| has(service)).map(|service| (*service).to_owned()).collect()
}

/// Not out of the roles' details: a profile that has no role yet is in none of them.
async fn find_profile(iam: &Client, name: &str) -> Result<Option<Found<Profile>>> {
    let answer = iam.get_instance_profile().instance_profile_name(name).send().await;
    let answer = answer.find(&["NoSuchEntity"], "describe instance profile", name)?;
    Ok(answer.and_then(|answer| answer.instance_profile).map(|profile| Found {
        id: profile.arn().to_owned(),
        settings: Profile {
            roles: profile.roles().iter().map(|role| role.role_name().to_owned()).collect(),
            tags: from_iam(profile.tags()),
        },
    }))
}
