//! What can go wrong with the sandbox itself (an AWS error that it answers is no error here).

use std::path::PathBuf;
use std::time::Duration;

/// Why the sandbox could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program is missing or cannot be started.
    #[error("cannot run `{program}`: {source}")]
    Program {
        /// Its name.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program ended when it should not have, or with a failure.
    #[error("{program} failed ({status}); its last words:\n{tail}")]
    Died {
        /// Its name.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it wrote.
        tail: String,
    },
    /// Something did not happen in time.
    #[error("{what} took longer than {limit:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// No sandbox is running there.
    #[error("no sandbox runs in {0}")]
    NotRunning(PathBuf),
    /// One runs already.
    #[error("a sandbox runs already in {dir}, process {pid}")]
    Running {
        /// The directory.
        dir: PathBuf,
        /// Its process.
        pid: u32,
    },
    /// The network on this machine failed.
    #[error("{what}: {message}")]
    Net {
        /// What was tried.
        what: String,
        /// What happened.
        message: String,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn net(what: impl Into<String>) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        let what = what.into();
        move |source| Self::Net { what, message: chain(&*source) }
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
