//! The state machines.

use std::time::Instant;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_state_machine::DescribeStateMachineOutput;
use aws_sdk_sfn::types::Tag;
use serde_json::Value;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Error, Result};

use super::definition::definition;
use super::step::{Change, Step};
use super::{PROPAGATION, PROPAGATION_STEP, TAG, TAG_VALUE, policy, propagated, taken};
use crate::context::Account;

const KIND: &str = "state machine";

/// Looks at a state machine's definition and role.
pub(super) async fn look<'a>(clients: &'a Clients, account: &Account, name: &str, text: &str) -> Result<Step<'a>> {
    let (arn, role, name) = (account.machine(name), account.role(policy::STATES), format!("skydeck-{name}"));
    let wanted = definition(account, text)?;
    let sfn = clients.sfn();
    let Some(found) = find(sfn, &arn, &name).await? else {
        return Ok(Step::new(KIND, name.clone(), Change::Created, async move {
            let tag = Tag::builder().key(TAG).value(TAG_VALUE).build();
            let request = sfn.create_state_machine().name(&name).definition(wanted).role_arn(role).tags(tag);
            propagated(async || request.clone().send().await.during("create state machine", &name)).await.map(drop)
        }));
    };
    if !is_ours(sfn, &arn, &name).await? {
        return Err(taken(KIND, &name));
    }
    let same = is_same(found.definition(), &wanted)? && found.role_arn() == role;
    Ok(Step::new(KIND, name.clone(), Change::updated_if(!same), async move {
        let request = sfn.update_state_machine().state_machine_arn(&arn).definition(wanted).role_arn(role);
        propagated(async || request.clone().send().await.during("change state machine", &name)).await.map(drop)
    }))
}

/// Takes a state machine away, and waits until it is gone: until then AWS makes none of its name.
pub(super) async fn remove<'a>(clients: &'a Clients, account: &Account, name: &str) -> Result<Option<Step<'a>>> {
    let (arn, name, sfn) = (account.machine(name), format!("skydeck-{name}"), clients.sfn());
    if find(sfn, &arn, &name).await?.is_none() || !is_ours(sfn, &arn, &name).await? {
        return Ok(None);
    }
    Ok(Some(Step::new(KIND, name.clone(), Change::Deleted, async move {
        let begun = Instant::now();
        sfn.delete_state_machine().state_machine_arn(&arn).send().await.during("delete state machine", &name)?;
        while find(sfn, &arn, &name).await?.is_some() {
            if begun.elapsed() > PROPAGATION {
                return Err(Error::Broken(format!("state machine {name} is still being deleted after a minute")));
            }
            tokio::time::sleep(PROPAGATION_STEP).await;
        }
        Ok(())
    })))
}

async fn find(sfn: &Client, arn: &str, name: &str) -> Result<Option<DescribeStateMachineOutput>> {
    let found = sfn.describe_state_machine().state_machine_arn(arn).send().await;
    found.find(&["StateMachineDoesNotExist"], "read state machine", name)
}

async fn is_ours(sfn: &Client, arn: &str, name: &str) -> Result<bool> {
    let tags =
        sfn.list_tags_for_resource().resource_arn(arn).send().await.during("read tags of state machine", name)?;
    Ok(tags.tags().iter().any(|tag| tag.key() == Some(TAG) && tag.value() == Some(TAG_VALUE)))
}

/// Compared as JSON: spaces mean nothing.
fn is_same(found: &str, wanted: &str) -> Result<bool> {
    let wanted: Value = serde_json::from_str(wanted)
        .map_err(|error| Error::Broken(format!("the state machine's definition is not JSON: {error}")))?;
    Ok(serde_json::from_str::<Value>(found).is_ok_and(|found| found == wanted))
}
