//! Tells the command which commit it is built from, where it is built to be used: `skydeck version` says it.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=SKYDECK_COMMIT");
    // A debug build is made again and again between two commits: it would be made once more for each of them, and tell nothing.
    if std::env::var("PROFILE").is_ok_and(|profile| profile != "release")
        || std::env::var_os("SKYDECK_COMMIT").is_some()
    {
        return;
    }
    // Without git, or outside a checkout, there is none to be told.
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return };
    for name in ["HEAD", "index"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some();
    println!("cargo::rustc-env=SKYDECK_COMMIT={commit}{}", if changed { "-changed" } else { "" });
}

/// What git says, if anything.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|said| !said.is_empty())
}
