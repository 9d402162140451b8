//! Starts rollouts, and the plans that find drift.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skydeck_core::rollout::trigger::{Cause, Order};
use skydeck_core::run::Mode;

use crate::error::{Error, Explain, Result};
use crate::run::Context;

/// Starts a rollout of a service in the account and region of `execution`, which is part of its name: a retry starts no
/// second one. Returns the ARN of the execution.
pub(crate) async fn order(context: &Context, order: Order, execution: &str) -> Result<String> {
    let of = format!("{}-{}-{}", order.platform.as_deref().unwrap_or_default(), order.service, order.cause);
    begin(context, ("rollout", &of), &json!(order), execution).await
}

/// The order of a rollout of a service by its policy, or, for a change of settings, with the image that it runs.
pub(crate) fn by_policy(platform: &str, service: &str, cause: Cause, parameter: Option<&str>) -> Order {
    let since = (cause == Cause::Secret).then(super::now);
    Order {
        platform: Some(platform.to_owned()),
        service: service.to_owned(),
        image: None,
        cause,
        since,
        parameter: parameter.map(Into::into),
    }
}

/// Starts the plan that finds a platform's drift, once for an execution of the sweep. Returns the ARN of the execution.
pub(crate) async fn drift(context: &Context, platform: &str, execution: &str) -> Result<String> {
    let input = json!({ "mode": Mode::Plan, "platform": platform, "drift": true });
    begin(context, ("drift", &format!("{platform}-drift")), &input, execution).await
}

/// Starts a machine, under a name that an execution gives it: a retry starts no second one. Returns the execution's ARN.
async fn begin(context: &Context, (machine, of): (&str, &str), input: &Value, execution: &str) -> Result<String> {
    let name = name(of, execution);
    let machine = self::machine(execution, machine);
    let sfn = context.clients.sfn();
    let request = sfn.start_execution().state_machine_arn(&machine).name(&name).input(input.to_string());
    let started = request.send().await.during("start execution", &name);
    let arn = format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1));
    if started.as_ref().is_err_and(|error| error.code() == Some("ExecutionAlreadyExists")) {
        // By an attempt before this one, or by somebody else, who had something else in mind.
        let found = sfn.describe_execution().execution_arn(&arn).send().await;
        // Its answers are eventually consistent.
        let found = found.find(&["ExecutionDoesNotExist"], "read execution", &name)?;
        let found = found.ok_or_else(|| Error::NotYet(format!("execution {name} to be known")))?;
        let found: Option<Value> = found.input().and_then(|text| serde_json::from_str(text).ok());
        if found.as_ref().map(meant) != Some(meant(input)) {
            return Err(Error::Input(format!("{arn} was started by somebody else, with another input")));
        }
        return Ok(arn);
    }
    started.map(|_| arn)
}

/// An input without the time at which it was written, which differs between attempts.
fn meant(input: &Value) -> Value {
    let mut input = input.clone();
    if let Some(fields) = input.as_object_mut() {
        fields.remove("since");
    }
    input
}

/// Step Functions' limit for the name of an execution.
const LONGEST: usize = 80;

/// The name of what an execution starts: as much as fits of what it is about, and a hash of all of it and of the execution.
fn name(of: &str, execution: &str) -> String {
    let hash = hex::encode(&Sha256::digest(format!("{of}\n{execution}"))[..8]);
    let short: String = of.chars().take(LONGEST - 1 - hash.len()).collect();
    format!("{short}-{hash}")
}

/// The machine of this name beside the one that an execution is of.
fn machine(execution: &str, name: &str) -> String {
    let home: Vec<&str> = execution.split(':').take(5).collect();
    format!("{}:stateMachine:skydeck-{name}", home.join(":"))
}

#[cfg(test)]
mod tests {
    use super::{machine, name};

    #[test]
    fn what_two_long_names_begin_with_alike_they_do_not_share() {
        let execution = "arn:aws:states:ap-south-1:123456789012:execution:skydeck-provision:a1";
        let long = "p".repeat(60);
        let names =
            ["a-configuration", "b-configuration", "a-sweep"].map(|end| name(&format!("{long}{end}"), execution));
        assert!(names[0] != names[1] && names[0] != names[2], "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 80), "{names:?}");
        assert_ne!(name("a", execution), name("a", "another"));
        assert_eq!(name("a", execution), name("a", execution), "a retry starts no second one");
    }

    #[test]
    fn the_machine_is_in_the_executions_account_and_region() {
        let execution = "arn:aws:states:ap-south-1:123456789012:execution:skydeck-sweep:a1";
        assert_eq!(
            machine(execution, "rollout"),
            "arn:aws:states:ap-south-1:123456789012:stateMachine:skydeck-rollout"
        );
    }
}
