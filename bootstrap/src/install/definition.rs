//! The definitions of the state machines: their files, with what depends on the account and the lists of retries filled in.

use serde_json::{Map, Value};
use skydeck_aws::{Error, Result};

use crate::context::Account;

const PROVISION: &str = include_str!("../../../statemachine/provision.asl.json");
const ROLLOUT: &str = include_str!("../../../statemachine/rollout.asl.json");
const SWEEP: &str = include_str!("../../../statemachine/sweep.asl.json");
/// Which errors are tried again, and how often: one list for every state that calls a function.
const RETRY: &str = include_str!("../../../statemachine/retry.json");

/// All definitions, by name. The sweep's plans are executions of their own machine: people look for their runs among those of
/// `provision`, and find them.
pub const MACHINES: [(&str, &str); 4] =
    [("provision", PROVISION), ("rollout", ROLLOUT), ("sweep", SWEEP), ("drift", PROVISION)];

/// A definition as AWS gets it. `${partition}` is the account's, `"${retry.<patience>}"` the list of retries, and any other
/// `${name}` the alias of that function.
///
/// # Errors
/// [`Error::Broken`] where the list of retries is not what it should be.
pub fn definition(account: &Account, text: &str) -> Result<String> {
    let text = retries()?.into_iter().fold(text.replace("${partition}", &account.partition), |text, (name, retry)| {
        text.replace(&format!("\"${{retry.{name}}}\""), &retry.to_string())
    });
    let fill = |text: String, name: &String| text.replace(&format!("${{{name}}}"), &account.live(name));
    Ok(placeholders(&text).iter().fold(text.clone(), fill))
}

/// The names of the placeholders that are left in a definition.
fn placeholders(text: &str) -> Vec<String> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    let mut names: Vec<String> = names.map(|(name, _)| name.into()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The lists of retries by their patience: how often a function may say `NotYet`.
fn retries() -> Result<Vec<(String, Value)>> {
    let broken = || Error::Broken("statemachine/retry.json is not as it should be".into());
    let file: Value = serde_json::from_str(RETRY).map_err(|_| broken())?;
    let retriers = file["retry"].as_array().ok_or_else(broken)?;
    let patience = file["not-yet-attempts"].as_object().ok_or_else(broken)?;
    Ok(patience.iter().map(|(name, attempts)| (name.clone(), with_patience(retriers, attempts))).collect())
}

fn with_patience(retriers: &[Value], attempts: &Value) -> Value {
    let retriers = retriers.iter().filter_map(Value::as_object).map(|retrier| {
        let mut retrier: Map<String, Value> = retrier.clone();
        // Comments are for who reads the file; the States Language has none here.
        retrier.remove("Comment");
        if retrier["ErrorEquals"][0] == "NotYet" {
            retrier.insert("MaxAttempts".into(), attempts.clone());
        }
        Value::Object(retrier)
    });
    retriers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(partition: &str, region: &str) -> Account {
        Account { id: "111122223333".into(), partition: partition.into(), region: region.into() }
    }

    #[test]
    fn every_placeholder_is_filled() {
        for (name, text) in MACHINES {
            let filled = definition(&account("aws-cn", "cn-north-1"), text).unwrap();
            assert!(!filled.contains("${"), "a placeholder is left in {name}");
            assert!(filled.contains(r#""arn:aws-cn:lambda:cn-north-1:111122223333:function:skydeck-"#));
            assert!(serde_json::from_str::<Value>(&filled).is_ok(), "{name} is JSON");
        }
    }

    #[test]
    fn every_arn_is_of_the_accounts_own_partition() {
        for (partition, region) in [("aws-cn", "cn-northwest-1"), ("aws-us-gov", "us-gov-west-1")] {
            for (name, text) in MACHINES {
                let filled = definition(&account(partition, region), text).unwrap();
                let arns: Vec<&str> = filled.match_indices("arn:").map(|(at, _)| &filled[at..]).collect();
                assert!(!arns.is_empty(), "{name} calls something");
                let foreign = arns.iter().find(|arn| !arn.starts_with(&format!("arn:{partition}:")));
                assert_eq!(foreign.map(|arn| &arn[..40]), None, "{name}");
            }
        }
    }

    #[test]
    fn the_definition_calls_each_step_of_a_run() {
        let names = placeholders(PROVISION);
        for layer in skydeck_core::run::Layer::ALL {
            assert!(names.contains(&layer.name().to_owned()), "{layer} is not called");
        }
    }
}
