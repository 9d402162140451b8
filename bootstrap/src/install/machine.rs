//! The state machines.

use aws_sdk_sfn::types::Tag;
use serde_json::Value;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Error, Result};

use super::{Change, TAG, TAG_VALUE, propagated, taken};
use crate::context::Account;

/// The definition of `skydeck-provision`, with a placeholder `${name}` for each function.
const PROVISION: &str = include_str!("../../../statemachine/provision.asl.json");

/// The definition of `skydeck-rollout`.
const ROLLOUT: &str = include_str!("../../../statemachine/rollout.asl.json");
/// The definition of `skydeck-sweep`.
const SWEEP: &str = include_str!("../../../statemachine/sweep.asl.json");
/// All definitions, by name. The sweep's plans are executions of their own machine: people look for their runs among those of
/// `provision`, and find them.
pub(super) const MACHINES: [(&str, &str); 4] =
    [("provision", PROVISION), ("rollout", ROLLOUT), ("sweep", SWEEP), ("drift", PROVISION)];

/// The functions that a definition calls, by its placeholders.
fn functions_of(definition: &str) -> Vec<String> {
    let mut names: Vec<String> =
        definition.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.into()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The definition with each function's alias in its place.
pub(super) fn definition(account: &Account, text: &str) -> String {
    let fill = |text: String, name: &String| text.replace(&format!("${{{name}}}"), &account.live(name));
    functions_of(text).iter().fold(text.to_owned(), fill)
}

/// Makes a state machine what it should be.
pub(super) async fn ensure(clients: &Clients, account: &Account, name: &str, text: &str) -> Result<Change> {
    let (arn, role, name) = (account.machine(name), account.role("skydeck-states"), format!("skydeck-{name}"));
    let wanted = definition(account, text);
    let sfn = &clients.sfn;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_becomes_an_alias() {
        let account = Account { id: "111122223333".into(), partition: "aws-cn".into(), region: "cn-north-1".into() };
        let filled = definition(&account, PROVISION);
        assert!(!filled.contains("${"), "a placeholder is left");
        assert!(filled.contains(r#""arn:aws-cn:lambda:cn-north-1:111122223333:function:skydeck-network:live""#));
        assert!(is_same(&filled, &filled).unwrap());
    }

    #[test]
    fn the_definition_calls_each_step_of_a_run() {
        let names = functions_of(PROVISION);
        for layer in skydeck_core::run::Layer::ALL {
            assert!(names.contains(&layer.name().to_owned()), "{layer} is not called");
        }
        assert_eq!(
            names.len(),
            skydeck_core::run::Layer::ALL.len() + 6,
            "prepare, approve, dispatch, observe, ask and conclude beside them"
        );
    }

    #[test]
    fn no_parallel_state_assigns_or_answers_itself() {
        fn check(states: &Value) {
            for (name, state) in states.as_object().into_iter().flatten() {
                if state["Type"] == "Parallel" {
                    for field in ["Output", "Assign", "Arguments"] {
                        assert!(state.get(field).is_none(), "{name} has {field}, which the emulator ignores");
                    }
                }
                for branch in state["Branches"].as_array().into_iter().flatten() {
                    check(&branch["States"]);
                }
            }
        }
        for (_, text) in MACHINES {
            check(&serde_json::from_str::<Value>(text).unwrap()["States"]);
        }
    }
}
