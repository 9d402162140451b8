//! Starts rollouts.

use serde_json::json;
use sha2::{Digest, Sha256};
use skydeck_core::rollout::trigger::{Cause, Order};

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
    // Step Functions' limit is 80 characters.
    let hash = hex::encode(&Sha256::digest(execution.as_bytes())[..4]);
    let short: String = format!("{platform}-{service}").chars().take(50).collect();
    let name = format!("{short}-{cause}-{hash}");
    let machine = machine(execution);
    let input = json!(order).to_string();
    let request = context.clients.sfn.start_execution().state_machine_arn(&machine).name(&name).input(input);
    // Started by an attempt before this one, and it has ended since.
    tolerate(request.send().await.during("start execution", &name), &["ExecutionAlreadyExists"])?;
    Ok(format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1)))
}

/// The machine `rollout` beside the one that an execution is of.
fn machine(execution: &str) -> String {
    let home: Vec<&str> = execution.split(':').take(5).collect();
    format!("{}:stateMachine:skydeck-rollout", home.join(":"))
}

#[cfg(test)]
mod tests {
    use super::machine;

    #[test]
    fn the_machine_is_in_the_executions_account_and_region() {
        let execution = "arn:aws:states:ap-south-1:123456789012:execution:skydeck-sweep:a1";
        assert_eq!(machine(execution), "arn:aws:states:ap-south-1:123456789012:stateMachine:skydeck-rollout");
    }
}
