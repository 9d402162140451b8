//! `skydeck package`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use miette::IntoDiagnostic;
use serde_json::json;

use super::bootstrap::packages;
use crate::archive;
use crate::cli::{Architecture, Package};
use crate::context::Context;
use crate::error::Ending;
use crate::install::Version;
use crate::{package, project};

pub(super) async fn run(context: &Context, options: &Package) -> miette::Result<Ending> {
    let architecture = options.architecture.unwrap_or(Architecture::Arm64);
    let packages = packages(context, options.from.as_deref(), architecture).await?;
    let server = server(context, options, architecture).await?;
    let output = options.output.clone().unwrap_or_else(|| PathBuf::from(archive::name()));
    context.terminal.progress("writing the archive");
    let written = archive::write(&output, &context.program, architecture, &packages, &server);
    context.terminal.settle();
    written?;
    let bytes = std::fs::metadata(&output).into_diagnostic()?.len();
    let (version, file) = (Version::here(), output.display().to_string());
    context.terminal.say(format!(
        "{file}: skydeck {version}, {} functions for {}, {} MB",
        packages.len(),
        architecture.name(),
        bytes / 1_000_000
    ));
    context.terminal.document(&json!({
        "file": file, "bytes": bytes, "version": version, "architecture": architecture.name(), "functions": packages.len(),
    }))?;
    Ok(Ending::Done)
}

/// The program in the images of an acceptance run.
async fn server(context: &Context, options: &Package, architecture: Architecture) -> miette::Result<PathBuf> {
    let server = match &options.from {
        Some(dir) => package::server(dir)?,
        None if context.sandbox => {
            let names = ["server"];
            package::build_here(&project::checkout()?, &names).await?.remove(names[0]).unwrap_or_default()
        }
        None => package::build_server(&project::checkout()?, &project::target()?).await?,
    };
    // What is packed for another processor is for the local AWS, which starts no image.
    if architecture == Architecture::Arm64 {
        package::check(&BTreeMap::from([("server".to_owned(), server.clone())]), architecture)?;
    }
    Ok(server)
}
