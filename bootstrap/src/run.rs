//! Runs of `provision` and `rollout`: started, followed, listed.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use miette::{IntoDiagnostic, miette};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use skydeck_aws::error::{Error, Explain};
use skydeck_aws::home::Home;
use skydeck_aws::{Clients, Result, rollout};
use skydeck_core::format;
use skydeck_core::rollout::trigger::{self, Cause};
use skydeck_core::run::Mode;
use tokio::signal::unix::{SignalKind, signal};

use crate::context::{Account, Context};
use crate::error::{Ending, NotInstalled, Usage};
use crate::follow::{self, Finished, Line, summary};
use crate::show::{self, plan_of};

/// Step Functions' limit is 80 characters; verb, time and the rest take 29.
const LONGEST_SUBJECT: usize = 50;

/// The name of a new execution: what it does to which platform or service, when, and 4 hex digits against two at once.
fn execution_name(subject: &str, verb: &str, now: jiff::Timestamp, salt: u32) -> String {
    let subject: String = subject.chars().take(LONGEST_SUBJECT).collect();
    let time = now.strftime("%Y%m%d%H%M%S");
    let hash = Sha256::digest(format!("{salt} {}", now.as_nanosecond()));
    format!("{subject}-{verb}-{time}-{:02x}{:02x}", hash[0], hash[1])
}

/// The mode as the state machine's input has it.
pub(crate) fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Plan => "plan",
        Mode::Apply => "apply",
        Mode::Destroy => "destroy",
    }
}

/// A platform file in skydeck's bucket: this version and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Uploaded {
    /// Its key.
    #[serde(rename = "file")]
    pub(crate) key: String,
    /// Its version.
    pub(crate) version: String,
}

/// What a run is started with: the state machine's input.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Order<'a> {
    pub(crate) mode: Mode,
    pub(crate) platform: &'a str,
    /// The file that is meant; without it, the platform's own.
    #[serde(flatten)]
    pub(crate) file: Option<&'a Uploaded>,
    /// The plan to be applied as it was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<&'a str>,
    /// Whether instances are to take the image that AWS recommends now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) refresh_ami: bool,
}

impl<'a> Order<'a> {
    pub(crate) fn new(mode: Mode, platform: &'a str) -> Self {
        Order { mode, platform, file: None, plan: None, refresh_ami: false }
    }
}

/// Starts a run; returns the execution's ARN.
pub(crate) async fn start(
    context: &Context,
    clients: &Clients,
    account: &Account,
    order: &Order<'_>,
) -> Result<String> {
    // A rollout's order carries no number: during an upgrade it may reach a function that knows of none and takes no field more.
    let input = format::mark(json!(order));
    begin(context, clients, account.machine("provision"), (order.platform, word(order.mode)), &input).await
}

/// Starts a rollout; returns the execution's ARN.
pub(crate) async fn start_rollout(
    context: &Context,
    clients: &Clients,
    account: &Account,
    order: &trigger::Order,
) -> Result<String> {
    let subject = format!("{}-{}", order.platform.as_deref().unwrap_or_default(), order.service);
    let verb = if order.cause == Cause::Rollback { "rollback" } else { "rollout" };
    begin(context, clients, account.machine("rollout"), (subject.trim_start_matches('-'), verb), order).await
}

async fn begin(
    context: &Context,
    clients: &Clients,
    machine: String,
    (subject, verb): (&str, &str),
    input: &(impl Serialize + Sync),
) -> Result<String> {
    let name = execution_name(subject, verb, jiff::Timestamp::now(), std::process::id());
    let request = clients.sfn().start_execution().state_machine_arn(&machine).name(&name);
    let request = request.input(json!(input).to_string());
    let attempts = Cell::new(0);
    let started = context.patiently(async || {
        attempts.set(attempts.get() + 1);
        Ok(request.clone().send().await.during("start execution", &name)?.execution_arn)
    });
    match started.await {
        // The name is this command's own: an attempt whose answer was lost has started it, and it has ended since.
        Err(error) if attempts.get() > 1 && error.code() == Some("ExecutionAlreadyExists") => {
            Ok(format!("{}:{name}", machine.replace(":stateMachine:", ":execution:")))
        }
        started => started,
    }
}

/// Starts a run and follows it, unless it is only to be started.
pub(crate) async fn start_and_follow(
    context: &Context,
    clients: &Clients,
    account: &Account,
    order: &Order<'_>,
    follow: bool,
) -> miette::Result<Ending> {
    let execution = start(context, clients, account, order).await.map_err(installed)?;
    if follow {
        return follow_to_end(context, clients, account, &execution).await;
    }
    leave(context, &execution, "Started. Follow it with")?;
    Ok(Ending::Done)
}

/// Says how to follow a run that goes on.
pub(crate) fn leave(context: &Context, execution: &str, text: &str) -> miette::Result<()> {
    context.terminal.say(format!("{text} `{} follow {execution}`", context.invocation()));
    context.terminal.document(&json!({ "execution": execution, "status": "RUNNING" }))
}

/// Follows a run until it ends or the person has seen enough, and tells how it ended.
pub(crate) async fn follow_to_end(
    context: &Context,
    clients: &Clients,
    account: &Account,
    execution: &str,
) -> miette::Result<Ending> {
    let Some(finished) = watch(context, clients, execution).await? else {
        leave(context, execution, "\nThe run goes on. Follow it again with")?;
        return Ok(Ending::Interrupted);
    };
    tell_end(context, clients, account, &finished).await?;
    context.terminal.document(&finished)?;
    Ok(if finished.is_good() { Ending::Done } else { Ending::Failed })
}

/// Follows a run to its end, or to Ctrl-C.
pub(crate) async fn watch(context: &Context, clients: &Clients, execution: &str) -> miette::Result<Option<Finished>> {
    let (terminal, style) = (&context.terminal, context.terminal.style());
    let name = execution.rsplit(':').next().unwrap_or(execution);
    // Before the first line: who reads it may interrupt at once.
    let mut interrupts = signal(SignalKind::interrupt()).into_diagnostic()?;
    terminal.say(style.clone().bold().apply_to(name).to_string());
    terminal.progress("starting");
    let tell = |line: &Line| match line {
        Line::Waiting { .. } => terminal.note(&line.text(&style)),
        line => {
            terminal.say(line.text(&style));
            // What was waited for may be this; what still is will be told again.
            terminal.progress("at work");
        }
    };
    let trouble = |text: &str| terminal.note(text);
    let finished = tokio::select! {
        finished = follow::follow(clients, execution, &tell, &trouble) => Some(finished),
        _ = interrupts.recv() => None,
    };
    terminal.settle();
    finished.transpose().map_err(|error| match error.code() {
        Some("ExecutionDoesNotExist" | "InvalidArn") => {
            Usage::new(format!("there is no run {name}"), format!("see `{} status`", context.invocation())).into()
        }
        _ => installed(error),
    })
}

/// Tells how a run ended; of a plan, each change.
pub(crate) async fn tell_end(
    context: &Context,
    clients: &Clients,
    account: &Account,
    finished: &Finished,
) -> miette::Result<()> {
    let style = context.terminal.style();
    if let Some(plan) = plan_of(context, &Home::new(clients.s3(), &account.bucket()), finished).await? {
        for line in show::lines(&plan, &style) {
            context.terminal.say(line);
        }
    }
    context.terminal.say(format!("\n{}", summary(finished, &style)));
    Ok(())
}

/// The platform that is meant where none is named: the only one.
pub(crate) async fn only_platform(context: &Context, home: &Home) -> miette::Result<String> {
    let mut platforms = context.patiently(async || rollout::platforms(home).await).await.map_err(installed)?;
    match (platforms.pop(), platforms.is_empty()) {
        (Some(platform), true) => Ok(platform),
        (None, _) => Err(Usage::new("no platform was applied yet", "`skydeck apply FILE` does it").into()),
        (Some(last), false) => {
            let all = format!("{}, {last}", platforms.join(", "));
            Err(Usage::new("there are several platforms", format!("say which one: {all}")).into())
        }
    }
}

/// An error of AWS, with advice where it means that skydeck is not installed.
pub(crate) fn installed(error: Error) -> miette::Report {
    match error.code() {
        Some("NoSuchBucket" | "StateMachineDoesNotExist") => NotInstalled(error.to_string()).into(),
        _ => miette!("{error}"),
    }
}

/// Seconds since 1970, for times that AWS gives.
pub(crate) fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executions_name_says_what_and_when_and_fits() {
        let now: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let name = execution_name("skyfox-devprod", "apply", now, 7);
        assert!(name.starts_with("skyfox-devprod-apply-20260301120000-"), "{name}");
        assert_ne!(name, execution_name("skyfox-devprod", "apply", now, 8));
        assert!(execution_name(&"x".repeat(100), "rollback", now, 7).len() <= 80);
    }
}
