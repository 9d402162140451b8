//! The command `skydeck`, as people use it: a process of its own, which answers with one JSON document.

use std::process::Stdio;

use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::Value;
use tokio::process::Command;

use crate::context::Context;

/// How many of a command's last lines are told where it has failed.
const TOLD: usize = 12;

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code.
    pub(super) code: Option<i32>,
    /// Its document; null where it printed none.
    pub(super) document: Value,
    /// The command line.
    line: String,
    /// What it told.
    told: String,
}

impl Ended {
    /// This, where it ended with that code.
    pub(super) fn with(self, code: i32) -> miette::Result<Self> {
        if self.code == Some(code) {
            return Ok(self);
        }
        let lines: Vec<&str> = self.told.lines().collect();
        let last = lines[lines.len().saturating_sub(TOLD)..].join("\n");
        let ended = self.code.map_or("was killed".to_owned(), |code| format!("ended with {code}"));
        Err(miette!("`skydeck {}` {ended}, and should with {code}:\n{last}", self.line))
    }

    /// This, where it ended well.
    pub(super) fn well(self) -> miette::Result<Self> {
        self.with(0)
    }
}

/// Runs `skydeck` to its end. Where the caller stops waiting, it is killed: Ctrl-C reaches the caller alone.
pub(super) async fn skydeck(context: &Context, arguments: &[&str]) -> miette::Result<Ended> {
    let mut command = Command::new(&context.program);
    command.arg("--json").args(arguments);
    if context.sandbox {
        command.arg("--sandbox");
    }
    if let Some(region) = &context.region {
        command.env("AWS_REGION", region).env("AWS_DEFAULT_REGION", region);
    }
    // Its errors are read as text, and not broken into lines and boxes.
    command.env("NO_GRAPHICS", "1").env("NO_COLOR", "1");
    command.process_group(0).kill_on_drop(true).stdin(Stdio::null());
    let output = command.output().await.into_diagnostic().wrap_err_with(|| context.program.display().to_string())?;
    Ok(Ended {
        code: output.status.code(),
        document: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        line: arguments.join(" "),
        told: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
