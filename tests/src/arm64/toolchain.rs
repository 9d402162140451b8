//! The compiler, cargo-lambda and the emulator of the processor, all of them under `target/`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use miette::{Context as _, IntoDiagnostic, miette};
use skydeck_bootstrap::package::{self, Binaries};
use skydeck_sandbox::venv::Venv;
use tokio::process::Command;

use super::debian::Debian;
use crate::root;

/// cargo-lambda and its zig, each checked by its hash.
const CARGO_LAMBDA: &str = include_str!("../../requirements-cargo-lambda.txt");
/// The function that is a crate of its own.
const PROBE: &str = "probe";

/// What builds functions for ARM64, and runs them here.
#[derive(Debug)]
pub(super) struct Toolchain {
    dir: PathBuf,
    debian: Debian,
    venv: Venv,
    /// One at a time fetches and builds.
    _lock: File,
}

impl Toolchain {
    /// Fetches what is missing.
    pub(super) async fn make(dir: &Path, tell: &(dyn Fn(&str) + Sync)) -> miette::Result<Self> {
        fs::create_dir_all(dir).into_diagnostic().wrap_err_with(|| dir.display().to_string())?;
        let lock = lock(dir, tell).await?;
        let debian = Debian::make(&dir.join("debian"), tell).await?;
        let venv = Venv::make(&dir.join("venv"), CARGO_LAMBDA, tell).await.into_diagnostic()?;
        let toolchain = Self { dir: dir.to_owned(), debian, venv, _lock: lock };
        toolchain.write_rustc()?;
        Ok(toolchain)
    }

    /// Builds functions as `cargo lambda build` does for AWS.
    pub(super) async fn build(&self, names: &[&str]) -> miette::Result<Binaries> {
        let mut cargo =
            package::cargo(&root(), &["lambda", "build", "--release", "--locked", "--arm64", "--skip-target-check"]);
        let (probe, others): (Vec<&str>, Vec<&str>) = names.iter().copied().partition(|name| *name == PROBE);
        if !probe.is_empty() {
            cargo.args(["--package", "skydeck-probe", "--bin", "skydeck-probe"]);
        }
        if !others.is_empty() {
            cargo.args(["--package", "skydeck-functions"]);
            cargo.args(others.into_iter().flat_map(|name| ["--bin", name]));
        }
        self.environment(&mut cargo)?;
        let status = cargo.kill_on_drop(true).status().await.into_diagnostic().wrap_err("cargo cannot be started")?;
        if !status.success() {
            return Err(miette!(
                help = "what went wrong stands above; where it is the toolchain, `rm -r target/arm64` fetches it anew",
                "`cargo lambda build --release --arm64` failed ({status})"
            ));
        }
        package::find(&self.target().join("lambda"), names)
    }

    /// Apart from the host's builds: the compiler is another one.
    fn target(&self) -> PathBuf {
        self.dir.join("build")
    }

    /// What lets cargo, cargo-lambda and zig take this toolchain, and write nowhere else.
    fn environment(&self, cargo: &mut Command) -> miette::Result<()> {
        let python = self.venv.python();
        let programs = python.parent().map(Path::to_owned);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(programs.into_iter().chain(std::env::split_paths(&path))).into_diagnostic()?;
        let caches = self.dir.join("zig");
        cargo.env("RUSTC", self.rustc()).env("CARGO_TARGET_DIR", self.target()).env("PATH", path);
        cargo.env("CARGO_ZIGBUILD_PYTHON_PATH", &python).env("CARGO_ZIGBUILD_CACHE_DIR", &caches);
        cargo.env("ZIG_GLOBAL_CACHE_DIR", &caches).env("ZIG_LOCAL_CACHE_DIR", &caches);
        // Flags for this machine are none for ARM64.
        for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"] {
            cargo.env_remove(flags);
        }
        Ok(())
    }

    fn rustc(&self) -> PathBuf {
        self.dir.join("rustc")
    }

    /// Debian's compiler looks for its libraries where an installation would put them: this says where they are.
    fn write_rustc(&self) -> miette::Result<()> {
        let root = self.debian.root();
        let root = root.display();
        let text = format!(
            "#!/bin/sh\n\
             LD_LIBRARY_PATH='{root}/usr/lib/x86_64-linux-gnu' exec '{root}/usr/bin/rustc' --sysroot '{root}/usr' \"$@\"\n"
        );
        let rustc = self.rustc();
        // Cargo builds anew when its compiler has changed, which it sees by the time.
        if fs::read_to_string(&rustc).ok().as_deref() == Some(&text) {
            return Ok(());
        }
        fs::write(&rustc, text)
            .and_then(|()| fs::set_permissions(&rustc, Permissions::from_mode(0o755)))
            .into_diagnostic()
    }

    /// What runs ARM64's programs on this machine: the emulator, with where their C library is.
    pub(super) fn emulator(&self) -> Emulator {
        let root = self.debian.root();
        Emulator { program: root.join("usr/bin/qemu-aarch64-static"), root }
    }
}

/// Runs programs of ARM64.
#[derive(Debug, Clone)]
pub(super) struct Emulator {
    /// The emulator.
    pub(super) program: PathBuf,
    /// Where the programs' interpreter and libraries are.
    pub(super) root: PathBuf,
}

impl Emulator {
    /// The command that runs a binary.
    pub(super) fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-L").arg(&self.root).arg(binary);
        command
    }
}

/// Waits until no other process makes or builds anything here.
async fn lock(dir: &Path, tell: &(dyn Fn(&str) + Sync)) -> miette::Result<File> {
    let file = File::create(dir.join("lock")).into_diagnostic()?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    tell("waiting for another process that builds for ARM64");
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked.into_diagnostic()?.into_diagnostic()
}
