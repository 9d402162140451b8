//! `skydeck destroy`.

use std::io::{IsTerminal, Write};
use std::path::Path;

use miette::IntoDiagnostic;
use skydeck_aws::home::Home;
use skydeck_core::run::Mode;

use super::platform_file::PlatformFile;
use crate::cli::Destroy;
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
        confirm(&platform, &place)?;
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

/// Asks for the platform's name: a bare `y` is typed too easily for what cannot be undone.
fn confirm(platform: &str, place: &str) -> miette::Result<()> {
    let not = |message: String| Usage::new(message, "say `--yes` to destroy without being asked");
    if !std::io::stdin().is_terminal() {
        return Err(not(format!("nobody is here to confirm that {platform} is to be destroyed")).into());
    }
    eprintln!("This removes everything of {platform} from {place}, and cannot be undone.");
    eprint!("Type the platform's name to go on: ");
    std::io::stderr().flush().into_diagnostic()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).into_diagnostic()?;
    if typed.trim() == platform { Ok(()) } else { Err(not("that is another name: nothing was changed".into()).into()) }
}
