//! Installs skydeck into an account: its bucket, a role and a function for each step, the state machines.
//!
//! Everything is looked at first, which says what differs ([`look`]), and only that is written ([`Changes::write`]), so that a
//! second installation writes nothing. What bears one of skydeck's names without skydeck's tag is somebody else's, and is left
//! alone with an error. [`remove`] is the way back.

pub mod boundary;
mod bucket;
pub mod definition;
mod events;
mod function;
mod machine;
pub mod policy;
pub mod remove;
mod role;
mod standing;
mod step;
mod version;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use skydeck_aws::function::FUNCTIONS;
use skydeck_aws::{Clients, Error, Result};
use skydeck_core::plan::Refusal;
use skydeck_core::scope::boundary_name;

use crate::cli::Architecture;
use crate::context::Account;
use crate::package::Package;

use definition::MACHINES;
use step::AT_ONCE;

pub use standing::{Busy, UNNAMED, busy, runs};
pub use step::{Change, Changes, Item, Tell};
pub use version::{Version, installed};

/// Tag of everything that an installation consists of.
pub use skydeck_core::scope::TAG_INSTALLATION as TAG;
/// Its value. There is one installation in an account and region.
pub const TAG_VALUE: &str = "skydeck";

/// The function inside the VPC: its code is uploaded here, and the balancer layer makes it.
pub const PROBE: &str = "probe";

/// IAM tells the other services of a new role within seconds, and SQS makes no queue for a minute after one of its name was deleted;
/// after this, something else is wrong.
const PROPAGATION: Duration = Duration::from_secs(90);
const PROPAGATION_STEP: Duration = Duration::from_secs(2);

/// Names of the binaries that an installation needs.
#[must_use]
pub fn binaries() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|function| function.name).chain([PROBE]).collect()
}

/// The policies of an installation, by the name of the role that has each; and the boundary of the platforms' roles.
#[must_use]
pub fn policies(account: &Account) -> BTreeMap<String, Value> {
    let roles = policy::roles(account).into_iter().map(|role| (role.name, role.policy));
    roles.chain([(boundary_name(&account.region), policy::boundary(account))]).collect()
}

/// The policies of those who use skydeck daily, `operator`, `pipeline` and `viewer`. They are printed, and not installed: which people and
/// pipelines there are is the team's.
#[must_use]
pub fn daily_policies(account: &Account) -> BTreeMap<String, Value> {
    policy::daily(account)
}

/// What is installed.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Into which account.
    pub account: &'a Account,
    /// What the binaries were built for.
    pub architecture: Architecture,
    /// The archive of each of [`binaries`].
    pub packages: &'a BTreeMap<String, Package>,
}

/// Looks at everything, and says what is to be done so that it is as it should be. Writes nothing.
///
/// # Errors
/// What AWS refuses to tell, or what is somebody else's.
pub async fn look<'a>(clients: &'a Clients, plan: &'a Plan<'a>) -> Result<Changes<'a>> {
    let account = plan.account;
    let roles = all(policy::roles(account), |role| role::look(clients, role));
    let (bucket, boundary, roles) =
        futures::try_join!(bucket::look(clients, account), boundary::look(clients, account), roles)?;
    let code = all(binaries(), async |name| function::look_at_code(clients, plan, name, package(plan, name)?).await);
    let groups = function::log_groups(clients).await?;
    let names = || FUNCTIONS.iter().map(|function| function.name);
    let logs = all(names(), |name| function::look_at_log_group(clients, account, name, &groups));
    let functions = all(names(), async |name| function::look(clients, plan, name, package(plan, name)?).await);
    let (code, logs, functions) = futures::try_join!(code, logs, functions)?;
    let machines = all(MACHINES, |(name, text)| machine::look(clients, account, name, text)).await?;
    let queue = events::look_at_queue(clients, account).await?;
    let rules = all(&events::RULES, |rule| events::look_at_rule(clients, account, rule)).await?;
    let version = version::look(clients, plan).await?;
    Ok(Changes::default()
        .then([bucket, boundary].into_iter().chain(roles).collect())
        .then(code.into_iter().chain(logs).collect())
        .then(functions)
        .then(machines)
        .then(vec![queue])
        // What starts the state machines by itself comes when all is there that it starts.
        .then(rules)
        // Last: who reads it knows that everything before is there.
        .then(vec![version]))
}

/// Looks at each of these, some side by side.
async fn all<T, L: Future<Output = Result<S>>, S>(
    things: impl IntoIterator<Item = T>,
    look: impl Fn(T) -> L,
) -> Result<Vec<S>> {
    stream::iter(things).map(look).buffered(AT_ONCE).try_collect().await
}

fn package<'a>(plan: &Plan<'a>, name: &str) -> Result<&'a Package> {
    plan.packages.get(name).ok_or_else(|| Error::Broken(format!("there is no archive of {name}")))
}

/// The log group of a function, as Lambda names it.
fn log_group(function: &str) -> String {
    format!("/aws/lambda/skydeck-{function}")
}

/// Something has one of our names without being ours.
fn taken(kind: &str, name: &str) -> Error {
    Error::Refused(Refusal::Taken {
        kind: kind.into(),
        name: name.into(),
        advice: format!("Rename it, or tag it {TAG}={TAG_VALUE} to hand it over"),
    })
}

/// Tries again while IAM has not yet told the other service of a role that is new.
async fn propagated<T>(call: impl AsyncFn() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match call().await {
            Err(error) if is_propagating(&error) && begun.elapsed() < PROPAGATION => {
                tokio::time::sleep(PROPAGATION_STEP).await;
            }
            result => return result,
        }
    }
}

/// Whether what is in the way is only that a new role is not known everywhere yet.
fn is_propagating(error: &Error) -> bool {
    error.passes() || error.is_unknown()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_is_new_is_waited_for_and_another_refusal_is_not() {
        let error = |code: &str, message: &str| Error::Aws {
            verb: "create function".into(),
            resource: "skydeck-network".into(),
            code: code.into(),
            message: message.into(),
        };
        let text = "The role defined for the function cannot be assumed by Lambda";
        assert!(is_propagating(&error("InvalidParameterValueException", text)));
        assert!(!is_propagating(&error("InvalidParameterValueException", "Unzipped size must be smaller")));
        let principal = "Provided role 'arn' cannot be assumed by principal 'events.amazonaws.com'.";
        assert!(is_propagating(&error("ValidationException", principal)));
        assert!(is_propagating(&error(
            "InvalidParameterValueException",
            "Lambda was unable to configure access to your environment variables because the KMS key is invalid for CreateGrant"
        )));
        assert!(is_propagating(&error("NoSuchEntity", "The role with name skydeck-network cannot be found.")));
        assert!(!is_propagating(&error("ValidationException", "Parameter ScheduleExpression is not valid.")));
    }
}
