//! `skydeck destroy`.

use std::path::Path;

use skydeck_aws::home::Home;
use skydeck_core::run::Mode;

use super::platform_file::PlatformFile;
use crate::cli::Destroy;
use crate::confirm::confirm;
use crate::context::Context;
use crate::error::{Ending, Usage};
use crate::run::{Order, installed, start_and_follow};

pub(super) async fn run(context: &Context, options: &Destroy) -> miette::Result<Ending> {
    let path = Path::new(&options.platform);
    let platform = if path.extension().is_some_and(|extension| extension == "toml") {
        PlatformFile::read(context, path)?.name()
    } else {
        options.platform.clone()
    };
    let (clients, account) = context.connect().await?;
    known(context, &Home::new(clients.s3(), &account.bucket()), &platform).await?;
    if !options.yes {
        let place = if context.sandbox {
            "the sandbox".to_owned()
        } else {
            format!("account {} in {}", account.id, account.region)
        };
        eprintln!("This removes everything of {platform} from {place}, and cannot be undone.");
        // A bare `y` is typed too easily for what cannot be undone.
        confirm("Type the platform's name to go on", &platform, &format!("that {platform} is to be destroyed"))?;
    }
    start_and_follow(context, &clients, &account, &Order::new(Mode::Destroy, &platform), !options.no_follow).await
}

/// Nobody is asked about a platform that is not there.
async fn known(context: &Context, home: &Home, platform: &str) -> miette::Result<()> {
    let all = context.patiently(async || home.platforms().await).await.map_err(installed)?;
    if all.iter().any(|known| known == platform) {
        return Ok(());
    }
    let help = if all.is_empty() { "none was applied yet".into() } else { format!("there is {}", all.join(", ")) };
    Err(Usage::new(format!("there is no platform {platform}"), help).into())
}
