//! A Python environment with exactly the packages of a requirements file, each checked by its hash.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::Error;

/// The emulator's requirements.
pub const MINISTACK: &str = include_str!("../requirements.txt");
/// The second opinion's requirements.
pub const MOTO: &str = include_str!("../requirements-moto.txt");
/// AWS's own command line.
pub const AWSCLI: &str = include_str!("../requirements-awscli.txt");
/// The linter of policies.
pub const PARLIAMENT: &str = include_str!("../requirements-parliament.txt");

/// Making an environment downloads some 20 MB; ten minutes means that it will not end.
const LIMIT: Duration = Duration::from_secs(600);

/// A finished environment.
#[derive(Debug, Clone)]
pub struct Venv {
    root: PathBuf,
}

impl Venv {
    /// Makes the environment at `root`, unless the very same is already there. Two processes may ask for it at once:
    /// one makes it and the other waits.
    ///
    /// # Errors
    /// When Python is missing, when a package cannot be had, or when its hash is another.
    pub async fn make(root: &Path, requirements: &str, progress: &(dyn Fn(&str) + Sync)) -> Result<Self, Error> {
        let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(Error::file(parent))?;
        // One place has one name, by whatever way it was reached: the stamp depends on it.
        let parent = parent.canonicalize().map_err(Error::file(parent))?;
        let root = parent.join(root.file_name().unwrap_or_default());
        let venv = Self { root };
        let stamp = venv.stamp(requirements);
        if venv.is_finished(&stamp) {
            return Ok(venv);
        }
        let _lock = venv.lock(progress).await?;
        if venv.is_finished(&stamp) {
            return Ok(venv);
        }
        venv.build(requirements, &stamp, progress).await?;
        Ok(venv)
    }

    /// The environment's interpreter.
    pub fn python(&self) -> PathBuf {
        self.root.join("bin/python")
    }

    /// Where a package of the environment lies.
    ///
    /// # Errors
    /// When the environment's directory cannot be read.
    pub fn package(&self, name: &str) -> Result<PathBuf, Error> {
        let library = self.root.join("lib");
        let versions = std::fs::read_dir(&library).map_err(Error::file(&library))?;
        let mut found = versions.flatten().map(|version| version.path().join("site-packages").join(name));
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        found.find(|path| path.is_dir()).ok_or_else(missing).map_err(Error::file(library.join("*").join(name)))
    }

    /// A venv cannot be moved, so its place is part of what makes it the same.
    fn stamp(&self, requirements: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.root.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(requirements);
        hex::encode(hash.finalize())
    }

    fn stamp_file(&self) -> PathBuf {
        self.root.join(".skydeck-stamp")
    }

    fn is_finished(&self, stamp: &str) -> bool {
        std::fs::read_to_string(self.stamp_file()).is_ok_and(|found| found == stamp) && self.python().exists()
    }

    async fn lock(&self, progress: &(dyn Fn(&str) + Sync)) -> Result<File, Error> {
        let path = self.root.with_extension("lock");
        let file = File::create(&path).map_err(Error::file(&path))?;
        let begun = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
                Err(TryLockError::WouldBlock) if begun.elapsed() > LIMIT => {
                    return Err(Error::Late { what: format!("waiting for {}", path.display()), limit: LIMIT });
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        progress("waiting for another process that makes the Python environment");
                        told = true;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn build(&self, requirements: &str, stamp: &str, progress: &(dyn Fn(&str) + Sync)) -> Result<(), Error> {
        // Whatever stands there without its stamp is half made or outdated.
        if self.root.exists() {
            std::fs::remove_dir_all(&self.root).map_err(Error::file(&self.root))?;
        }
        progress("making a Python environment");
        run(Command::new("python3").args(["-m", "venv"]).arg(&self.root), "python3 -m venv").await?;
        let list = self.root.join("requirements.txt");
        std::fs::write(&list, requirements).map_err(Error::file(&list))?;
        let count = requirements.lines().filter(|line| line.contains("==") && !line.starts_with('#')).count();
        progress(&format!("installing {count} Python packages, each checked by its hash"));
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        pip.args(["--require-hashes", "--requirement"]).arg(&list);
        run(&mut pip, "pip install").await?;
        let file = self.stamp_file();
        std::fs::write(&file, stamp).map_err(Error::file(&file))?;
        progress("the Python environment is ready");
        Ok(())
    }
}

async fn run(command: &mut Command, name: &str) -> Result<(), Error> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .map_err(|_| Error::Late { what: name.to_owned(), limit: LIMIT })?
        .map_err(|source| Error::Program { program: name.to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(Error::Died {
        program: name.to_owned(),
        status: output.status.to_string(),
        tail: crate::child::tail(&String::from_utf8_lossy(&text)),
    })
}
