//! The acceptance run: takes an account of AWS, and proves there what is only assumed of it here (docs/acceptance.md).
//!
//! [`plan`] says what it makes and what that costs at most, [`steps`] does it, [`seen`] is what it saw, [`points`] judges that, and
//! [`report`] tells it. [`clean`](self::clean) is the way back from wherever it ended.

mod clean;
mod image;
mod leftovers;
mod observe;
mod plan;
mod points;
mod report;
mod seen;
mod skydeck;
mod steps;

use std::path::PathBuf;
use std::time::Instant;

use miette::{IntoDiagnostic, WrapErr, miette};
use skydeck_aws::Clients;

use crate::archive::{self, Archive};
use crate::cli::Acceptance;
use crate::confirm::confirm;
use crate::context::{Account, Context};
use crate::error::{Ending, Usage};
use crate::install::Version;
use crate::project;
use steps::{Run, clock};

pub use plan::{file, highest_cost};
pub use points::{Finding, POINTS, Point, UNOBSERVABLE};
pub use report::{Found, Report};
pub use seen::{Answer, Associated, Pushed, Registered, Returned, Sample, Seen, Stopped, Task};
pub use steps::{Step, Taken};

/// `skydeck acceptance`.
pub(crate) async fn run(context: &Context, options: &Acceptance) -> miette::Result<Ending> {
    let (clients, account) = context.connect().await?;
    let site = (&clients, &account);
    if account.id != options.account {
        let help =
            "name the account that the credentials are of, or set AWS_PROFILE to those of the account that you mean";
        let message = format!("the credentials are of account {}, and not of {}", account.id, options.account);
        return Err(Usage::new(message, help).into());
    }
    let marked = clean::is_marked(&clients).await.into_diagnostic()?;
    if options.clean {
        return clean_only(context, site, options, marked).await;
    }
    refuse_what_is_there(site, marked, &again(context, options)).await?;
    let (path, archive) = archive(context, options).await?;
    for line in plan::lines(&account) {
        context.terminal.say(line);
    }
    if !options.yes {
        let question = format!("Type the account's number ({}) to go on", account.id);
        confirm(&question, &account.id, "that the acceptance run is to begin")?;
    }

    let (began, begun) = (jiff::Timestamp::now(), Instant::now());
    let mut run = Run::new(context, site, &path, &archive.server)?;
    clean::mark(&clients).await.into_diagnostic()?;
    let early = tokio::select! {
        () = run.all() => None,
        _ = tokio::signal::ctrl_c() => Some("Ctrl-C".to_owned()),
        () = tokio::time::sleep(plan::LONGEST) => Some(format!("it took longer than {} hours", plan::LONGEST.as_secs() / 3600)),
    };
    if let Some(why) = &early {
        context.terminal.say(format!("{}  ended early: {why}", clock()));
    }
    let left = tokio::select! {
        left = take_away(context, site) => left,
        _ = tokio::signal::ctrl_c() => vec!["cleaning up was interrupted".to_owned()],
    };
    if !left.is_empty() {
        context.terminal.say(format!(
            "Left in the account: {}. `{}` takes it away",
            left.join(", "),
            again(context, options)
        ));
    }
    let is_interrupted = early.as_deref() == Some("Ctrl-C");
    let facts = Report {
        version: Version::here().to_string(),
        region: account.region.clone(),
        began: began.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        seconds: begun.elapsed().as_secs_f64(),
        ended_early: early,
        steps: run.taken,
        points: Vec::new(),
        left,
        trouble: Vec::new(),
    };
    let report = Report::of(&account.id, &run.seen, facts);
    std::fs::write(&options.output, report.page())
        .into_diagnostic()
        .wrap_err_with(|| options.output.display().to_string())?;
    context.terminal.say(format!("\n{}.\nThe report: {}", report.summary(), options.output.display()));
    context.terminal.document(&report)?;
    Ok(match (is_interrupted, report.is_good()) {
        (true, _) => Ending::Interrupted,
        (false, true) => Ending::Done,
        (false, false) => Ending::Failed,
    })
}

/// The command that cleans up.
fn again(context: &Context, options: &Acceptance) -> String {
    let Acceptance { account, region, .. } = options;
    format!("{} acceptance --clean --account {account} --region {region}", context.invocation())
}

/// Refuses an account and region where skydeck is installed already: it would be removed at the end.
async fn refuse_what_is_there(
    (clients, account): (&Clients, &Account),
    marked: bool,
    clean: &str,
) -> miette::Result<()> {
    if marked {
        let message = "an acceptance run has begun here, and was not cleaned up";
        return Err(Usage::new(
            message,
            format!("if it does not go on any more, `{clean}` takes away what it has left"),
        )
        .into());
    }
    let found = clean::found(clients, account).await.into_diagnostic()?;
    if let Some(first) = found.first() {
        let help = "name another region: an acceptance run installs skydeck, and removes it at the end";
        return Err(
            Usage::new(format!("there is something of skydeck in {} already: {first}", account.region), help).into()
        );
    }
    Ok(())
}

/// The archive that is installed: the one that was named, or else one that is built now.
async fn archive(context: &Context, options: &Acceptance) -> miette::Result<(PathBuf, Archive)> {
    let path = if let Some(path) = &options.from {
        path.clone()
    } else {
        let path = project::packages()?.join("acceptance.zip");
        context.terminal.say(format!("{}  building skydeck …", clock()));
        let output = path.display().to_string();
        std::fs::create_dir_all(project::packages()?).into_diagnostic()?;
        skydeck::skydeck(context, &["package", "--output", &output]).await?.well()?;
        path
    };
    let read = archive::read(&path)?.ok_or_else(|| {
        let help = "`skydeck package` makes one; without `--from` it is built";
        Usage::new(format!("{} is no archive of skydeck", path.display()), help)
    })?;
    Ok((path, read))
}

/// Cleans up, and says what is left.
async fn take_away(context: &Context, (clients, account): (&Clients, &Account)) -> Vec<String> {
    context.terminal.say(format!("{}  cleaning up, and looking for leftovers …", clock()));
    if let Err(error) = clean::clean(context, clients, account).await {
        return vec![format!("cleaning up failed: {}", steps::told(&error))];
    }
    match leftovers::find(clients, account).await {
        Ok(left) => left,
        Err(error) => vec![format!("leftovers could not be looked for: {error}")],
    }
}

async fn clean_only(
    context: &Context,
    site: (&Clients, &Account),
    options: &Acceptance,
    marked: bool,
) -> miette::Result<Ending> {
    let (clients, account) = site;
    if !marked {
        let found = clean::found(clients, account).await.into_diagnostic()?;
        if let Some(first) = found.first() {
            let message = format!("what there is of skydeck in {} is not an acceptance run's: {first}", account.region);
            return Err(Usage::new(message, "`skydeck bootstrap --remove` removes an installation").into());
        }
        context.terminal.say("No acceptance run has left anything here.");
        return Ok(Ending::Done);
    }
    if !options.yes {
        let question = format!("Type the account's number ({}) to take away what the run has left", account.id);
        confirm(&question, &account.id, "that what the run has left is to be taken away")?;
    }
    let left = take_away(context, site).await;
    if left.is_empty() {
        context.terminal.say(format!("{}  nothing is left", clock()));
        return Ok(Ending::Done);
    }
    Err(miette!(help = format!("try again: `{}`", again(context, options)), "left in the account: {}", left.join(", ")))
}
