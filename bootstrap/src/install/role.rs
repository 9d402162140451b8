//! A role with one inline policy.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{Role, Tag};
use serde_json::Value;
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::{Clients, Result};

use super::step::{Change, Step};
use super::{TAG, TAG_VALUE, policy, propagated, taken};

const KIND: &str = "role";
/// The inline policy's name.
const POLICY: &str = "skydeck";

/// Looks at who may take the role, and at what it allows.
pub(super) async fn look(clients: &Clients, wanted: policy::Role) -> Result<Step<'_>> {
    let iam = clients.iam();
    let policy::Role { name, service, policy } = wanted;
    let trust = policy::trust(service);
    let found = find(iam, &name).await?;
    if found.as_ref().is_some_and(|found| !is_ours(found)) {
        return Err(taken(KIND, &name));
    }
    let said = found.as_ref().map(|found| found.assume_role_policy_document().unwrap_or_default());
    let trusts = said.is_some_and(|said| policy::is_same(said, &trust));
    let allows = found.is_some() && has_policy(iam, &name, &policy).await?;
    let change = if found.is_some() { Change::updated_if(!(trusts && allows)) } else { Change::Created };
    Ok(Step::new(KIND, name.clone(), change, async move {
        if found.is_none() {
            create(iam, &name, &trust).await?;
        } else if !trusts {
            let request = iam.update_assume_role_policy().role_name(&name).policy_document(trust.to_string());
            propagated(async || request.clone().send().await.during("change trust of role", &name)).await?;
        }
        if !allows {
            let request =
                iam.put_role_policy().role_name(&name).policy_name(POLICY).policy_document(policy.to_string());
            // The next call may not know a role yet that was made by the one before.
            propagated(async || request.clone().send().await.during("write policy of role", &name)).await?;
        }
        Ok(())
    }))
}

/// Takes the role away, with what else was given to it: IAM deletes no other.
pub(super) async fn remove(clients: &Clients, name: String) -> Result<Option<Step<'_>>> {
    let iam = clients.iam();
    if !find(iam, &name).await?.is_some_and(|found| is_ours(&found)) {
        return Ok(None);
    }
    Ok(Some(Step::new(KIND, name.clone(), Change::Deleted, async move {
        let inline = iam.list_role_policies().role_name(&name).send().await.during("list policies of role", &name)?;
        for policy in inline.policy_names() {
            let request = iam.delete_role_policy().role_name(&name).policy_name(policy);
            request.send().await.during("delete policy of role", &name)?;
        }
        let attached = iam.list_attached_role_policies().role_name(&name).send().await;
        for policy in attached.during("list policies of role", &name)?.attached_policies() {
            let request = iam.detach_role_policy().role_name(&name).policy_arn(policy.policy_arn().unwrap_or_default());
            request.send().await.during("take a policy off role", &name)?;
        }
        // IAM may still see the policies that have just been taken away.
        let deleted = propagated(async || iam.delete_role().role_name(&name).send().await.during("delete role", &name));
        // The retry of a deletion whose answer was lost.
        tolerate(deleted.await, &["NoSuchEntity"]).map(drop)
    })))
}

async fn find(iam: &Client, name: &str) -> Result<Option<Role>> {
    let found = iam.get_role().role_name(name).send().await.find(&["NoSuchEntity"], "read role", name)?;
    Ok(found.and_then(|answer| answer.role))
}

async fn create(iam: &Client, name: &str, trust: &Value) -> Result<()> {
    let tag = Tag::builder().key(TAG).value(TAG_VALUE).build().ok();
    let request = iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
    let request =
        request.description("A step of skydeck; see its function of the same name").set_tags(tag.map(|tag| vec![tag]));
    request.send().await.during("create role", name).map(drop)
}

fn is_ours(role: &Role) -> bool {
    role.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE)
}

async fn has_policy(iam: &Client, name: &str, wanted: &Value) -> Result<bool> {
    let request = iam.get_role_policy().role_name(name).policy_name(POLICY);
    let found = request.send().await.find(&["NoSuchEntity"], "read policy of role", name)?;
    Ok(found.is_some_and(|found| policy::is_same(found.policy_document(), wanted)))
}
