//! Starts rollouts, and the plans that find drift.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skydeck_core::rollout::trigger::{Cause, Order};
use skydeck_core::run::Mode;

use crate::error::{Explain, Result, tolerate};
use crate::run::Context;

/// Starts a rollout of a service in the account and region of `execution`, which is part of its name: a retry starts no
/// second one. Returns the ARN of the execution.
pub(crate) async fn order(
    context: &Context,
    platform: &str,
    service: &str,
    cause: Cause,
    image: Option<&str>,
    execution: &str,
) -> Result<String> {
    let order = Order {
        platform: Some(platform.to_owned()),
        service: service.to_owned(),
        image: image.map(ToOwned::to_owned),
        cause,
        since: (cause == Cause::Secret).then(super::now),
    };
    let short: String = format!("{platform}-{service}").chars().take(50).collect();
    begin(context, ("rollout", &format!("{short}-{cause}")), &json!(order), execution).await
}

/// Starts the plan that finds a platform's drift, once for an execution of the sweep. Returns the ARN of the execution.
pub(crate) async fn drift(context: &Context, platform: &str, execution: &str) -> Result<String> {
    let input = json!({ "mode": Mode::Plan, "platform": platform, "drift": true });
    begin(context, ("drift", &format!("{platform}-drift")), &input, execution).await
}

/// Starts a machine, under a name that an execution gives it: a retry starts no second one. Returns the execution's ARN.
async fn begin(context: &Context, (machine, of): (&str, &str), input: &Value, execution: &str) -> Result<String> {
    // Step Functions' limit is 80 characters.
    let hash = hex::encode(&Sha256::digest(execution.as_bytes())[..4]);
    let short: String = of.chars().take(70).collect();
    let name = format!("{short}-{hash}");
    let machine = self::machine(execution, machine);
    let request = context.clients.sfn.start_execution().state_machine_arn(&machine).name(&name);
    // Started by an attempt before this one, and it has ended since.
    tolerate(
        request.input(input.to_string()).send().await.during("start execution", &name),
        &["ExecutionAlreadyExists"],
    )?;
    Ok(format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1)))
}

/// The machine of this name beside the one that an execution is of.
fn machine(execution: &str, name: &str) -> String {
    let home: Vec<&str> = execution.split(':').take(5).collect();
    format!("{}:stateMachine:skydeck-{name}", home.join(":"))
}

#[cfg(test)]
mod tests {
    use super::machine;

    #[test]
    fn the_machine_is_in_the_executions_account_and_region() {
        let execution = "arn:aws:states:ap-south-1:123456789012:execution:skydeck-sweep:a1";
        assert_eq!(
            machine(execution, "rollout"),
            "arn:aws:states:ap-south-1:123456789012:stateMachine:skydeck-rollout"
        );
    }
}
