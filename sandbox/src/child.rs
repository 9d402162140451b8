//! A child process that never outlives the sandbox, in a process group of its own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{ChildStdin, Command};

use crate::Error;

/// A running child with everything that it started.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    process: tokio::process::Child,
    /// While this end is open the child lives; see `launch.py`.
    life: Option<ChildStdin>,
    log: PathBuf,
}

impl Child {
    /// Starts a program with nothing of this process's environment but `PATH`.
    pub(crate) fn spawn(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        dir: &Path,
    ) -> Result<Self, Error> {
        let log = dir.join(format!("{name}.log"));
        let out = std::fs::File::create(&log).map_err(Error::file(&log))?;
        let err = out.try_clone().map_err(Error::file(&log))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(dir).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::piped()).stdout(out).stderr(err).process_group(0).kill_on_drop(true);
        let mut process =
            command.spawn().map_err(|source| Error::Program { program: program.display().to_string(), source })?;
        let life = process.stdin.take();
        Ok(Self { name, process, life, log })
    }

    /// Tells the child a line that no other process can read.
    pub(crate) async fn tell(&mut self, line: &str) -> Result<(), Error> {
        let Some(life) = &mut self.life else { return Ok(()) };
        let told = life.write_all(format!("{line}\n").as_bytes()).await;
        told.map_err(|source| Error::Program { program: self.name.to_owned(), source })
    }

    /// Waits until the child listens on `port`; an early death is told with its last words.
    pub(crate) async fn wait_listening(&mut self, port: u16, limit: Duration) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            self.lives()?;
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                // Whoever else has taken the port listens too, and the child dies of it.
                return self.lives();
            }
            if begun.elapsed() > limit {
                return Err(Error::Late { what: format!("starting {}: {}", self.name, self.tail()), limit });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn lives(&mut self) -> Result<(), Error> {
        let Ok(Some(status)) = self.process.try_wait() else { return Ok(()) };
        Err(Error::Died { program: self.name.to_owned(), status: status.to_string(), tail: self.tail() })
    }

    /// The process id.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    fn tail(&self) -> String {
        tail(&String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(pid) = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { return };
        if let Err(error) = kill_process_group(pid, Signal::KILL) {
            tracing::warn!(child = self.name, %error, "could not end the child's process group");
        }
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A port that nobody uses right now.
pub(crate) async fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    listener
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| Error::Net { what: "finding a free port".into(), message: source.to_string() })
}
