//! Where skydeck's own sources are, for what is built or run from them.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::Usage;

/// The workspace that the command is run in, or else the one that it was built from.
pub(crate) fn root() -> miette::Result<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent().filter(|dir| is_root(dir)).map(Path::to_owned);
    above().or(built).ok_or_else(|| {
        let help = "go to a checkout of skydeck";
        Usage::new("this needs skydeck's sources, and they are not here", help).into()
    })
}

/// The workspace that the command is run in, for what is built to be installed: that of another place may be of any version.
pub(crate) fn checkout() -> miette::Result<PathBuf> {
    above().ok_or_else(|| {
        let help = "say `--from ARCHIVE`, which is what `skydeck package` makes; or go to a checkout of skydeck";
        Usage::new("the functions are built from skydeck's sources, and they are not here", help).into()
    })
}

fn above() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    here.ancestors().find(|dir| is_root(dir)).map(Path::to_owned)
}

fn is_root(dir: &Path) -> bool {
    dir.join("statemachine/provision.asl.json").exists() && dir.join("Cargo.toml").exists()
}

/// Where Cargo builds.
pub(crate) fn target() -> miette::Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => std::path::absolute(dir).map_err(|error| miette::miette!("CARGO_TARGET_DIR: {error}")),
        None => Ok(root()?.join("target")),
    }
}

/// Where the sandbox lives.
pub(crate) fn sandbox() -> miette::Result<PathBuf> {
    Ok(target()?.join("sandbox"))
}

/// Where packed functions are kept: beside what was built, or for who has no sources among temporary files.
pub(crate) fn packages() -> miette::Result<PathBuf> {
    Ok(target().unwrap_or_else(|_| env::temp_dir()).join("skydeck"))
}
