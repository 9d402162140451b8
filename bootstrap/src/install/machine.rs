//! The state machines.

use std::time::{Duration, Instant};

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_state_machine::DescribeStateMachineOutput;
use aws_sdk_sfn::types::{StateMachineStatus, Tag};
use serde_json::Value;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Error, Result};

use super::definition::definition;
use super::step::{Change, Step};
use super::{PROPAGATION_STEP, TAG, TAG_VALUE, policy, propagated, taken};
use crate::context::Account;

const KIND: &str = "state machine";
/// How long a deletion may take. It waits for the executions, which end at their next transition; a state lasts as long as its function,
/// with some tries (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html>).
const DELETING: Duration = Duration::from_secs(300);

/// Looks at a state machine's definition and role.
pub(super) async fn look<'a>(clients: &'a Clients, account: &Account, name: &str, text: &str) -> Result<Step<'a>> {
    let (arn, role, name) = (account.machine(name), account.role(policy::STATES), format!("skydeck-{name}"));
    let wanted = definition(account, text)?;
    let sfn = clients.sfn();
    let found = find(sfn, &arn, &name).await?.filter(|found| found.status() != Some(&StateMachineStatus::Deleting));
    let Some(found) = found else {
        return Ok(Step::new(KIND, name.clone(), Change::Created, async move {
            // One of this name may still be going, as after a removal.
            gone(sfn, &arn, &name).await?;
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
    let Some(found) = find(sfn, &arn, &name).await? else { return Ok(None) };
    let goes = found.status() == Some(&StateMachineStatus::Deleting);
    if !goes && !is_ours(sfn, &arn, &name).await? {
        return Ok(None);
    }
    Ok(Some(Step::new(KIND, name.clone(), Change::Deleted, async move {
        if !goes {
            sfn.delete_state_machine().state_machine_arn(&arn).send().await.during("delete state machine", &name)?;
        }
        gone(sfn, &arn, &name).await
    })))
}

/// Waits until a state machine that is being deleted is gone.
async fn gone(sfn: &Client, arn: &str, name: &str) -> Result<()> {
    let begun = Instant::now();
    while find(sfn, arn, name).await?.is_some() {
        if begun.elapsed() > DELETING {
            let minutes = DELETING.as_secs() / 60;
            return Err(Error::Broken(format!(
                "state machine {name} is still being deleted after {minutes} minutes: an execution may go on. Try again later"
            )));
        }
        tokio::time::sleep(PROPAGATION_STEP).await;
    }
    Ok(())
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
