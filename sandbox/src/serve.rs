//! A sandbox in the background: one process serves it and leaves a file that says where; others find it by that file.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Admin, Credentials, Error, Options, Reply, Sandbox, ask, client_env};

/// How often an idle sandbox looks whether it has been idle for too long.
const LOOK: Duration = Duration::from_secs(10);
/// A sandbox ends its children with one signal; more means that it hangs.
const ENDING: Duration = Duration::from_secs(30);

/// Where a sandbox is, as its file says; for everybody to see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The address of all of AWS, and of the sandbox's own interface.
    pub endpoint: String,
    /// The process that serves it.
    pub pid: u32,
    /// Its region.
    pub region: String,
    /// How many times as fast as AWS its clocks run.
    pub speed: f64,
    /// When it started, in seconds since 1970.
    pub started: f64,
}

/// The whole of the file, which its owner alone reads.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    state: State,
    /// Keys of the account's root, with this run's secret.
    credentials: Credentials,
}

fn state_file(dir: &Path) -> PathBuf {
    dir.join("state.json")
}

fn lock_file(dir: &Path) -> PathBuf {
    dir.join("serve.lock")
}

fn is_locked(dir: &Path) -> bool {
    File::open(lock_file(dir)).is_ok_and(|lock| lock.try_lock().is_err())
}

/// Serves a sandbox until somebody stops it, a signal ends it, or nobody has called it for [`Options::idle`].
///
/// # Errors
/// When it cannot be started, or one runs in that directory already.
pub async fn serve(options: &Options, progress: &(dyn Fn(&str) + Sync)) -> Result<(), Error> {
    std::fs::create_dir_all(&options.dir).map_err(Error::file(&options.dir))?;
    let path = lock_file(&options.dir);
    // Held as long as this process lives, however it ends.
    let lock = File::create(&path).map_err(Error::file(&path))?;
    if lock.try_lock().is_err() {
        let pid = read(&options.dir).map_or(0, |kept| kept.state.pid);
        return Err(Error::Running { dir: options.dir.clone(), pid });
    }
    remove_leftovers(&options.dir);
    let signals = |kind| signal(kind).map_err(Error::file("signals"));
    let (mut terminated, mut interrupted) = (signals(SignalKind::terminate())?, signals(SignalKind::interrupt())?);
    let sandbox = tokio::select! {
        started = Sandbox::start_telling(options, progress) => started?,
        _ = terminated.recv() => return Ok(()),
        _ = interrupted.recv() => return Ok(()),
    };
    write(&options.dir, &sandbox)?;
    tokio::select! {
        () = sandbox.shared.stop.notified() => {}
        () = idle(&sandbox, options.idle) => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    // Only then nobody finds it any more; a leftover file would be harmless, since finding asks the process itself.
    let _ = std::fs::remove_file(state_file(&options.dir));
    progress(&sandbox.checked().to_string());
    // Here people call by hand: their mistakes are answered, and fail nothing.
    sandbox.expect_refused();
    sandbox.stop();
    Ok(())
}

/// What sandboxes that were killed left behind: their names begin with `run-` and their process.
fn remove_leftovers(dir: &Path) {
    let _ = std::fs::remove_file(state_file(dir));
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix("run-").and_then(|rest| rest.split('-').next()?.parse().ok());
        let lives = |pid| Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok());
        if pid.is_some_and(|pid| !lives(pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn idle(sandbox: &Sandbox, limit: Duration) {
    loop {
        tokio::time::sleep(LOOK.min(limit)).await;
        let quiet = sandbox.shared.clock.now() - sandbox.shared.active.load(Ordering::Relaxed) as f64;
        if quiet >= limit.as_secs_f64() {
            return;
        }
    }
}

/// Through another name, so that nobody reads half of it, and for its owner alone: it holds the secret.
fn write(dir: &Path, sandbox: &Sandbox) -> Result<(), Error> {
    let state = State {
        endpoint: sandbox.endpoint().to_owned(),
        pid: std::process::id(),
        region: sandbox.region().to_owned(),
        speed: sandbox.clock().speed(),
        started: sandbox.shared.started,
    };
    let kept = Kept { state, credentials: sandbox.credentials() };
    let (path, half) = (state_file(dir), dir.join("state.json.new"));
    let text = serde_json::to_vec_pretty(&kept).map_err(|error| Error::net("the state file")(error.into()))?;
    // What somebody else has left there would keep its own mode.
    let _ = std::fs::remove_file(&half);
    let file = File::options().write(true).create_new(true).mode(0o600).open(&half);
    file.and_then(|mut file| file.write_all(&text)).map_err(Error::file(&half))?;
    std::fs::rename(&half, &path).map_err(Error::file(&path))
}

fn read(dir: &Path) -> Option<Kept> {
    serde_json::from_slice(&std::fs::read(state_file(dir)).ok()?).ok()
}

/// A sandbox that another process serves.
#[derive(Debug, Clone)]
pub struct Running {
    dir: PathBuf,
    state: State,
    credentials: Credentials,
    admin: Admin,
}

impl Running {
    /// The one in a directory, if it answers.
    ///
    /// # Errors
    /// [`Error::NotRunning`] when there is none.
    pub async fn find(dir: &Path) -> Result<Self, Error> {
        let none = || Error::NotRunning(dir.to_owned());
        let Kept { state, credentials } = read(dir).ok_or_else(none)?;
        let admin = Admin::new(&state.endpoint, &credentials.secret_access_key);
        let status = admin.status().await.map_err(|_| none())?;
        // The port may be another sandbox's by now.
        if status.pid != state.pid {
            return Err(none());
        }
        Ok(Self { dir: dir.to_owned(), state, credentials, admin })
    }

    /// The one in a directory, as soon as it answers: for who has just started it.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub async fn wait(dir: &Path, limit: Duration) -> Result<Self, Error> {
        let begun = Instant::now();
        loop {
            match Self::find(dir).await {
                Err(Error::NotRunning(_)) if begun.elapsed() < limit => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(Error::NotRunning(_)) => return Err(Error::Late { what: "starting the sandbox".into(), limit }),
                found => return found,
            }
        }
    }

    /// What its file says, but for the keys.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Keys of its account's root.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The client of its own interface.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The environment of a client of AWS.
    pub fn env(&self) -> Vec<(String, String)> {
        client_env(&self.state.endpoint, &self.state.region, &self.credentials)
    }

    /// Asks a load balancer by its DNS name, from outside or from inside the VPC; `None` where there is no way.
    pub async fn ask(&self, inside: bool, method: &str, url: &str, headers: &[(&str, &str)]) -> Option<Reply> {
        ask::ask(&self.state.endpoint, inside, (method, url), headers).await
    }

    /// Ends it, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(self) -> Result<(), Error> {
        self.admin.stop().await?;
        let begun = Instant::now();
        // It answers no more before it has ended: another one can start once its lock is free.
        while Self::find(&self.dir).await.is_ok() || is_locked(&self.dir) {
            if begun.elapsed() > ENDING {
                return Err(Error::Late { what: format!("ending process {}", self.state.pid), limit: ENDING });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
