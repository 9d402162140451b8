//! `skydeck apply`.

use miette::miette;
use skydeck_aws::home::Home;
use skydeck_core::placement;
use skydeck_core::preview::plan_key;
use skydeck_core::run::Mode;

use super::platform_file::PlatformFile;
use crate::cli::Apply;
use crate::context::Context;
use crate::error::{Ending, Usage};
use crate::run::{Order, installed, only_platform, start_and_follow};

pub(super) async fn run(context: &Context, options: &Apply) -> miette::Result<Ending> {
    // Before anything is called: a wrong file needs no credentials to be told.
    let file = options.file.as_ref().map(|path| PlatformFile::read(context, path)).transpose()?;
    if let Some(file) = &file {
        placement::check(&file.platform).map_err(|refusal| miette!("{refusal}"))?;
    }
    let (clients, account) = context.connect().await?;
    if let Some(plan) = &options.plan {
        let home = Home::new(clients.s3(), &account.bucket());
        let platform = platform_of(&home, plan, options.platform.as_deref()).await?;
        let order = Order { plan: Some(plan), ..Order::new(Mode::Apply, &platform) };
        return start_and_follow(context, &clients, &account, &order, !options.no_follow).await;
    }
    let (platform, uploaded) = match &file {
        Some(file) => (file.name(), Some(file.upload(&clients, &account).await?)),
        None => match &options.platform {
            Some(platform) => (platform.clone(), None),
            None => (only_platform(context, &Home::new(clients.s3(), &account.bucket())).await?, None),
        },
    };
    let order =
        Order { file: uploaded.as_ref(), refresh_ami: options.refresh_ami, ..Order::new(Mode::Apply, &platform) };
    start_and_follow(context, &clients, &account, &order, !options.no_follow).await
}

/// The platform that has this plan.
async fn platform_of(home: &Home, plan: &str, named: Option<&str>) -> miette::Result<String> {
    let platforms = match named {
        Some(platform) => vec![platform.to_owned()],
        None => home.folders().await.map_err(installed)?,
    };
    for platform in platforms {
        if home.read(&plan_key(&platform, plan), None).await.map_err(installed)?.is_some() {
            return Ok(platform);
        }
    }
    Err(Usage::new(format!("there is no plan {plan}"), "`skydeck plan` makes one, and says its id").into())
}
