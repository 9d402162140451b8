//! Reads IAM: the platform's roles one by one, since IAM has no call for many but that for all of the account; and the instance
//! profile.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::{self as iam, Client};
use futures::try_join;
use percent_encoding::percent_decode_str;
use skydeck_core::layer::identity::{LINKED_SERVICES, Policy, Profile, Role, World, path, profile_name, roles};
use skydeck_core::plan::Found;
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::execute::all;
use crate::tag::from_iam;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let iam = clients.iam();
    let name = profile_name(scope);
    let (roles, linked, profile) = try_join!(our_roles(iam, scope), linked(iam), find_profile(iam, &name))?;
    Ok(World { roles, profile, linked })
}

/// The roles of the names that the platform needs, and those under its path that it does not need any more. No other role of the
/// account is read.
async fn our_roles(iam: &Client, scope: &Scope) -> Result<BTreeMap<String, Found<Role>>> {
    let wanted = roles(scope);
    let under_path = list(iam, &path(scope)).await?.into_iter().map(|role| role.role_name);
    let names: BTreeSet<String> = wanted.keys().cloned().chain(under_path).collect();
    let found = all(names.iter().map(|name| find_role(iam, name))).await?;
    let ours = names.iter().cloned().zip(found).filter_map(|(name, role)| Some((name, role?)));
    Ok(ours.filter(|(name, role)| wanted.contains_key(name) || scope.owns(&role.settings.tags)).collect())
}

/// The roles under a path, without tags and policies.
async fn list(iam: &Client, path: &str) -> Result<Vec<iam::types::Role>> {
    let request = iam.list_roles().path_prefix(path).max_items(1000).into_paginator().items().send();
    request.collect::<std::result::Result<_, _>>().await.during("list IAM roles under", path)
}

async fn find_role(iam: &Client, name: &str) -> Result<Option<Found<Role>>> {
    let answer = iam.get_role().role_name(name).send().await.find(&["NoSuchEntity"], "read IAM role", name)?;
    let Some(role) = answer.and_then(|answer| answer.role) else { return Ok(None) };
    let (managed, inline) = try_join!(managed(iam, name), inline(iam, name))?;
    let trust = policy(role.assume_role_policy_document());
    let boundary =
        role.permissions_boundary().and_then(|bound| bound.permissions_boundary_arn()).map(ToOwned::to_owned);
    let settings = Role { trust, managed, inline, boundary, tags: from_iam(role.tags()) };
    Ok(Some(Found { id: role.arn, settings }))
}

/// ARNs of the policies that are attached to a role.
async fn managed(iam: &Client, name: &str) -> Result<BTreeSet<String>> {
    let pages = iam.list_attached_role_policies().role_name(name).into_paginator().items().send();
    let found = pages.collect::<std::result::Result<Vec<_>, _>>().await.during("list policies of IAM role", name)?;
    Ok(found.into_iter().filter_map(|policy| policy.policy_arn).collect())
}

/// A role's own policies, by name.
async fn inline(iam: &Client, name: &str) -> Result<BTreeMap<String, Policy>> {
    let pages = iam.list_role_policies().role_name(name).into_paginator().items().send();
    let names = pages.collect::<std::result::Result<Vec<_>, _>>().await.during("list policies of IAM role", name)?;
    let read = names.into_iter().map(|policy_name| async move {
        let request = iam.get_role_policy().role_name(name).policy_name(&policy_name);
        let answer = request.send().await.during("read policy of IAM role", name)?;
        Ok((policy_name, policy(Some(answer.policy_document()))))
    });
    Ok(all(read).await?.into_iter().collect())
}

/// IAM gives policy documents URL-encoded (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>).
fn policy(document: Option<&str>) -> Policy {
    Policy::parse(&percent_decode_str(document.unwrap_or_default()).decode_utf8_lossy())
}

/// Services whose service-linked role is there, by its path: that names the service. A role made with a suffix
/// (`AWSServiceRoleForAutoScaling_other`) serves only who names it.
async fn linked(iam: &Client) -> Result<BTreeSet<String>> {
    let found = list(iam, "/aws-service-role/").await?;
    let has = |service: &&str| {
        let path = format!("/aws-service-role/{service}/");
        found.iter().any(|role| role.path == path && !role.role_name.contains('_'))
    };
    Ok(LINKED_SERVICES.iter().filter(|service| has(service)).map(|service| (*service).to_owned()).collect())
}

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
