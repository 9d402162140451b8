//! `skydeck version`.

use serde_json::json;
use skydeck_aws::error::tolerate;

use crate::context::Context;
use crate::error::Ending;
use crate::install::{Version, installed};

pub(super) async fn run(context: &Context) -> miette::Result<Ending> {
    let terminal = &context.terminal;
    let here = Version::here();
    // First: it is known also where no account can be reached.
    terminal.say(format!("command       {here}"));
    let (clients, account) = context.connect().await?;
    let place = format!("account {}, region {}", account.id, account.region);
    let asked = context.patiently(async || tolerate(installed(&clients, &account).await, &["NoSuchBucket"])).await;
    let found = asked.map_err(crate::run::installed)?;
    let there = match &found {
        None => format!("none in {place}"),
        Some(None) => {
            format!("of an unknown version in {place}: an installation that has not ended, or a very old one")
        }
        Some(Some(version)) => format!("{version} in {place}"),
    };
    terminal.say(format!("installation  {there}"));
    let version = found.flatten();
    let differ = version.as_ref().is_some_and(|version| *version != here);
    if differ {
        terminal.say(format!(
            "\nThey differ. `{} bootstrap` installs the command's version; or use the command of the installation's.",
            context.invocation()
        ));
    }
    terminal.document(&json!({
        "command": here, "installation": version, "differ": differ, "account": account.id, "region": account.region,
    }))?;
    Ok(Ending::Done)
}
