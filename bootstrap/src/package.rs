//! Function binaries: how they are built, and packed so that the same binary always makes the same archive.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use miette::{Context as _, IntoDiagnostic, miette};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::cli::Architecture;

/// What Lambda calls the program of a custom runtime.
const PROGRAM: &str = "bootstrap";

/// The program in the images of an acceptance run, and what it is built for.
const SERVER: &str = "server";
const SERVER_TARGET: &str = "aarch64-unknown-linux-musl";

/// A function's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The zip.
    pub zip: Vec<u8>,
    /// Its SHA-256 in base64, as Lambda tells it.
    pub sha256: String,
}

impl Package {
    /// Packs a binary. Time and mode are fixed, so that the archive depends on the binary alone.
    ///
    /// # Errors
    /// Where the archive cannot be written, which in memory does not happen.
    pub fn of(binary: &[u8]) -> miette::Result<Self> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            // Fast: a debug binary of 40 MB is packed in a second, and shrinks to a third.
            .compression_level(Some(1))
            .last_modified_time(DateTime::default())
            .unix_permissions(0o755);
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(PROGRAM, options).into_diagnostic()?;
        writer.write_all(binary).into_diagnostic()?;
        Ok(Self::from_zip(writer.finish().into_diagnostic()?.into_inner()))
    }

    /// An archive that is packed already.
    pub(crate) fn from_zip(zip: Vec<u8>) -> Self {
        let sha256 = BASE64_STANDARD.encode(Sha256::digest(&zip));
        Package { zip, sha256 }
    }
}

/// Where each function's binary is, by function name.
pub type Binaries = BTreeMap<String, PathBuf>;

/// Finds binaries in a directory: `<name>/bootstrap`, as cargo-lambda leaves them, or `<name>`.
///
/// # Errors
/// Names every function whose binary is missing.
pub fn find(dir: &Path, names: &[&str]) -> miette::Result<Binaries> {
    let find = |name: &str| {
        let crate_name = format!("skydeck-{name}");
        let places =
            [dir.join(name).join(PROGRAM), dir.join(name), dir.join(&crate_name).join(PROGRAM), dir.join(crate_name)];
        places.into_iter().find(|path| path.is_file())
    };
    let (found, missing): (Vec<_>, Vec<_>) =
        names.iter().map(|name| (*name, find(name))).partition(|(_, path)| path.is_some());
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().map(|(name, _)| name).collect();
        return Err(miette!(
            help = "build them: `cargo build --bins`, or `cargo lambda build --release --arm64` for AWS",
            "{} has no binary of {}",
            dir.display(),
            missing.join(", ")
        ));
    }
    Ok(found.into_iter().filter_map(|(name, path)| Some((name.to_owned(), path?))).collect())
}

/// Refuses binaries that were built for another processor: Lambda would take them, and every run would fail.
///
/// # Errors
/// Names the first of them, and what it is for.
pub fn check(binaries: &Binaries, architecture: Architecture) -> miette::Result<()> {
    for (name, path) in binaries {
        let found = machine(path).into_diagnostic().wrap_err_with(|| path.display().to_string())?;
        if let Some(found) = found.filter(|found| *found != architecture) {
            return Err(miette!(
                help = format!("build it for {}, or say `--architecture {}`", architecture.name(), found.name()),
                "{name} ({}) is built for {}, and is to run on {}",
                path.display(),
                found.name(),
                architecture.name()
            ));
        }
    }
    Ok(())
}

/// The processor that a program is for, where it says one
/// (<https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>).
fn machine(path: &Path) -> std::io::Result<Option<Architecture>> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(20).read_to_end(&mut head)?;
    Ok(match head.get(18) {
        Some(0xB7) if head.starts_with(b"\x7fELF") => Some(Architecture::Arm64),
        Some(0x3E) if head.starts_with(b"\x7fELF") => Some(Architecture::X86_64),
        _ => None,
    })
}

/// Builds the functions for this machine. Cargo tells its progress on standard error.
///
/// # Errors
/// Where Cargo fails, or builds no binary of one of the names.
pub async fn build_here(root: &Path, names: &[&str]) -> miette::Result<Binaries> {
    // All binaries, never a single package: that would resolve other features and build the SDK crates again.
    let arguments = ["build", "--locked", "--bins", "--message-format", "json-render-diagnostics"];
    let output = cargo(root, &arguments).stdout(Stdio::piped()).output().await.into_diagnostic().wrap_err("cargo")?;
    if !output.status.success() {
        return Err(miette!("`cargo build --bins` failed ({})", output.status));
    }
    let built = executables(&String::from_utf8_lossy(&output.stdout));
    let find = |name: &&str| {
        let path = built.get(*name).or_else(|| built.get(&format!("skydeck-{name}")));
        path.map(|path| ((*name).to_owned(), path.clone()))
            .ok_or_else(|| miette!("`cargo build` made no binary {name}"))
    };
    names.iter().map(find).collect()
}

/// Builds the functions for AWS, with cargo-lambda.
///
/// # Errors
/// Where cargo-lambda is missing or fails.
pub async fn build_for_aws(
    root: &Path,
    target: &Path,
    architecture: Architecture,
    names: &[&str],
) -> miette::Result<Binaries> {
    let architecture = match architecture {
        Architecture::Arm64 => "--arm64",
        Architecture::X86_64 => "--x86-64",
    };
    // The functions alone: the command and the tests are for this machine.
    let packages = ["--package", "skydeck-functions", "--package", "skydeck-probe"];
    let mut build = cargo(root, &["lambda", "build", "--release", "--locked", architecture]);
    let status = build.args(packages).status().await.into_diagnostic()?;
    if !status.success() {
        return Err(miette!(
            help = "it needs cargo-lambda (https://www.cargo-lambda.info); or install what was built elsewhere, `--from ARCHIVE`",
            "`cargo lambda build --release {architecture}` failed ({status})"
        ));
    }
    find(&target.join("lambda"), names)
}

/// Builds the program in the images of an acceptance run. It is linked statically, since nothing else is in them, and for the
/// platforms' instances, which are ARM64.
///
/// # Errors
/// Where cargo-lambda is missing or fails.
pub async fn build_server(root: &Path, target: &Path) -> miette::Result<PathBuf> {
    let mut build = cargo(root, &["lambda", "build", "--release", "--locked", "--target", SERVER_TARGET]);
    let status = build.args(["--package", "skydeck-server"]).status().await.into_diagnostic()?;
    if !status.success() {
        return Err(miette!(
            help = "it needs cargo-lambda (https://www.cargo-lambda.info)",
            "`cargo lambda build --release --target {SERVER_TARGET}` failed ({status})"
        ));
    }
    server(&target.join("lambda"))
}

/// Finds that program in a directory, as functions are found.
///
/// # Errors
/// Where it is not there.
pub fn server(dir: &Path) -> miette::Result<PathBuf> {
    find(dir, &[SERVER])?.remove(SERVER).ok_or_else(|| miette!("{} has no binary of {SERVER}", dir.display()))
}

/// Cargo, as one who has not been started by it would start it.
#[must_use]
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    // Where Cargo has started this program, it has told it about its package. Build scripts that look at these variables
    // would run again, and what depends on them, the SDK crates included, would be built again.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(&variable);
        }
    }
    command
}

/// The binaries that Cargo's messages name.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let read = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = message["executable"].as_str()?;
        Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
    };
    messages.lines().filter_map(read).collect()
}

/// Packs all binaries, side by side. What was packed before, in `cache`, is taken from there.
///
/// # Errors
/// Where a binary cannot be read.
pub async fn pack(binaries: &Binaries, cache: &Path) -> miette::Result<BTreeMap<String, Package>> {
    fs::create_dir_all(cache).into_diagnostic().wrap_err_with(|| cache.display().to_string())?;
    let mut tasks = Vec::new();
    for (name, path) in binaries {
        let (name, path, kept) = (name.clone(), path.clone(), cache.join(format!("{name}.zip")));
        tasks.push(tokio::task::spawn_blocking(move || pack_one(&path, &kept).map(|package| (name, package))));
    }
    let mut packages = BTreeMap::new();
    for task in tasks {
        let (name, package) = task.await.into_diagnostic()??;
        packages.insert(name, package);
    }
    Ok(packages)
}

fn pack_one(binary: &Path, kept: &Path) -> miette::Result<Package> {
    let told = || binary.display().to_string();
    let stamp = stamp(binary).into_diagnostic().wrap_err_with(told)?;
    let stamp_file = kept.with_extension("stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp)
        && let Ok(zip) = fs::read(kept)
    {
        return Ok(Package::from_zip(zip));
    }
    // Only what is complete gets a stamp, and the old stamp goes before the archive that it was for.
    let _ = fs::remove_file(&stamp_file);
    let package = Package::of(&fs::read(binary).into_diagnostic().wrap_err_with(told)?)?;
    let write = fs::write(kept, &package.zip).and_then(|()| fs::write(&stamp_file, stamp));
    write.into_diagnostic().wrap_err_with(|| kept.display().to_string())?;
    Ok(package)
}

/// By what a changed binary is known without reading it.
fn stamp(binary: &Path) -> std::io::Result<String> {
    let data = fs::metadata(binary)?;
    let changed = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{} {} {}", binary.display(), data.len(), changed.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_makes_the_same_archive() {
        let binary: Vec<u8> = (0..100_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        let (one, two) = (Package::of(&binary).unwrap(), Package::of(&binary).unwrap());
        assert_eq!(one, two);
        assert_ne!(one.sha256, Package::of(b"another").unwrap().sha256);
    }

    #[test]
    fn an_archive_holds_one_executable_called_bootstrap() {
        let package = Package::of(b"#!/bin/sh\n").unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(package.zip)).unwrap();
        assert_eq!(archive.len(), 1);
        let file = archive.by_index(0).unwrap();
        assert_eq!((&*file.name().unwrap(), file.unix_mode().map(|mode| mode & 0o777)), (PROGRAM, Some(0o755)));
    }

    #[test]
    fn what_was_packed_is_packed_again_only_when_the_binary_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (binary, kept) = (dir.path().join("network"), dir.path().join("network.zip"));
        fs::write(&binary, "one").unwrap();
        let first = pack_one(&binary, &kept).unwrap();
        assert_eq!(pack_one(&binary, &kept).unwrap(), first);
        fs::write(&binary, "three").unwrap();
        assert_ne!(pack_one(&binary, &kept).unwrap(), first);
    }

    #[test]
    fn a_binary_for_another_processor_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("network");
        let binaries = Binaries::from([("network".to_owned(), path.clone())]);
        for (byte, own, other) in
            [(0xB7, Architecture::Arm64, Architecture::X86_64), (0x3E, Architecture::X86_64, Architecture::Arm64)]
        {
            let mut head = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\0\0\x01";
            head[18] = byte;
            fs::write(&path, head).unwrap();
            check(&binaries, own).unwrap();
            let error = format!("{:?}", check(&binaries, other).unwrap_err());
            assert!(error.contains(&format!("--architecture {}", own.name())), "{error}");
        }
        fs::write(&path, "#!/bin/sh\n").unwrap();
        check(&binaries, Architecture::Arm64).unwrap();
    }

    #[test]
    fn missing_binaries_are_all_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("network")).unwrap();
        fs::write(dir.path().join("network").join(PROGRAM), "").unwrap();
        assert_eq!(find(dir.path(), &["network"]).unwrap().len(), 1);
        let error = find(dir.path(), &["network", "prepare", "conclude"]).unwrap_err();
        assert!(error.to_string().ends_with("has no binary of prepare, conclude"), "{error}");
    }

    #[test]
    fn binaries_are_found_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"core\"},\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"network\"},\"executable\":\"/t/network\"}\n";
        assert_eq!(executables(messages), BTreeMap::from([("network".to_owned(), PathBuf::from("/t/network"))]));
    }
}
