//! `skydeck plan`.

use std::process::ExitCode;

use miette::miette;
use skydeck_aws::home::Home;
use skydeck_core::placement;
use skydeck_core::run::Mode;

use super::platform_file::PlatformFile;
use crate::cli::Plan;
use crate::context::Context;
use crate::error::{Ending, tell};
use crate::run::{self, Order, installed, only_platform};
use crate::show::plan_of;

pub(super) async fn run(context: &Context, options: &Plan) -> miette::Result<Ending> {
    // Before anything is called: a wrong file needs no credentials to be told.
    let file = options.file.as_ref().map(|path| PlatformFile::read(context, path)).transpose()?;
    if let Some(file) = &file {
        placement::check(&file.platform).map_err(|refusal| miette!("{refusal}"))?;
    }
    let (clients, account) = context.connect().await?;
    let home = Home::new(clients.s3(), &account.bucket());
    let (platform, uploaded) = match &file {
        Some(file) => (file.name(), Some(file.upload(&clients, &account).await?)),
        None => match &options.platform {
            Some(platform) => (platform.clone(), None),
            None => (only_platform(context, &home).await?, None),
        },
    };
    let order =
        Order { file: uploaded.as_ref(), refresh_ami: options.refresh_ami, ..Order::new(Mode::Plan, &platform) };
    let execution = run::start(context, &clients, &account, &order).await.map_err(installed)?;
    let Some(finished) = run::watch(context, &clients, &execution).await? else {
        run::leave(context, &execution, "\nThe plan is still being made. See it with")?;
        return Ok(Ending::Interrupted);
    };
    run::tell_end(context, &clients, &account, &finished).await?;
    let Some(plan) = plan_of(context, &home, &finished).await? else {
        context.terminal.document(&finished)?;
        return Ok(Ending::Failed);
    };
    context.terminal.document(&plan)?;
    if plan.is_empty() {
        return Ok(Ending::Done);
    }
    context.terminal.say(format!("Apply it as it is: `{} apply --plan {}`", context.invocation(), plan.id));
    Ok(Ending::Changes)
}

/// The exit code: 2 says that something would change, so that wrong usage is an error as any other.
pub(super) fn exit(ended: miette::Result<Ending>) -> ExitCode {
    ended.map_or_else(
        |report| {
            tell(&report);
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}
