//! Where lines go: to a person's terminal with colour and a live line of progress, to anything else as plain lines.

use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::sync::Notify;

/// How often the live line turns.
const TURN: Duration = Duration::from_millis(120);

/// The person's side of the command.
#[derive(Debug)]
pub(crate) struct Terminal {
    json: bool,
    /// Whether somebody looks.
    somebody: bool,
    /// The line at the bottom that says what goes on now, while something does.
    live: Mutex<Option<ProgressBar>>,
    /// The notes since the last line of another kind, where they are lines themselves: each is told once.
    noted: Mutex<BTreeSet<String>>,
    /// Told when nobody reads any more.
    closed: Notify,
}

impl Terminal {
    /// With `json`, standard output is kept for the one document.
    pub(crate) fn new(json: bool) -> Self {
        let somebody = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        Terminal { json, somebody, live: Mutex::new(None), noted: Mutex::default(), closed: Notify::new() }
    }

    fn live(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one JSON document is wanted.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// A line that stays.
    pub(crate) fn say(&self, line: impl AsRef<str>) {
        self.noted().clear();
        self.line(line.as_ref());
    }

    fn line(&self, line: &str) {
        let print =
            || if self.json { write_line(std::io::stderr(), line) } else { write_line(std::io::stdout(), line) };
        let written = match &*self.live() {
            Some(bar) => bar.suspend(print),
            None => print(),
        };
        self.watch(written);
    }

    /// Any other trouble in writing has nowhere to be told.
    fn watch(&self, written: std::io::Result<()>) {
        if written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            self.closed.notify_one();
        }
    }

    /// Waits until whoever reads the output has gone, as `head` does after its lines.
    pub(crate) async fn closed(&self) {
        self.closed.notified().await;
    }

    /// What goes on now: replaced by the next, and gone with [`Terminal::settle`]. Where nobody looks it is nothing:
    /// a log is not made of progress.
    pub(crate) fn progress(&self, text: impl Into<String>) {
        if self.somebody {
            self.live().get_or_insert_with(bar).set_message(text.into());
        }
    }

    /// Takes the live line away.
    pub(crate) fn settle(&self) {
        if let Some(bar) = self.live().take() {
            bar.finish_and_clear();
        }
    }

    /// Like [`Terminal::progress`] on a terminal; elsewhere a line, and what is waited for again and again is told once.
    pub(crate) fn note(&self, text: &str) {
        if self.somebody {
            return self.progress(text);
        }
        if self.noted().insert(text.to_owned()) {
            self.line(text);
        }
    }

    fn noted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one document, where one is wanted.
    pub(crate) fn document(&self, value: &impl Serialize) -> miette::Result<()> {
        if self.json {
            let text = serde_json::to_string_pretty(value).map_err(|error| miette::miette!("{error}"))?;
            self.watch(write_line(std::io::stdout(), &text));
        }
        Ok(())
    }

    /// A style that shows only where colours do: a terminal, and no `NO_COLOR`.
    pub(crate) fn style(&self) -> Style {
        let style = Style::new();
        if self.json { style.for_stderr() } else { style.for_stdout() }
    }
}

fn write_line(mut to: impl Write, line: &str) -> std::io::Result<()> {
    writeln!(to, "{line}")
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is a constant; were it wrong, the default would do.
    let style = ProgressStyle::with_template("{spinner:.dim} {wide_msg:.dim}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TURN);
    bar
}
