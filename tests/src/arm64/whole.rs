//! Good events: those of whole runs in the local AWS, with the functions of ARM64 in the places of this machine's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use miette::{IntoDiagnostic, miette};
use skydeck_bootstrap::install;
use skydeck_bootstrap::package::{self, Binaries};
use skydeck_sandbox::Image;

use super::toolchain::Emulator;
use crate::rollouts::Stage;
use crate::{Rig, root};

const FILE: &str = "platforms/skyfox.toml";
const PLATFORM: &str = "skyfox-devprod";
/// Time passes slower than usual: functions that are emulated take several times as long.
const SPEED: f64 = 5.0;

/// Brings a platform up by a plan, rolls a good image out and a bad one back, sweeps, and takes the platform down: each of
/// these calls functions, and needs their good answers. Returns the names of those that were never called.
pub(super) async fn run(emulator: &Emulator, binaries: &Binaries, dir: &Path) -> miette::Result<Vec<String>> {
    let functions = dir.join("functions");
    let called = dir.join("called");
    for place in [&functions, &called] {
        if place.exists() {
            fs::remove_dir_all(place).into_diagnostic()?;
        }
        fs::create_dir_all(place).into_diagnostic()?;
    }
    for (name, binary) in package::build_here(&root(), &install::binaries()).await? {
        match binaries.get(&name) {
            Some(binary) => stand_in(emulator, binary, &functions.join(&name), &called.join(&name))?,
            None => symlink(binary, functions.join(&name)).into_diagnostic()?,
        }
    }
    let rig = Rig::start_at(Some(SPEED)).await;
    rig.bootstrap(&functions).await;
    everything(&Stage::of(rig).await).await?;
    Ok(binaries.keys().filter(|name| !called.join(name).is_file()).cloned().collect())
}

/// A program that this machine can run: it leaves a mark, and becomes the emulator with the binary.
fn stand_in(emulator: &Emulator, binary: &Path, place: &Path, mark: &Path) -> miette::Result<()> {
    let (program, root) = (emulator.program.display(), emulator.root.display());
    let text = format!("#!/bin/sh\n: > '{}'\nexec '{program}' -L '{root}' '{}'\n", mark.display(), binary.display());
    fs::create_dir(place).into_diagnostic()?;
    let file = place.join("bootstrap");
    fs::write(&file, text).and_then(|()| fs::set_permissions(&file, Permissions::from_mode(0o755))).into_diagnostic()
}

async fn everything(stage: &Stage) -> miette::Result<()> {
    let plan = stage.rig.skydeck(["plan", FILE, "--json"]).await;
    let id = plan.json()["id"].as_str().map(ToOwned::to_owned);
    let id = id.ok_or_else(|| miette!("the plan has no id: {plan:#?}"))?;
    succeeds(stage, &["apply", "--plan", &id]).await?;

    let good = stage.push("movie", "v1", &Image::new("good")).await;
    let ended = stage.ended(&good.digest).await;
    if ended.output["verdict"] != "succeeded" {
        return Err(miette!("the rollout of a good image came to {ended:#?}"));
    }
    let bad = stage.push("movie", "v2", &Image::new("bad").behaving("crash")).await;
    let ended = stage.ended(&bad.digest).await;
    if ended.error.as_deref() != Some("RolledBack") {
        return Err(miette!("the rollout of an image that crashes came to {ended:#?}"));
    }
    stage.sweep().await;
    // The load balancers are asked about what serves by now.
    succeeds(stage, &["apply", FILE]).await?;
    succeeds(stage, &["destroy", PLATFORM, "--yes"]).await
}

async fn succeeds(stage: &Stage, arguments: &[&str]) -> miette::Result<()> {
    let ended = stage.rig.skydeck(arguments).await;
    match ended.code {
        Some(0) => Ok(()),
        _ => Err(miette!("`skydeck {}` failed:\n{}\n{}", arguments.join(" "), ended.stdout, ended.stderr)),
    }
}
