//! The permissions boundary of the platforms' roles: a managed policy, since IAM takes nothing else for it.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Policy, PolicyVersion, Tag};
use serde_json::Value;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Result};
use skydeck_core::scope::boundary_name;

use super::{Change, TAG, TAG_VALUE, policy, taken};
use crate::context::Account;

/// Versions that IAM keeps of a policy (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const VERSIONS: usize = 5;

/// Makes the boundary what it should be. Roles that are bounded by it are so from the next call on.
///
/// # Errors
/// Where AWS refuses, or where the name is somebody else's.
pub async fn ensure(clients: &Clients, account: &Account) -> Result<Change> {
    let (iam, arn, wanted) = (clients.iam(), account.boundary(), policy::boundary(account));
    let found = iam.get_policy().policy_arn(&arn).send().await.find(&["NoSuchEntity"], "read policy", &arn)?;
    let Some(found) = found.and_then(|answer| answer.policy) else {
        create(iam, account, &wanted).await?;
        return Ok(Change::Created);
    };
    if !found.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE) {
        return Err(taken("policy", &boundary_name(&account.region)));
    }
    if is_current(iam, &found, &wanted).await? {
        return Ok(Change::Unchanged);
    }
    make_room(iam, &arn).await?;
    let request = iam.create_policy_version().policy_arn(&arn).policy_document(wanted.to_string()).set_as_default(true);
    request.send().await.during("write policy", &arn)?;
    Ok(Change::Updated)
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
    let Some(oldest) = oldest.filter(|_| versions.len() >= VERSIONS) else { return Ok(()) };
    let request = iam.delete_policy_version().policy_arn(arn).version_id(oldest.version_id().unwrap_or_default());
    request.send().await.during("delete version of policy", arn).map(drop)
}
