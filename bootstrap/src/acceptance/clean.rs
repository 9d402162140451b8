//! The way back, from wherever a run has ended: by the mark that it has left before anything else.

use std::time::Duration;

use aws_sdk_ssm::types::{ParameterType, Tag};
use miette::{IntoDiagnostic, miette};
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Error, Result};

use super::plan::{PREFIX, TAG};
use super::skydeck::skydeck;
use super::steps::clock;
use crate::context::{Account, Context};
use crate::install;

/// The parameter that says that what is here is an acceptance run's: made before all else, and deleted after it.
pub(super) const MARK: &str = "/skydeck-acceptance";
/// Between two looks whether runs have ended.
const LOOK: Duration = Duration::from_secs(2);

/// Whether an acceptance run has begun here, and has not been cleaned up.
pub(super) async fn is_marked(clients: &Clients) -> Result<bool> {
    let found = clients.ssm().get_parameter().name(MARK).send().await;
    Ok(found.find(&["ParameterNotFound"], "read parameter", MARK)?.is_some())
}

/// Leaves the mark.
pub(super) async fn mark(clients: &Clients) -> Result<()> {
    let tag = Tag::builder().key(TAG).value("1").build().map_err(|error| Error::Broken(error.to_string()))?;
    let request = clients.ssm().put_parameter().name(MARK).r#type(ParameterType::String).tags(tag);
    let request =
        request.value("an acceptance run of skydeck has begun here: `skydeck acceptance --clean` takes it away");
    request.send().await.during("create parameter", MARK).map(drop)
}

/// What there is of skydeck here: parts of an installation, and platforms.
pub(super) async fn found(clients: &Clients, account: &Account) -> Result<Vec<String>> {
    let busy = install::busy(clients, account).await?;
    let parts = install::remove::look(clients, account).await?;
    let parts = parts.items().map(|item| format!("{} {}", item.kind, item.name));
    Ok(busy.platforms.into_keys().map(|name| format!("platform {name}")).chain(parts).collect())
}

/// Takes the platform and the installation away, whatever there is of them, and then the mark.
pub(super) async fn clean(context: &Context, clients: &Clients, account: &Account) -> miette::Result<()> {
    let say = |text: &str| context.terminal.say(format!("{}  {text}", clock()));
    let platforms = quiet(context, clients, account).await?;
    if let Some(other) = platforms.iter().find(|name| *name != PREFIX) {
        return Err(miette!(
            help = format!("destroy it first: `{} destroy {other}`", context.invocation()),
            "{other} is no platform of an acceptance run, and stands in this installation"
        ));
    }
    if !platforms.is_empty() {
        say("destroying the platform …");
        skydeck(context, &["destroy", PREFIX, "--yes"]).await?.well()?;
    }
    if install::remove::look(clients, account).await.into_diagnostic()?.items().next().is_some() {
        say("removing skydeck …");
        skydeck(context, &["bootstrap", "--remove", "--yes"]).await?.well()?;
    }
    // One that has gone already.
    let gone = clients.ssm().delete_parameter().name(MARK).send().await;
    gone.find(&["ParameterNotFound"], "delete parameter", MARK).into_diagnostic()?;
    Ok(())
}

/// Waits until no run goes on; the platforms that stand then.
async fn quiet(context: &Context, clients: &Clients, account: &Account) -> miette::Result<Vec<String>> {
    loop {
        let runs = context.patiently(async || install::runs(clients, account).await).await.into_diagnostic()?;
        if runs.is_empty() {
            break;
        }
        context.terminal.note(&format!("waiting for {}", runs.join(", ")));
        tokio::time::sleep(LOOK).await;
    }
    let busy = context.patiently(async || install::busy(clients, account).await).await.into_diagnostic()?;
    Ok(busy.platforms.into_keys().collect())
}
