//! `skydeck bootstrap`.

use std::collections::BTreeMap;

use miette::IntoDiagnostic;
use skydeck_aws::Clients;

use crate::cli::{Architecture, Bootstrap};
use crate::context::{Account, Context};
use crate::error::Ending;
use crate::install::{self, Change, Item, Plan};
use crate::package::{self, Package};
use crate::project;

pub(super) async fn run(context: &Context, options: &Bootstrap) -> miette::Result<Ending> {
    let (clients, account) = context.connect().await?;
    // What runs on this machine is built by plain Cargo: the sandbox runs the machine's own architecture.
    let usual = if context.sandbox { Architecture::HOST } else { Architecture::Arm64 };
    let architecture = options.architecture.unwrap_or(usual);
    let names = install::binaries();
    let binaries = match &options.binaries {
        Some(dir) => package::find(dir, &names)?,
        None if context.sandbox => package::build_here(&project::root()?, &names).await?,
        None => package::build_for_aws(&project::root()?, &project::target()?, architecture, &names).await?,
    };
    context.terminal.progress("packing the functions");
    let packages = package::pack(&binaries, &project::packages()?).await?;
    let items = install(context, &clients, &account, architecture, &packages).await?;
    context.terminal.say(format!("\n{}", summary(&items)));
    context.terminal.document(&items)?;
    Ok(Ending::Done)
}

/// Installs, telling each thing as it is done.
pub(super) async fn install(
    context: &Context,
    clients: &Clients,
    account: &Account,
    architecture: Architecture,
    packages: &BTreeMap<String, Package>,
) -> miette::Result<Vec<Item>> {
    let (terminal, style) = (&context.terminal, context.terminal.style());
    terminal.progress("installing");
    let tell = |item: &Item| {
        let style = if item.change == Change::Unchanged { style.clone().dim() } else { style.clone().green() };
        let word = style.apply_to(format!("{:<9}", item.change.word()));
        terminal.say(format!("  {word}  {} {}", item.kind, item.name));
    };
    let items = install::install(clients, &Plan { account, architecture, packages }, &tell).await;
    terminal.settle();
    items.into_diagnostic()
}

/// How much was done.
pub(super) fn summary(items: &[Item]) -> String {
    let count = |change| items.iter().filter(|item| item.change == change).count();
    format!(
        "Installed: {} created, {} updated, {} unchanged.",
        count(Change::Created),
        count(Change::Updated),
        count(Change::Unchanged)
    )
}
