//! One file from which skydeck is installed without Rust: the command, the functions' zips, the state machines, the program in
//! the images of an acceptance run, and the checksums of all of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path};

use miette::{IntoDiagnostic, WrapErr, miette};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::cli::Architecture;
use crate::install::definition::MACHINES;
use crate::install::{Version, binaries};
use crate::package::Package;

/// The command in the archive.
const COMMAND: &str = "skydeck";
/// The program in the images of an acceptance run.
const SERVER: &str = "acceptance/server";
/// What the archive is of.
const ABOUT: &str = "package.json";
/// The checksums, as `sha256sum --check` reads them.
const SUMS: &str = "SHA256SUMS";

/// What an archive is of.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    #[serde(flatten)]
    version: Version,
    /// What the functions were built for, in Lambda's word.
    architecture: String,
}

/// What an installation takes out of an archive.
#[derive(Debug)]
pub(crate) struct Archive {
    /// What the functions were built for.
    pub architecture: Architecture,
    /// The functions' zips.
    pub packages: BTreeMap<String, Package>,
    /// The program in the images of an acceptance run.
    pub server: Vec<u8>,
}

/// The name that an archive of this command has.
#[must_use]
pub(crate) fn name() -> String {
    format!("skydeck-{}-{}-{}.zip", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}

fn function(name: &str) -> String {
    format!("functions/{name}.zip")
}

fn machine(name: &str) -> String {
    format!("statemachine/{name}.asl.json")
}

/// Writes an archive with this command.
///
/// # Errors
/// Where a file cannot be read or written.
pub(crate) fn write(
    output: &Path,
    command: &Path,
    architecture: Architecture,
    packages: &BTreeMap<String, Package>,
    server: &Path,
) -> miette::Result<()> {
    let about = About { version: Version::here(), architecture: architecture.name().to_owned() };
    let read = |path: &Path| fs::read(path).into_diagnostic().wrap_err_with(|| path.display().to_string());
    let mut files = vec![(COMMAND.to_owned(), read(command)?), (SERVER.to_owned(), read(server)?)];
    files.extend(packages.iter().map(|(name, package)| (function(name), package.zip.clone())));
    files.extend(MACHINES.map(|(name, text)| (machine(name), text.as_bytes().to_vec())));
    files.push((ABOUT.to_owned(), serde_json::to_vec_pretty(&about).into_diagnostic()?));
    let sum = |(name, bytes): &(String, Vec<u8>)| format!("{}  {name}\n", sum(bytes));
    let sums: String = files.iter().map(sum).collect();
    files.push((SUMS.to_owned(), sums.into_bytes()));
    pack(output, &files).wrap_err_with(|| output.display().to_string())
}

fn pack(output: &Path, files: &[(String, Vec<u8>)]) -> miette::Result<()> {
    let mut writer = ZipWriter::new(File::create(output).into_diagnostic()?);
    for (name, bytes) in files {
        // What is a zip already does not shrink.
        let is_zip = name.ends_with(".zip");
        let method = if is_zip { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        // Times are fixed, so that the same files make the same archive.
        let options = SimpleFileOptions::default().compression_method(method).last_modified_time(DateTime::default());
        let options = options.unix_permissions(if name == COMMAND { 0o755 } else { 0o644 });
        writer.start_file(name, options).into_diagnostic()?;
        writer.write_all(bytes).into_diagnostic()?;
    }
    writer.finish().into_diagnostic()?.sync_all().into_diagnostic()
}

/// Reads an archive, or the directory that it was unpacked to; `None` where it is a directory of something else.
///
/// # Errors
/// Where a file is missing or is not what its checksum says, and where the archive is of another version than this command.
pub(crate) fn read(from: &Path) -> miette::Result<Option<Archive>> {
    if from.is_dir() && !from.join(SUMS).is_file() {
        return Ok(None);
    }
    let read = if from.is_dir() { read_directory(from) } else { read_zip(from) };
    let files = read.wrap_err_with(|| damaged(from))?;
    check_sums(&files).wrap_err_with(|| damaged(from))?;
    open(files).wrap_err_with(|| format!("{} cannot be installed", from.display())).map(Some)
}

fn damaged(from: &Path) -> String {
    format!("{} is damaged, or no archive of skydeck. Get it again", from.display())
}

type Files = BTreeMap<String, Vec<u8>>;

fn read_zip(from: &Path) -> miette::Result<Files> {
    let mut archive = ZipArchive::new(File::open(from).into_diagnostic()?).into_diagnostic()?;
    let mut files = Files::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).into_diagnostic()?;
        let (name, mut bytes) = (file.name().into_diagnostic()?.into_owned(), Vec::new());
        file.read_to_end(&mut bytes).into_diagnostic().wrap_err_with(|| name.clone())?;
        files.insert(name, bytes);
    }
    Ok(files)
}

/// The files that the checksums name, and no others.
fn read_directory(from: &Path) -> miette::Result<Files> {
    let read = |name: &str| fs::read(from.join(name)).into_diagnostic().wrap_err_with(|| name.to_owned());
    let sums = read(SUMS)?;
    let mut files = Files::new();
    for (_, name) in lines(&String::from_utf8_lossy(&sums)) {
        if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(miette!("{SUMS} names {name}, which is outside the archive"));
        }
        files.insert(name.to_owned(), read(name)?);
    }
    files.insert(SUMS.to_owned(), sums);
    Ok(files)
}

/// Checksums and names.
fn lines(sums: &str) -> impl Iterator<Item = (&str, &str)> {
    sums.lines().filter_map(|line| line.split_once("  "))
}

fn check_sums(files: &Files) -> miette::Result<()> {
    let sums = files.get(SUMS).ok_or_else(|| miette!("{SUMS} is missing"))?;
    let sums = String::from_utf8_lossy(sums);
    let wanted: BTreeMap<&str, &str> = lines(&sums).map(|(sum, name)| (name, sum)).collect();
    let functions = binaries().into_iter().map(function);
    let needed = functions.chain(MACHINES.map(|(name, _)| machine(name))).chain([SERVER, ABOUT].map(ToOwned::to_owned));
    if let Some(name) = needed.into_iter().find(|name| !wanted.contains_key(name.as_str())) {
        return Err(miette!("{name} is missing"));
    }
    for (name, wanted) in wanted {
        let found = files.get(name).ok_or_else(|| miette!("{name} is missing"))?;
        if sum(found) != wanted {
            return Err(miette!("{name} is not what its checksum says"));
        }
    }
    Ok(())
}

fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn open(mut files: Files) -> miette::Result<Archive> {
    let about: About = serde_json::from_slice(&files[ABOUT]).into_diagnostic().wrap_err(ABOUT)?;
    let (here, there) = (Version::here(), about.version);
    let same_machines =
        MACHINES.iter().all(|(name, text)| files.get(&machine(name)).map(Vec::as_slice) == Some(text.as_bytes()));
    if here != there || !same_machines {
        return Err(miette!(
            help = "roles and state machines are the command's: unpack the archive, and run the `skydeck` in it with `--from .`",
            "it is of skydeck {there}, and this command is {here}"
        ));
    }
    let architecture = Architecture::of(&about.architecture)
        .ok_or_else(|| miette!("it says that its functions are for {}, which Lambda has not", about.architecture))?;
    let take = |name: &str| Some((name.to_owned(), Package::from_zip(files.remove(&function(name))?)));
    let packages = binaries().into_iter().filter_map(take).collect();
    let server = files.remove(SERVER).unwrap_or_default();
    Ok(Archive { architecture, packages, server })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(dir: &Path) -> std::path::PathBuf {
        let packages = binaries().into_iter().map(|name| (name.to_owned(), Package::of(name.as_bytes()).unwrap()));
        let (output, command) = (dir.join("skydeck.zip"), dir.join("command"));
        fs::write(&command, "the command").unwrap();
        write(&output, &command, Architecture::Arm64, &packages.collect(), &command).unwrap();
        output
    }

    fn unpacked(dir: &Path) -> std::path::PathBuf {
        let to = dir.join("unpacked");
        ZipArchive::new(File::open(archive(dir)).unwrap()).unwrap().extract(&to).unwrap();
        to
    }

    fn refusal(from: &Path) -> String {
        format!("{:?}", read(from).unwrap_err())
    }

    #[test]
    fn what_was_packed_is_read_from_the_archive_and_from_where_it_was_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        for from in [archive(dir.path()), unpacked(dir.path())] {
            let read = read(&from).unwrap().unwrap();
            assert_eq!(read.architecture, Architecture::Arm64);
            assert_eq!(read.packages["network"], Package::of(b"network").unwrap());
            assert_eq!(read.packages.len(), binaries().len());
            assert_eq!(read.server, b"the command");
        }
        let command = fs::metadata(dir.path().join("unpacked/skydeck")).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&command.permissions()) & 0o777, 0o755);
        let one = fs::read(archive(dir.path())).unwrap();
        assert!(one == fs::read(archive(dir.path())).unwrap(), "the same files make the same archive");
        assert!(read(dir.path()).unwrap().is_none(), "a directory of something else");
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let whole = fs::read(archive(dir.path())).unwrap();
        let short = dir.path().join("short.zip");
        fs::write(&short, &whole[..whole.len() / 2]).unwrap();
        assert!(refusal(&short).contains("damaged"), "{}", refusal(&short));

        let to = unpacked(dir.path());
        fs::write(to.join("functions/network.zip"), "something else").unwrap();
        assert!(refusal(&to).contains("functions/network.zip is not what its checksum says"), "{}", refusal(&to));
        fs::remove_file(to.join("functions/network.zip")).unwrap();
        assert!(refusal(&to).contains("functions/network.zip"), "{}", refusal(&to));
        let sums = fs::read_to_string(to.join(SUMS)).unwrap();
        let without = sums.lines().filter(|line| !line.ends_with("network.zip"));
        let without: String = without.map(|line| format!("{line}\n")).collect();
        fs::write(to.join(SUMS), &without).unwrap();
        assert!(refusal(&to).contains("functions/network.zip is missing"), "{}", refusal(&to));
        fs::write(to.join(SUMS), format!("00  ../outside\n{without}")).unwrap();
        assert!(refusal(&to).contains("outside the archive"), "{}", refusal(&to));
    }

    #[test]
    fn an_archive_of_another_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let to = unpacked(dir.path());
        let about = r#"{ "version": "9.9.9", "architecture": "arm64" }"#;
        let sums = fs::read_to_string(to.join(SUMS)).unwrap();
        let before = sum(&fs::read(to.join(ABOUT)).unwrap());
        fs::write(to.join(ABOUT), about).unwrap();
        fs::write(to.join(SUMS), sums.replace(&before, &sum(about.as_bytes()))).unwrap();
        assert!(refusal(&to).contains("it is of skydeck 9.9.9"), "{}", refusal(&to));
    }
}
