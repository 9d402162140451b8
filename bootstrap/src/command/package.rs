//! `skydeck package`.

use std::path::PathBuf;

use miette::IntoDiagnostic;
use serde_json::json;

use super::bootstrap::packages;
use crate::archive;
use crate::cli::{Architecture, Package};
use crate::context::Context;
use crate::error::Ending;
use crate::install::Version;

pub(super) async fn run(context: &Context, options: &Package) -> miette::Result<Ending> {
    let architecture = options.architecture.unwrap_or(Architecture::Arm64);
    let packages = packages(context, options.from.as_deref(), architecture).await?;
    let output = options.output.clone().unwrap_or_else(|| PathBuf::from(archive::name()));
    context.terminal.progress("writing the archive");
    let written = archive::write(&output, &context.program, architecture, &packages);
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
