//! `skydeck bootstrap`.

use std::collections::BTreeMap;
use std::path::Path;

use miette::{IntoDiagnostic, miette};
use skydeck_aws::Clients;
use skydeck_aws::error::tolerate;

use crate::archive;
use crate::cli::{Architecture, Bootstrap};
use crate::confirm::confirm;
use crate::context::{Account, Context};
use crate::error::Ending;
use crate::install::remove::{self, Removal};
use crate::install::{self, Busy, Change, Changes, Item, Plan, UNNAMED, Version, installed};
use crate::package::{self, Package};
use crate::project;

pub(super) async fn run(context: &Context, options: &Bootstrap) -> miette::Result<Ending> {
    let (clients, account) = context.connect().await?;
    context.terminal.say(format!("account {}, region {}", account.id, account.region));
    if options.remove {
        return remove(context, (&clients, &account), options.yes).await;
    }
    let (architecture, packages) = functions(context, options).await?;
    let plan = Plan { account: &account, architecture, packages: &packages };
    context.terminal.progress("looking at what is there");
    let changes = install::look(&clients, &plan).await;
    context.terminal.settle();
    let changes = changes.into_diagnostic()?;
    if changes.is_empty() {
        context.terminal.say(format!("\nNothing to change: {} things are as they should be.", changes.items().count()));
        context.terminal.document(&changes.items().collect::<Vec<_>>())?;
        return Ok(Ending::Done);
    }
    show(context, &changes);
    let roles = changes.items().filter(|item| item.kind == "role").count();
    let command = context.invocation_without_sandbox();
    context.terminal.say(format!(
        "\nThere are {roles} roles; `{command} policies --region {}` prints what each may do.",
        account.region
    ));
    context.terminal.say(format!(
        "Plan: {} to create, {} to update.",
        changes.count(Change::Created),
        changes.count(Change::Updated)
    ));
    let found = tolerate(installed(&clients, &account).await, &["NoSuchBucket"]).into_diagnostic()?;
    if let Some(found) = found.flatten().filter(|found| found.is_newer_than(&Version::here())) {
        let here = Version::here();
        context.terminal.say(format!("It is of version {found}, and this command is of {here}: this takes it back."));
    }
    if !options.yes {
        confirm("Install? (yes/no)", "yes", "that skydeck is to be installed")?;
    }
    let items = write(context, changes).await?;
    context.terminal.say(summary(&items));
    context.terminal.document(&items)?;
    Ok(Ending::Done)
}

/// The functions' zips, and what they were built for.
async fn functions(
    context: &Context,
    options: &Bootstrap,
) -> miette::Result<(Architecture, BTreeMap<String, Package>)> {
    // What runs on this machine is built by plain Cargo: the sandbox runs the machine's own architecture.
    let wanted = options.architecture.or(context.sandbox.then_some(Architecture::HOST));
    if let Some(archive) = options.from.as_deref().map(archive::read).transpose()?.flatten() {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != archive.architecture) {
            let (is, wanted) = (archive.architecture.name(), wanted.name());
            return Err(miette!("the archive's functions are built for {is}, and are to run on {wanted}"));
        }
        return Ok((archive.architecture, archive.packages));
    }
    let architecture = wanted.unwrap_or(Architecture::Arm64);
    Ok((architecture, packages(context, options.from.as_deref(), architecture).await?))
}

/// Packs the functions of a directory, or those that are built now.
pub(super) async fn packages(
    context: &Context,
    from: Option<&Path>,
    architecture: Architecture,
) -> miette::Result<BTreeMap<String, Package>> {
    let names = install::binaries();
    let binaries = match from {
        Some(dir) => package::find(dir, &names)?,
        None if context.sandbox => package::build_here(&project::checkout()?, &names).await?,
        None => package::build_for_aws(&project::checkout()?, &project::target()?, architecture, &names).await?,
    };
    package::check(&binaries, architecture)?;
    context.terminal.progress("packing the functions");
    let packages = package::pack(&binaries, &project::packages()?).await;
    context.terminal.settle();
    packages
}

/// Installs without a question, as the demo does.
pub(super) async fn install(context: &Context, clients: &Clients, plan: &Plan<'_>) -> miette::Result<Vec<Item>> {
    let changes = install::look(clients, plan).await.into_diagnostic()?;
    write(context, changes).await
}

async fn remove(context: &Context, (clients, account): (&Clients, &Account), yes: bool) -> miette::Result<Ending> {
    let terminal = &context.terminal;
    terminal.progress("looking at what is there");
    let looked = async { Ok((install::busy(clients, account).await?, remove::look(clients, account).await?)) };
    let looked: skydeck_aws::Result<_> = looked.await;
    terminal.settle();
    let (busy, removal): (Busy, Removal<'_>) = looked.into_diagnostic()?;
    refuse(context, &busy, "")?;
    let count = removal.items().count();
    if count == 0 {
        terminal.say("\nNothing of skydeck is there.");
        terminal.document(&<[Item; 0]>::default())?;
        return Ok(Ending::Done);
    }
    let Removal { starters, rest } = removal;
    show(context, &starters);
    show(context, &rest);
    if !busy.untold.is_empty() {
        let untold = busy.untold.join(", ");
        terminal.say(format!("\nWhose these buckets are AWS does not tell (AccessDenied), and they stay: {untold}"));
    }
    terminal.say(format!("\nPlan: {count} to delete, the bucket with all that is in it."));
    if !yes {
        let question = format!("This cannot be undone. Type the region ({}) to go on", account.region);
        confirm(&question, &account.region, "that skydeck is to be removed")?;
    }
    let mut items = write(context, starters).await?;
    // While the question stood, somebody or a rule may have started one more. From now on no rule does.
    let busy = install::busy(clients, account).await.into_diagnostic()?;
    refuse(context, &busy, "; what starts runs by itself is removed already, and `bootstrap` brings it back")?;
    items.extend(write(context, rest).await?);
    terminal.say(format!("Removed: {} deleted.", items.len()));
    terminal.document(&items)?;
    Ok(Ending::Done)
}

/// Refuses while the installation is needed. `so_far` says what was done by then.
fn refuse(context: &Context, busy: &Busy, so_far: &str) -> miette::Result<()> {
    let command = context.invocation();
    if !busy.platforms.is_empty() {
        let help = match busy.platforms.keys().find(|name| *name != UNNAMED) {
            Some(first) => format!("remove them first: `{command} destroy {first}`"),
            None => "delete them, or give them their tags back and destroy their platform".to_owned(),
        };
        let told = |(name, things): (&String, &Vec<String>)| format!("{name} ({})", things.join(", "));
        let standing: Vec<String> = busy.platforms.iter().map(told).collect();
        return Err(miette!(help = help, "skydeck is needed by what stands: {}{so_far}", standing.join("; ")));
    }
    if let Some(first) = busy.runs.first() {
        return Err(miette!(
            help =
                format!("wait for their end, `{command} follow {first}`, or stop them in the Step Functions console"),
            "runs go on: {}{so_far}",
            busy.runs.join(", ")
        ));
    }
    Ok(())
}

/// Says what is to be done: what changes, and how much does not.
fn show(context: &Context, changes: &Changes<'_>) {
    let (terminal, style) = (&context.terminal, context.terminal.style());
    for item in changes.items().filter(|item| item.change != Change::Unchanged) {
        let style = match item.change {
            Change::Created => style.clone().green(),
            Change::Deleted => style.clone().red(),
            Change::Updated | Change::Unchanged => style.clone().yellow(),
        };
        let word = style.apply_to(item.change.word());
        terminal.say(format!("  {word} {} {}", item.kind, item.name));
    }
    let unchanged = changes.count(Change::Unchanged);
    if unchanged > 0 {
        terminal.say(style.dim().apply_to(format!("  {unchanged} things stay as they are")).to_string());
    }
}

async fn write(context: &Context, changes: Changes<'_>) -> miette::Result<Vec<Item>> {
    let terminal = &context.terminal;
    let tell = |item: &Item| terminal.progress(format!("{} {} {}", item.change.done(), item.kind, item.name));
    let items = changes.write(&tell).await;
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
