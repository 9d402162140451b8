//! Installs skydeck into an account: its bucket, a role and a function for each step, the state machines.
//!
//! Everything is looked at first and written only where it differs, so that a second installation writes nothing. What
//! bears one of skydeck's names without skydeck's tag is somebody else's, and is left alone with an error.

pub mod boundary;
mod bucket;
pub mod definition;
mod events;
mod function;
mod machine;
pub mod policy;
mod role;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::Value;
use skydeck_aws::function::FUNCTIONS;
use skydeck_aws::{Clients, Error, Result};
use skydeck_core::plan::Refusal;
use skydeck_core::scope::boundary_name;

use crate::cli::Architecture;
use crate::context::Account;
use crate::package::Package;

use definition::MACHINES;

/// Tag of everything that an installation consists of.
pub use skydeck_core::scope::TAG_INSTALLATION as TAG;
/// Its value. There is one installation in an account and region.
pub const TAG_VALUE: &str = "skydeck";

/// The function inside the VPC: its code is uploaded here, and the balancer layer makes it.
pub const PROBE: &str = "probe";

/// How many functions are installed side by side: Lambda lets an account make 15 such calls in a second.
const AT_ONCE: usize = 4;
/// IAM tells the other services of a new role within seconds; after a minute something else is wrong.
const PROPAGATION: Duration = Duration::from_secs(60);
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

/// What became of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// AWS's word for it.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What was done.
    pub change: Change,
}

/// What was done to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was as it should be.
    Unchanged,
    /// It was changed.
    Updated,
    /// It was not there.
    Created,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Change::Unchanged => "unchanged",
            Change::Updated => "updated",
            Change::Created => "created",
        }
    }

    fn updated_if(changed: bool) -> Self {
        if changed { Change::Updated } else { Change::Unchanged }
    }
}

/// Tells each thing as soon as it is done.
pub type Tell<'a> = &'a (dyn Fn(&Item) + Sync);

/// Installs everything, or brings it up to date. Returns what became of each thing.
///
/// # Errors
/// The first thing that AWS refuses, or that is somebody else's.
pub async fn install(clients: &Clients, plan: &Plan<'_>, tell: Tell<'_>) -> Result<Vec<Item>> {
    let done = |kind, name: String, change| {
        let item = Item { kind, name, change };
        tell(&item);
        item
    };
    let bucket = async {
        let change = bucket::ensure(clients, plan.account).await?;
        Ok::<_, Error>(done("bucket", plan.account.bucket(), change))
    };
    let boundary = async {
        let change = boundary::ensure(clients, plan.account).await?;
        Ok::<_, Error>(done("policy", boundary_name(&plan.account.region), change))
    };
    let (bucket, boundary, roles) = futures::try_join!(bucket, boundary, install_roles(clients, plan, &done))?;
    let mut items = vec![bucket, boundary];
    items.extend(roles);
    items.extend(install_functions(clients, plan, &done).await?);
    for (name, text) in MACHINES {
        let change = machine::ensure(clients, plan.account, name, text).await?;
        items.push(done("state machine", format!("skydeck-{name}"), change));
    }
    items.extend(install_events(clients, plan, &done).await?);
    Ok(items)
}

/// What starts the state machines by itself: last, when all is there that it starts.
async fn install_events(clients: &Clients, plan: &Plan<'_>, done: Done<'_>) -> Result<Vec<Item>> {
    let change = events::ensure_queue(clients, plan.account).await?;
    let mut items = vec![done("queue", events::DEAD_LETTERS.into(), change)];
    for rule in &events::RULES {
        let change = events::ensure_rule(clients, plan.account, rule).await?;
        items.push(done("rule", rule.name.into(), change));
    }
    Ok(items)
}

type Done<'a> = &'a (dyn Fn(&'static str, String, Change) -> Item + Sync);

async fn install_roles(clients: &Clients, plan: &Plan<'_>, done: Done<'_>) -> Result<Vec<Item>> {
    let one = async |role: policy::Role| {
        let change = role::ensure(clients, &role.name, role.service, &role.policy).await?;
        Ok::<_, Error>(done("role", role.name, change))
    };
    stream::iter(policy::roles(plan.account)).map(one).buffered(AT_ONCE).try_collect().await
}

async fn install_functions(clients: &Clients, plan: &Plan<'_>, done: Done<'_>) -> Result<Vec<Item>> {
    let groups = function::log_groups(clients).await?;
    let one = async |name: &'static str| {
        let package = package(plan, name)?;
        let mut items = Vec::new();
        let change = function::upload(clients, plan, name, package).await?;
        items.push(done("code", function::code_key(name), change));
        if name != PROBE {
            let change = function::ensure_log_group(clients, name, &groups).await?;
            items.push(done("log group", log_group(name), change));
            let change = function::ensure(clients, plan, name, package).await?;
            items.push(done("function", format!("skydeck-{name}"), change));
        }
        Ok::<_, Error>(items)
    };
    let items: Vec<Vec<Item>> = stream::iter(binaries()).map(one).buffered(AT_ONCE).try_collect().await?;
    Ok(items.into_iter().flatten().collect())
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
