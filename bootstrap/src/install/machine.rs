//! The state machines.

use aws_sdk_sfn::types::Tag;
use serde_json::Value;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Error, Result};

use super::definition::definition;
use super::{Change, TAG, TAG_VALUE, policy, propagated, taken};
use crate::context::Account;

/// Makes a state machine what it should be.
pub(super) async fn ensure(clients: &Clients, account: &Account, name: &str, text: &str) -> Result<Change> {
    let (arn, role, name) = (account.machine(name), account.role(policy::STATES), format!("skydeck-{name}"));
    let wanted = definition(account, text)?;
    let sfn = clients.sfn();
    let found = sfn.describe_state_machine().state_machine_arn(&arn).send().await;
    let Some(found) = found.find(&["StateMachineDoesNotExist"], "read state machine", &name)? else {
        let tag = Tag::builder().key(TAG).value(TAG_VALUE).build();
        let request = sfn.create_state_machine().name(&name).definition(wanted).role_arn(role).tags(tag);
        propagated(async || request.clone().send().await.during("create state machine", &name)).await?;
        return Ok(Change::Created);
    };
    let tags =
        sfn.list_tags_for_resource().resource_arn(&arn).send().await.during("read tags of state machine", &name)?;
    if !tags.tags().iter().any(|tag| tag.key() == Some(TAG) && tag.value() == Some(TAG_VALUE)) {
        return Err(taken("state machine", &name));
    }
    if is_same(found.definition(), &wanted)? && found.role_arn() == role {
        return Ok(Change::Unchanged);
    }
    let request = sfn.update_state_machine().state_machine_arn(&arn).definition(wanted).role_arn(role);
    propagated(async || request.clone().send().await.during("change state machine", &name)).await?;
    Ok(Change::Updated)
}

/// Compared as JSON: spaces mean nothing.
fn is_same(found: &str, wanted: &str) -> Result<bool> {
    let wanted: Value = serde_json::from_str(wanted)
        .map_err(|error| Error::Broken(format!("the state machine's definition is not JSON: {error}")))?;
    Ok(serde_json::from_str::<Value>(found).is_ok_and(|found| found == wanted))
}
