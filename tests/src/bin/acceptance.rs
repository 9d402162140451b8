//! The acceptance run out of a checkout: builds the command, and lets it run (docs/acceptance.md).

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use skydeck_bootstrap::package;
use skydeck_tests::root;

#[tokio::main]
async fn main() -> ExitCode {
    let built = package::build_here(&root(), &["skydeck"]).await;
    let command = match built.as_ref().map(|built| built.get("skydeck")) {
        Ok(Some(command)) => command,
        Ok(None) => return ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:?}");
            return ExitCode::FAILURE;
        }
    };
    // In its place: Ctrl-C, and how it ends, are the command's.
    let error = std::process::Command::new(command).arg("acceptance").args(std::env::args_os().skip(1)).exec();
    eprintln!("{}: {error}", command.display());
    ExitCode::FAILURE
}
