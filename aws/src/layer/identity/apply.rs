//! Carries out IAM's changes, one call each.

use aws_sdk_iam::Client;
use skydeck_core::layer::identity::{Change, Role, path};
use skydeck_core::scope::{Scope, Tags};

use crate::error::{Error, Explain, Result, look_again, tolerate};
use crate::tag::to_iam;

pub(super) async fn apply(iam: &Client, scope: &Scope, change: &Change) -> Result<Option<String>> {
    match change {
        Change::CreateLinkedRole { service } => create_linked(iam, service).await?,
        Change::CreateRole { name, settings } => create_role(iam, &path(scope), name, settings).await?,
        Change::SetTrust { role, new, .. } => {
            let request = iam.update_assume_role_policy().role_name(role).policy_document(new.text());
            request.send().await.during("set the trust of IAM role", role)?;
        }
        Change::SetBoundary { role, new, .. } => {
            let request = iam.put_role_permissions_boundary().role_name(role).permissions_boundary(new);
            request.send().await.during("set the permissions boundary of IAM role", role)?;
        }
        // Attaching what is attached is no error, nor is putting a policy or a tag once more.
        Change::AttachPolicy { role, policy } => {
            let request = iam.attach_role_policy().role_name(role).policy_arn(policy);
            request.send().await.during(&format!("attach {policy} to IAM role"), role)?;
        }
        Change::PutPolicy { role, name, new, .. } => {
            let request = iam.put_role_policy().role_name(role).policy_name(name).policy_document(new.text());
            request.send().await.during(&format!("put policy {name} of IAM role"), role)?;
        }
        Change::TagRole { role, new, .. } => {
            iam.tag_role().role_name(role).set_tags(Some(to_iam(new))).send().await.during("tag IAM role", role)?;
        }
        Change::CreateProfile { name, tags } => create_profile(iam, &path(scope), name, tags).await?,
        Change::AddToProfile { profile, role } => add_to_profile(iam, profile, role).await?,
        Change::TagProfile { profile, new, .. } => {
            let request = iam.tag_instance_profile().instance_profile_name(profile).set_tags(Some(to_iam(new)));
            request.send().await.during("tag instance profile", profile)?;
        }
        Change::DetachPolicy { .. }
        | Change::DeletePolicy { .. }
        | Change::RemoveFromProfile { .. }
        | Change::DeleteRole { .. }
        | Change::DeleteProfile { .. } => undo(iam, change).await?,
    }
    Ok(None)
}

async fn create_linked(iam: &Client, service: &str) -> Result<()> {
    let answer = iam.create_service_linked_role().aws_service_name(service).send().await;
    match answer.during("create the service-linked role of", service) {
        // Another platform of the account, or the service itself at its first use, has made it since we looked. Other
        // invalid input has the same code, so the message must say it.
        Err(Error::Aws { code, message, .. }) if code == "InvalidInput" && message.contains("has been taken") => Ok(()),
        answer => look_again(answer, &["EntityAlreadyExists"]).map(drop),
    }
}

async fn create_role(iam: &Client, path: &str, name: &str, settings: &Role) -> Result<()> {
    let answer = iam
        .create_role()
        .path(path)
        .role_name(name)
        .assume_role_policy_document(settings.trust.text())
        .set_permissions_boundary(settings.boundary.clone())
        .set_tags(Some(to_iam(&settings.tags)))
        .send()
        .await
        .during("create IAM role", name);
    // There although it was not seen: whose it is, the next attempt observes.
    look_again(answer, &["EntityAlreadyExists"]).map(drop)
}

async fn create_profile(iam: &Client, path: &str, name: &str, tags: &Tags) -> Result<()> {
    let request = iam.create_instance_profile().path(path).instance_profile_name(name);
    let request = request.set_tags(Some(to_iam(tags)));
    // As with a role.
    look_again(request.send().await.during("create instance profile", name), &["EntityAlreadyExists"]).map(drop)
}

async fn add_to_profile(iam: &Client, profile: &str, role: &str) -> Result<()> {
    let request = iam.add_role_to_instance_profile().instance_profile_name(profile).role_name(role);
    let answer = request.send().await.during("add its role to instance profile", profile);
    // A profile holds one role. After a lost answer that is ours already; the next attempt observes which it is.
    look_again(answer, &["LimitExceeded", "EntityAlreadyExists"]).map(drop)
}

/// Deletions. What is gone already is what we want: a retry after a lost answer, or a person who was faster.
async fn undo(iam: &Client, change: &Change) -> Result<()> {
    let result = match change {
        Change::DetachPolicy { role, policy } => {
            let request = iam.detach_role_policy().role_name(role).policy_arn(policy);
            request.send().await.during(&format!("detach {policy} from IAM role"), role).map(drop)
        }
        Change::DeletePolicy { role, name, .. } => {
            let request = iam.delete_role_policy().role_name(role).policy_name(name);
            request.send().await.during(&format!("delete policy {name} of IAM role"), role).map(drop)
        }
        Change::RemoveFromProfile { profile, role } => {
            let request = iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role);
            request.send().await.during(&format!("remove role {role} from instance profile"), profile).map(drop)
        }
        Change::DeleteRole { name } => {
            iam.delete_role().role_name(name).send().await.during("delete IAM role", name).map(drop)
        }
        Change::DeleteProfile { name } => {
            let request = iam.delete_instance_profile().instance_profile_name(name);
            request.send().await.during("delete instance profile", name).map(drop)
        }
        _ => return Err(Error::Broken("a change that deletes nothing came to be undone".into())),
    };
    // Gone already.
    tolerate(result, &["NoSuchEntity"]).map(drop)
}
