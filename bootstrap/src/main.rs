//! The `skydeck` command. What it does is in the library beside it; here it is only started.

use std::process::ExitCode;

use skydeck_bootstrap::{cli, command};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::try_from_env("SKYDECK_LOG").unwrap_or_else(|_| EnvFilter::new("off")))
        .init();
    command::run(cli).await
}
