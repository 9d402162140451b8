//! Programs of npm's: what the lockfile says and nothing else, installed under `target/` without running a script of theirs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::root;

const PACKAGE: &str = include_str!("../node/package.json");
const LOCKFILE: &str = include_str!("../node/package-lock.json");

/// The directory of the programs.
///
/// # Panics
/// Where npm cannot install them.
#[must_use]
pub fn programs() -> PathBuf {
    let dir = root().join("target/node");
    fs::create_dir_all(&dir).expect("a directory");
    let lock = fs::File::create(dir.join("install.lock")).expect("a file");
    // Tests of several programs come here at once.
    lock.lock().expect("it can be locked");
    let installed = dir.join("installed.json");
    if fs::read_to_string(&installed).ok().as_deref() != Some(LOCKFILE) {
        fs::write(dir.join("package.json"), PACKAGE).expect("a file");
        fs::write(dir.join("package-lock.json"), LOCKFILE).expect("a file");
        let npm = ["ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"];
        let ended = Command::new("npm").args(npm).current_dir(&dir).status();
        assert!(ended.expect("npm can be started").success(), "the programs can be installed");
        fs::write(&installed, LOCKFILE).expect("a file");
    }
    dir.join("node_modules/.bin")
}
