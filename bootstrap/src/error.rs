//! What ends the command early, and with which exit code.

use std::process::ExitCode;

use miette::Diagnostic;

/// The command was called in a way that cannot work: exit code 2, as for arguments that cannot be read.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Usage {
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    #[help]
    pub help: String,
}

/// Skydeck is not where the command looked for it. See [`crate::context::Context::elsewhere`].
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("skydeck is not installed here: {0}")]
#[diagnostic(help("install it first: `skydeck bootstrap`"))]
pub(crate) struct NotInstalled(pub(crate) String);

impl Usage {
    /// Says what is wrong and what to do instead.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Usage { message: message.into(), help: help.into() }
    }
}

/// How a command ended that has told all there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All went well.
    Done,
    /// A plan was made, and is not empty.
    Changes,
    /// The run failed, and its cause was told.
    Failed,
    /// The person stopped following.
    Interrupted,
    /// Of `wait`: another image took the place of the one that was waited for.
    Superseded,
    /// Of `wait`: there was no verdict in time.
    TimedOut,
    /// Of `wait`, whose other codes are verdicts: an error, which was told.
    Unknown,
    /// Whoever read the output has gone, as `head` does.
    Unread,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => ExitCode::SUCCESS,
            Ending::Changes => ExitCode::from(2),
            Ending::Failed => ExitCode::from(1),
            Ending::Superseded => ExitCode::from(2),
            Ending::TimedOut => ExitCode::from(3),
            Ending::Unknown => ExitCode::from(4),
            // 128 + SIGINT, as shells have it.
            Ending::Interrupted => ExitCode::from(130),
            // 128 + SIGPIPE.
            Ending::Unread => ExitCode::from(141),
        }
    }
}

/// Shows an error that nobody has told yet, and says with which code to exit.
pub(crate) fn tell(report: &miette::Report) -> ExitCode {
    eprintln!("{report:?}");
    ExitCode::from(if report.downcast_ref::<Usage>().is_some() { 2 } else { 1 })
}
