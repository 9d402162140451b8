//! `skydeck apply`.

use miette::miette;
use skydeck_aws::home::Home;
use skydeck_core::placement;
use skydeck_core::run::Mode;

use super::platform_file::PlatformFile;
use crate::cli::Apply;
use crate::context::Context;
use crate::error::Ending;
use crate::run::{only_platform, start_and_follow};

pub(super) async fn run(context: &Context, options: &Apply) -> miette::Result<Ending> {
    // Before anything is called: a wrong file needs no credentials to be told.
    let file = options.file.as_ref().map(|path| PlatformFile::read(context, path)).transpose()?;
    if let Some(file) = &file {
        placement::check(&file.platform).map_err(|refusal| miette!("{refusal}"))?;
    }
    let (clients, account) = context.connect().await?;
    let platform = match &file {
        Some(file) => {
            if file.upload(&clients, &account).await? {
                context.terminal.say(format!("Uploaded the file of {}.", file.name()));
            }
            file.name()
        }
        None => match &options.platform {
            Some(platform) => platform.clone(),
            None => only_platform(&Home::new(&clients.s3, &account.bucket())).await?,
        },
    };
    let mode = if options.plan { Mode::Plan } else { Mode::Apply };
    start_and_follow(context, &clients, &account, (mode, &platform), !options.no_follow).await
}
