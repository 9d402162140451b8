//! A role with one inline policy.

use aws_sdk_iam::types::{Role, Tag};
use serde_json::Value;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Result};

use super::{Change, TAG, TAG_VALUE, policy, propagated, taken};

/// The inline policy's name.
const POLICY: &str = "skydeck";

/// Makes the role what it should be: who may take it, and what it allows.
pub(super) async fn ensure(clients: &Clients, name: &str, service: &str, wanted: &Value) -> Result<Change> {
    let iam = clients.iam();
    let trust = policy::trust(service);
    let found = iam.get_role().role_name(name).send().await.find(&["NoSuchEntity"], "read role", name)?;
    let mut change = match found.and_then(|answer| answer.role) {
        None => {
            create(clients, name, &trust).await?;
            Change::Created
        }
        Some(role) if !is_ours(&role) => return Err(taken("role", name)),
        Some(role) => {
            let same = policy::is_same(role.assume_role_policy_document().unwrap_or_default(), &trust);
            if !same {
                let request = iam.update_assume_role_policy().role_name(name).policy_document(trust.to_string());
                propagated(async || request.clone().send().await.during("change trust of role", name)).await?;
            }
            Change::updated_if(!same)
        }
    };
    if change == Change::Created || !has_policy(clients, name, wanted).await? {
        let request = iam.put_role_policy().role_name(name).policy_name(POLICY).policy_document(wanted.to_string());
        // The next call may not know a role yet that was made by the one before.
        propagated(async || request.clone().send().await.during("write policy of role", name)).await?;
        change = change.max(Change::Updated);
    }
    Ok(change)
}

async fn create(clients: &Clients, name: &str, trust: &Value) -> Result<()> {
    let tag = Tag::builder().key(TAG).value(TAG_VALUE).build().ok();
    let request = clients.iam().create_role().role_name(name).assume_role_policy_document(trust.to_string());
    let request =
        request.description("A step of skydeck; see its function of the same name").set_tags(tag.map(|tag| vec![tag]));
    request.send().await.during("create role", name)?;
    Ok(())
}

fn is_ours(role: &Role) -> bool {
    role.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE)
}

async fn has_policy(clients: &Clients, name: &str, wanted: &Value) -> Result<bool> {
    let request = clients.iam().get_role_policy().role_name(name).policy_name(POLICY);
    let found = request.send().await.find(&["NoSuchEntity"], "read policy of role", name)?;
    Ok(found.is_some_and(|found| policy::is_same(found.policy_document(), wanted)))
}
