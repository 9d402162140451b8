//! What every function is tried with, on a Lambda Runtime API of its own: events that are none, and a panic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use miette::IntoDiagnostic;
use serde_json::{Value, json};

use super::api::{Event, GREETING};
use super::process::{Function, Outcome};
use super::toolchain::Emulator;

/// How a Rust program ends that has panicked and was unwound. One that cannot unwind is aborted by a signal.
const PANICKED: i32 = 101;

/// What was seen of a function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) cold: Duration,
    pub(super) resident: u64,
}

/// A function that is tried.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) emulator: &'a Emulator,
    pub(super) name: &'a str,
    pub(super) binary: &'a Path,
    /// Where its words go.
    pub(super) log: PathBuf,
}

impl Trial<'_> {
    /// Tries it.
    pub(super) async fn run(&self) -> miette::Result<Seen> {
        let mut function = self.start().await?;
        let seen = Seen { cold: function.cold, resident: function.resident };
        refuses(&mut function).await?;
        self.answers(&mut function).await?;
        self.panics(&mut function).await?;
        // Lambda starts another one in the place of one that has ended.
        let mut function = self.start().await?;
        refuses(&mut function).await?;
        self.answers(&mut function).await?;
        Ok(seen)
    }

    async fn start(&self) -> miette::Result<Function> {
        Function::start(self.emulator, self.name, self.binary, &self.log).await
    }

    /// Where a good event needs nothing of AWS, it is answered. The others' good events are those of a whole run.
    async fn answers(&self, function: &mut Function) -> miette::Result<()> {
        if self.name != skydeck_bootstrap::install::PROBE {
            return Ok(());
        }
        let url = format!("http://{}/", function.address());
        let outcome = function.give(event(&json!({ "questions": [{ "url": url }] }))).await?;
        let Outcome::Answered(answers) = &outcome else {
            return Err(function.wrong(&format!("a good event came to {outcome:?}")));
        };
        let several = answers["answers"][0].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_good = |answer: &Value| answer["answered"]["status"] == 200 && answer["answered"]["body"] == GREETING;
        if several.is_empty() || !several.iter().all(is_good) {
            return Err(function.wrong(&format!("a good event was answered by {answers}")));
        }
        Ok(())
    }

    /// No event makes a handler panic that a test could know from outside. So an event comes as Lambda never sends one, without
    /// its deadline: the runtime beneath the handler panics by that, and the process ends as one does that was unwound.
    async fn panics(&self, function: &mut Function) -> miette::Result<()> {
        let outcome = function.give(Event { has_deadline: false, ..event(&json!({})) }).await?;
        let said = fs::read_to_string(&self.log).into_diagnostic()?;
        match outcome {
            Outcome::Ended(status) if is_unwound(status) && said.contains("panicked at") => Ok(()),
            outcome => {
                Err(function.wrong(&format!("a panic came to {outcome:?}, and not to the exit code {PANICKED}")))
            }
        }
    }
}

fn is_unwound(status: ExitStatus) -> bool {
    status.code() == Some(PANICKED)
}

fn event(value: &Value) -> Event {
    Event { body: value.to_string(), has_deadline: true }
}

/// An event that is none is an error with a name and a sentence, and the function goes on.
async fn refuses(function: &mut Function) -> miette::Result<()> {
    for bad in ["\"no event\"", "{ no JSON"] {
        let outcome = function.give(Event { body: bad.into(), has_deadline: true }).await?;
        let told = |error: &Value, key: &str| error[key].as_str().is_some_and(|text| !text.is_empty());
        match &outcome {
            Outcome::Failed(error) if told(error, "errorType") && told(error, "errorMessage") => {}
            _ => return Err(function.wrong(&format!("the bad event {bad} came to {outcome:?}"))),
        }
    }
    Ok(())
}
