//! The permissions boundary of the platforms' roles: a managed policy, since IAM takes nothing else for it.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Policy, PolicyVersion, Tag};
use serde_json::Value;
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::{Clients, Result};
use skydeck_core::scope::boundary_name;

use super::step::{Change, Item, Step};
use super::{TAG, TAG_VALUE, policy, propagated, taken};
use crate::context::Account;

const KIND: &str = "policy";
/// Versions that IAM keeps of a policy (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const VERSIONS: usize = 5;

/// Makes the boundary what it should be. Roles that are bounded by it are so from the next call on.
///
/// # Errors
/// Where AWS refuses, or where the name is somebody else's.
pub async fn ensure(clients: &Clients, account: &Account) -> Result<Item> {
    look(clients, account).await?.write().await
}

pub(super) async fn look<'a>(clients: &'a Clients, account: &'a Account) -> Result<Step<'a>> {
    let (iam, arn, wanted) = (clients.iam(), account.boundary(), policy::boundary(account));
    let name = boundary_name(&account.region);
    let Some(found) = find(iam, &arn).await? else {
        return Ok(Step::new(KIND, name, Change::Created, async move { create(iam, account, &wanted).await }));
    };
    if !is_ours(&found) {
        return Err(taken(KIND, &name));
    }
    let change = Change::updated_if(!is_current(iam, &found, &wanted).await?);
    Ok(Step::new(KIND, name, change, async move {
        make_room(iam, &arn).await?;
        let request =
            iam.create_policy_version().policy_arn(&arn).policy_document(wanted.to_string()).set_as_default(true);
        request.send().await.during("write policy", &arn).map(drop)
    }))
}

/// Takes the boundary away, with all its versions.
pub(super) async fn remove<'a>(clients: &'a Clients, account: &Account) -> Result<Option<Step<'a>>> {
    let (iam, arn) = (clients.iam(), account.boundary());
    if !find(iam, &arn).await?.is_some_and(|found| is_ours(&found)) {
        return Ok(None);
    }
    Ok(Some(Step::new(KIND, boundary_name(&account.region), Change::Deleted, async move {
        let answer = iam.list_policy_versions().policy_arn(&arn).send().await;
        let answer = answer.during("list versions of policy", &arn)?;
        for version in answer.versions().iter().filter(|version| !version.is_default_version()) {
            delete_version(iam, &arn, version).await?;
        }
        // IAM may still see the versions, or a role that it bounded, that have just been taken away.
        let deleted =
            propagated(async || iam.delete_policy().policy_arn(&arn).send().await.during("delete policy", &arn));
        // The retry of a deletion whose answer was lost.
        tolerate(deleted.await, &["NoSuchEntity"]).map(drop)
    })))
}

async fn find(iam: &Client, arn: &str) -> Result<Option<Policy>> {
    let found = iam.get_policy().policy_arn(arn).send().await.find(&["NoSuchEntity"], "read policy", arn)?;
    Ok(found.and_then(|answer| answer.policy))
}

fn is_ours(found: &Policy) -> bool {
    found.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE)
}

async fn create(iam: &Client, account: &Account, wanted: &Value) -> Result<()> {
    let name = boundary_name(&account.region);
    let tag = Tag::builder().key(TAG).value(TAG_VALUE).build().ok();
    let request = iam.create_policy().policy_name(&name).policy_document(wanted.to_string());
    let request =
        request.description("The most that the roles of skydeck's platforms may do").set_tags(tag.map(|tag| vec![tag]));
    request.send().await.during("create policy", &name).map(drop)
}

async fn is_current(iam: &Client, found: &Policy, wanted: &Value) -> Result<bool> {
    let (arn, version) = (found.arn().unwrap_or_default(), found.default_version_id().unwrap_or_default());
    let request = iam.get_policy_version().policy_arn(arn).version_id(version);
    let answer = request.send().await.during("read policy", arn)?;
    let document = answer.policy_version().and_then(PolicyVersion::document).map(str::to_owned);
    Ok(document.is_some_and(|document| policy::is_same(&document, wanted)))
}

/// Deletes the oldest version where IAM would take no further one.
async fn make_room(iam: &Client, arn: &str) -> Result<()> {
    let answer = iam.list_policy_versions().policy_arn(arn).send().await.during("list versions of policy", arn)?;
    let versions = answer.versions();
    let oldest = versions
        .iter()
        .filter(|version| !version.is_default_version())
        .min_by_key(|version| version.create_date().map(|date| (date.secs(), date.subsec_nanos())));
    match oldest.filter(|_| versions.len() >= VERSIONS) {
        Some(oldest) => delete_version(iam, arn, oldest).await,
        None => Ok(()),
    }
}

async fn delete_version(iam: &Client, arn: &str, version: &PolicyVersion) -> Result<()> {
    let version = version.version_id().unwrap_or_default();
    let request = iam.delete_policy_version().policy_arn(arn).version_id(version);
    // The retry of a deletion whose answer was lost.
    tolerate(request.send().await.during("delete version of policy", arn), &["NoSuchEntity"]).map(drop)
}
