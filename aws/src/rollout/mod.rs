//! The states of `rollout`, one function each: what a Lambda does between its input and its output. What is decided is
//! `skydeck-core`'s; here it is read and written.

mod conclude;
mod decide;
pub(crate) mod images;
mod look;
pub mod people;
pub(crate) mod read;
pub(crate) mod record;
mod release;
mod rollback;
mod room;
mod settle;
pub(crate) mod start;
pub(crate) mod survey;
mod sweep;
mod tell;
mod tidy;

pub use decide::decide;
pub use look::look;
pub use release::release;
pub use rollback::rollback;
pub use settle::settle;
pub use sweep::{Sweep, Swept, sweep};

use skydeck_core::rollout::ledger::{Keys, applied_key};
use skydeck_core::rollout::run::{Applied, Rollout};
use skydeck_core::scope::Scope;
use skydeck_core::spec;

use crate::error::{Error, Result};
use crate::home::Home;
use crate::run::Context;

/// What the platform's last apply handed on; `None` where there was none.
pub(crate) async fn applied(context: &Context, platform: &str) -> Result<Option<Applied>> {
    context.home.read_json(&applied_key(platform)).await
}

/// Remembers that a platform was destroyed: nobody looks for drift in it, and where no platform is named it is not meant.
pub(crate) async fn gone(context: &Context, platform: &str) -> Result<()> {
    match applied(context, platform).await? {
        Some(applied) if !applied.gone => {
            context.home.write_json(&applied_key(platform), &Applied { gone: true, ..applied }).await
        }
        _ => Ok(()),
    }
}

/// The platforms that are meant where none is named: those that were not destroyed; where all were, all.
///
/// # Errors
/// Where S3 refuses.
pub async fn platforms(home: &Home) -> Result<Vec<String>> {
    let all = home.platforms().await?;
    let mut standing = Vec::new();
    for platform in &all {
        let applied: Option<Applied> = home.read_json(&applied_key(platform)).await?;
        if applied.is_none_or(|applied| !applied.gone) {
            standing.push(platform.clone());
        }
    }
    Ok(if standing.is_empty() { all } else { standing })
}

/// The scope that a rollout of this platform works in. `execution` says in which account.
///
/// Roles and repositories follow from it by their names, so that a platform's record cannot name those of another.
pub(crate) fn scope_of(context: &Context, name: &str, applied: &Applied, execution: &str) -> Result<Scope> {
    let platform =
        spec::parse("platform.toml", &applied.file).map_err(|problems| Error::Input(problems.to_string()))?;
    let mut parts = execution.split(':');
    let (Some(partition), Some(account)) = (parts.nth(1), parts.nth(2)) else {
        return Err(Error::Input(format!("`{execution}` is not the ARN of an execution")));
    };
    let scope = Scope {
        platform,
        account: account.to_owned(),
        partition: partition.to_owned(),
        home: context.home.bucket.clone(),
        facts: applied.facts.clone(),
        refresh_ami: false,
        done: Vec::new(),
    };
    if scope.prefix() != name {
        let (key, found) = (applied_key(name), scope.prefix());
        return Err(Error::Input(format!("{key} holds the file of platform {found}: apply platform {name} again")));
    }
    Ok(scope)
}

/// The scope of a rollout that was decided.
async fn scope(context: &Context, rollout: &Rollout) -> Result<Scope> {
    let applied = applied(context, &rollout.platform).await?;
    let applied =
        applied.ok_or_else(|| Error::Input(format!("platform {} is not there any more", rollout.platform)))?;
    scope_of(context, &rollout.platform, &applied, &rollout.execution)
}

fn keys(rollout: &Rollout) -> Keys<'_> {
    Keys { platform: &rollout.platform, service: &rollout.service }
}

/// The time, in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
