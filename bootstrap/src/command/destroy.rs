//! `skydeck destroy`.

use std::path::Path;

use skydeck_core::run::Mode;

use super::platform_file::PlatformFile;
use crate::cli::Destroy;
use crate::confirm::confirm;
use crate::context::Context;
use crate::error::Ending;
use crate::run::{Order, start_and_follow};

pub(super) async fn run(context: &Context, options: &Destroy) -> miette::Result<Ending> {
    let path = Path::new(&options.platform);
    let platform = if path.extension().is_some_and(|extension| extension == "toml") {
        PlatformFile::read(context, path)?.name()
    } else {
        options.platform.clone()
    };
    let (clients, account) = context.connect().await?;
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
