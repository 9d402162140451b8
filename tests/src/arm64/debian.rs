//! Packages of the machine's own Debian suite, for two architectures: fetched and unpacked into a directory. Nothing is
//! installed, and apt's own lists stay as they are.

use std::fs;
use std::path::{Path, PathBuf};

use miette::{Context as _, IntoDiagnostic, miette};
use tokio::process::Command;

use super::command::output;

/// The compiler, and what runs its programs here.
const FOR_THIS_MACHINE: [&str; 2] = ["rustc-web", "qemu-user-static"];
/// What the programs are linked with when they are built, and when they run: the standard library in the compiler's own
/// version, and the C library.
const STANDARD_LIBRARY: &str = "libstd-rust-web-dev";
const C_LIBRARY: &str = "libc6";
/// What must lie beside the others, even where the machine has it installed.
const ALWAYS: [&str; 3] = ["rustc-web", "libstd-rust-web", "qemu-user"];

const STATUS: &str = "/var/lib/dpkg/status";
const NO_DEBIAN: &str = "this needs Debian's apt-get and dpkg-deb on x86-64; nothing of the machine is changed by them";
const NO_PACKAGE: &str = "the machine's apt sources must reach Debian's own suite with its security updates, for amd64 and \
                          arm64; `apt-cache policy rustc-web` says what they give";

/// A directory with the packages' files.
#[derive(Debug)]
pub(super) struct Debian {
    dir: PathBuf,
}

impl Debian {
    /// Fetches and unpacks, unless that was done before. `dir` is nobody else's at the time.
    pub(super) async fn make(dir: &Path, tell: &(dyn Fn(&str) + Sync)) -> miette::Result<Self> {
        if std::env::consts::ARCH != "x86_64" {
            return Err(miette!(help = NO_DEBIAN, "the functions are built on x86-64, and this is another processor"));
        }
        let debian = Self { dir: dir.to_owned() };
        if !debian.stamp().is_file() {
            debian.fetch(tell).await?;
        }
        Ok(debian)
    }

    /// The root under which the files lie as they would in an installation.
    pub(super) fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// Is there only when everything is.
    fn stamp(&self) -> PathBuf {
        self.dir.join("packages.txt")
    }

    async fn fetch(&self, tell: &(dyn Fn(&str) + Sync)) -> miette::Result<()> {
        // Whatever stands there without its stamp is half made.
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).into_diagnostic().wrap_err_with(|| self.dir.display().to_string())?;
        }
        self.configure()?;
        tell("reading the lists of the machine's Debian suite, for arm64 too");
        output(self.apt("apt-get").args(["update", "-qq"]), NO_DEBIAN).await?;
        let packages = self.needed().await?;
        tell(&format!("fetching {}", packages.join(", ")));
        let debs = self.dir.join("debs");
        let mut download = self.apt("apt-get");
        output(download.args(["download", "-qq"]).args(&packages).current_dir(&debs), NO_PACKAGE).await?;
        tell("unpacking them");
        for deb in fs::read_dir(&debs).into_diagnostic()? {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("-x").arg(deb.into_diagnostic()?.path()).arg(self.root());
            output(&mut unpack, "there may be no room left on the disk").await?;
        }
        fs::remove_dir_all(&debs).into_diagnostic()?;
        fs::write(self.stamp(), packages.join("\n")).into_diagnostic()
    }

    /// apt with lists and caches of its own, and with arm64 beside the machine's architecture.
    fn configure(&self) -> miette::Result<()> {
        for name in ["state/lists/partial", "cache/archives/partial", "debs", "root"] {
            fs::create_dir_all(self.dir.join(name)).into_diagnostic()?;
        }
        let dir = self.dir.display();
        let text = format!(
            "APT::Architectures {{ \"amd64\"; \"arm64\"; }};\n\
             APT::Sandbox::User \"root\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Dir::State \"{dir}/state\";\n\
             Dir::State::status \"{dir}/state/status\";\n\
             Dir::Cache \"{dir}/cache\";\n"
        );
        fs::write(self.dir.join("apt.conf"), text).into_diagnostic()?;
        let status = fs::read_to_string(STATUS).into_diagnostic();
        let status = status.wrap_err_with(|| format!("{STATUS}: {NO_DEBIAN}"))?;
        fs::write(self.dir.join("state/status"), without(&status, &ALWAYS)).into_diagnostic()
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.dir.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    /// The packages with their versions: what the machine lacks of them and of what they need, and what is for arm64.
    async fn needed(&self) -> miette::Result<Vec<String>> {
        let mut simulate = self.apt("apt-get");
        simulate.args(["install", "--simulate", "--no-install-recommends"]).args(FOR_THIS_MACHINE);
        let told = output(&mut simulate, NO_PACKAGE).await?;
        let found = installs(&told);
        let compiler = found.iter().find(|(name, _)| *name == FOR_THIS_MACHINE[0]);
        let (_, version) =
            compiler.ok_or_else(|| miette!(help = NO_PACKAGE, "apt gives no {}", FOR_THIS_MACHINE[0]))?;
        let for_arm64 = [format!("{STANDARD_LIBRARY}:arm64={version}"), format!("{C_LIBRARY}:arm64")];
        Ok(found.iter().map(|(name, version)| format!("{name}={version}")).chain(for_arm64).collect())
    }
}

/// What dpkg knows of the machine, without the packages whose names begin so.
fn without(status: &str, names: &[&str]) -> String {
    let is_one = |entry: &&str| {
        let name = entry.trim_start().strip_prefix("Package: ").unwrap_or_default();
        names.iter().any(|one| name.starts_with(one))
    };
    status.split_inclusive("\n\n").filter(|entry| !is_one(entry)).collect()
}

/// Names and versions in apt's lines `Inst name [the version before] (version origin [architecture])`.
fn installs(told: &str) -> Vec<(&str, &str)> {
    fn read(line: &str) -> Option<(&str, &str)> {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
        let (_, rest) = rest.split_once('(')?;
        Some((name, rest.split_once(' ')?.0))
    }
    told.lines().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_would_install_is_read() {
        let told = "NOTE: This is only a simulation!\n\
                    Inst libllvm22 (1:22.1.8-1 Debian-Security:12 [amd64])\n\
                    Inst libc6 [2.36-9] (2.36-10 Debian:12.15 [amd64]) []\n\
                    Conf libllvm22 (1:22.1.8-1 Debian-Security:12 [amd64])\n";
        assert_eq!(installs(told), [("libllvm22", "1:22.1.8-1"), ("libc6", "2.36-10")]);
    }

    #[test]
    fn what_is_installed_already_is_fetched_all_the_same() {
        let status = "Package: gcc\nStatus: ok\n\nPackage: libstd-rust-web-1.96\nStatus: ok\n\nPackage: zlib1g\n\n";
        assert_eq!(without(status, &ALWAYS), "Package: gcc\nStatus: ok\n\nPackage: zlib1g\n\n");
    }
}
