//! A function's process, and what becomes of the events that it is given.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use miette::{IntoDiagnostic, miette};
use serde_json::Value;
use tokio::process::Child;

use super::api::{Api, Event, Told};
use super::command::last_lines;
use super::toolchain::Emulator;

/// How long a function may take to start, to answer or to end, on a machine that does other things as well. Lambda would give
/// it ten seconds for the first.
const LIMIT: Duration = Duration::from_secs(120);
/// Nobody listens there: none of these events is to reach AWS.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A running function.
#[derive(Debug)]
pub(super) struct Function {
    name: String,
    child: Child,
    api: Api,
    log: PathBuf,
    /// From the start of the process until it asked for its first event.
    pub(super) cold: Duration,
    /// Its resident memory at that moment, in KiB, with the emulator's own.
    pub(super) resident: u64,
}

/// What became of an event.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was answered, and the process asks for the next one.
    Answered(Value),
    /// The function told an error, and the process asks for the next one.
    Failed(Value),
    /// The process has ended.
    Ended(ExitStatus),
}

impl Function {
    /// Starts a binary, and waits until it asks for its first event. `log` is where its own words go.
    pub(super) async fn start(emulator: &Emulator, name: &str, binary: &Path, log: &Path) -> miette::Result<Self> {
        let api = Api::start().await?;
        let out = File::create(log).into_diagnostic()?;
        let err = out.try_clone().into_diagnostic()?;
        let mut command = emulator.command(binary);
        command.env_clear().envs(environment(name, &api.address()));
        command.stdin(Stdio::null()).stdout(out).stderr(err).kill_on_drop(true);
        let begun = Instant::now();
        let child = command.spawn().map_err(|error| {
            miette!(help = "`rm -r target/arm64` fetches it anew", "{}: {error}", emulator.program.display())
        })?;
        let (cold, resident) = (Duration::ZERO, 0);
        let mut function = Self { name: name.to_owned(), child, api, log: log.to_owned(), cold, resident };
        match function.next().await? {
            Step::Told(Told::Asks) => {}
            Step::Told(other) => return Err(function.wrong(&format!("it told {other:?} before its first event"))),
            Step::Ended(status) => return Err(function.wrong(&format!("it ended at its start ({status})"))),
        }
        function.cold = begun.elapsed();
        function.resident = function.resident().ok_or_else(|| function.wrong("its memory cannot be read"))?;
        Ok(function)
    }

    /// Where its Runtime API listens.
    pub(super) fn address(&self) -> String {
        self.api.address()
    }

    /// Gives it an event. The process is either ready for another one afterwards, or has ended.
    pub(super) async fn give(&mut self, event: Event) -> miette::Result<Outcome> {
        self.api.hand(event);
        let outcome = match self.next().await? {
            Step::Ended(status) => return Ok(Outcome::Ended(status)),
            Step::Told(Told::Answered(value)) => Outcome::Answered(value),
            Step::Told(Told::Failed(value)) => Outcome::Failed(value),
            Step::Told(other) => return Err(self.wrong(&format!("it told {other:?} of an event"))),
        };
        match self.next().await? {
            Step::Told(Told::Asks) => Ok(outcome),
            other => Err(self.wrong(&format!("after {outcome:?} it did not ask for the next event: {other:?}"))),
        }
    }

    /// An error about it, with its own last words.
    pub(super) fn wrong(&self, what: &str) -> miette::Report {
        let said = fs::read(&self.log).unwrap_or_default();
        let said = last_lines(&String::from_utf8_lossy(&said));
        let help = format!("all that it said is in {}", self.log.display());
        miette!(help = help, "{}: {what}; its last words:\n{said}", self.name)
    }

    /// What it tells next, or its end.
    async fn next(&mut self) -> miette::Result<Step> {
        let next = async {
            tokio::select! {
                // What it told before it ended comes first.
                biased;
                Some(told) = self.api.told() => Ok(Step::Told(told)),
                status = self.child.wait() => status.map(Step::Ended),
            }
        };
        match tokio::time::timeout(LIMIT, next).await {
            Ok(step) => step.into_diagnostic(),
            Err(_) => Err(self.wrong(&format!("it was silent for {LIMIT:?}"))),
        }
    }

    fn resident(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// What comes next of a process.
#[derive(Debug)]
enum Step {
    Told(Told),
    Ended(ExitStatus),
}

/// What Lambda and the installation give a function, and keys that are nobody's.
fn environment(name: &str, api: &str) -> [(&'static str, String); 12] {
    let function = format!("skydeck-{name}");
    [
        ("AWS_LAMBDA_RUNTIME_API", api.to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{function}")),
        ("AWS_LAMBDA_FUNCTION_NAME", function),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", skydeck_aws::function::MEMORY_MIB.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1".into()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "arm64".into()),
        ("AWS_REGION", "ap-south-1".into()),
        ("AWS_ACCESS_KEY_ID", "nobody".into()),
        ("AWS_SECRET_ACCESS_KEY", "nobody".into()),
        ("AWS_ENDPOINT_URL", NOWHERE.into()),
        ("PATH", "/usr/bin:/bin".into()),
        ("SKYDECK_BUCKET", "skydeck-000000000000-ap-south-1".into()),
    ]
}
