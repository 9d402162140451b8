//! A module per verb.

mod apply;
mod bootstrap;
mod demo;
mod demo_answers;
mod demo_report;
mod demo_rollouts;
mod destroy;
mod outputs;
mod package;
mod plan;
mod platform_file;
mod policies;
mod rollout;
mod rollouts;
mod sandbox;
mod sandbox_events;
mod secret;
mod site;
mod status;
mod suspend;
mod version;
mod wait;

use std::process::ExitCode;

use futures::FutureExt;

use crate::acceptance;
use crate::cli::{Cli, Command, Follow};
use crate::context::Context;
use crate::error::{Ending, tell};
use crate::run::follow_to_end;
use crate::terminal::Terminal;

/// Does what was asked, and says with which code to exit.
pub async fn run(cli: Cli) -> ExitCode {
    // Where the system cannot say it, the name that it is called by will do.
    let program = std::env::current_exe().unwrap_or_else(|_| "skydeck".into());
    let demo = matches!(cli.command, Command::Demo(_));
    // What they have made, a sandbox or a platform, they take away also where nobody reads any more.
    let stays = demo || matches!(cli.command, Command::Acceptance(_));
    let region = match &cli.command {
        Command::Acceptance(options) => Some(options.region.clone()),
        _ => None,
    };
    let context = Context { terminal: Terminal::new(cli.json), sandbox: cli.sandbox || demo, program, region };
    tokio::select! {
        biased;
        () = context.terminal.closed(), if !stays => Ending::Unread.into(),
        code = dispatch(&context, cli.command) => match context.terminal.closed().now_or_never() {
            // It has ended with its last lines unread.
            Some(()) => Ending::Unread.into(),
            None => code,
        },
    }
}

async fn dispatch(context: &Context, command: Command) -> ExitCode {
    let ended = match command {
        Command::Demo(options) => demo::run(context, &options).await,
        Command::Bootstrap(options) => bootstrap::run(context, &options).await,
        Command::Package(options) => package::run(context, &options).await,
        Command::Acceptance(options) => acceptance::run(context, &options).await,
        Command::Version => version::run(context).await,
        Command::Plan(options) => return plan::exit(plan::run(context, &options).await),
        Command::Apply(options) => apply::run(context, &options).await,
        Command::Destroy(options) => destroy::run(context, &options).await,
        Command::Follow(options) => follow(context, &options).await,
        Command::Status(options) => status::run(context, &options).await,
        Command::Outputs(options) => outputs::run(context, &options).await,
        Command::Rollout(options) => rollout::rollout(context, &options).await,
        Command::Rollback(options) => rollout::rollback(context, &options).await,
        Command::Rollouts(options) => rollouts::run(context, &options).await,
        Command::Wait(options) => wait::run(context, &options).await,
        Command::Suspend(options) => suspend::suspend(context, &options).await,
        Command::Resume(options) => suspend::resume(context, &options).await,
        Command::Policies(options) => policies::run(context, &options),
        Command::Secret(verb) => secret::run(context, &verb).await,
        Command::Sandbox(verb) => sandbox::run(context, verb).await,
    };
    match ended {
        Ok(ending) => ending.into(),
        Err(report) => tell(&context.elsewhere(report).await),
    }
}

async fn follow(context: &Context, options: &Follow) -> miette::Result<Ending> {
    let (clients, account) = context.connect().await?;
    let execution = account.execution(&options.execution);
    follow_to_end(context, &clients, &account, &execution).await
}
