//! `skydeck sandbox`: the local AWS, in a process of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::Value;
use serde_json::json;
use skydeck_aws::home::Home;
use skydeck_core::run::outputs_key;
use skydeck_sandbox::{Call, Image, Options, Running};
use tokio::process::Command;

use super::sandbox_events;
use crate::cli::{Calls, Push, Sandbox, Up};
use crate::context::{Context, sandbox_error};
use crate::error::{Ending, Usage};
use crate::project;
use crate::run::{installed, only_platform};
use crate::terminal::Terminal;

/// The first start downloads a Python environment.
const LONGEST_START: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(100);
const LOG: &str = "serve.log";

pub(super) async fn run(context: &Context, verb: Sandbox) -> miette::Result<Ending> {
    match verb {
        Sandbox::Up(options) => {
            if let Ok(running) = Running::find(&project::sandbox()?).await {
                context.terminal.say(format!("It runs already, at {}.", running.state().endpoint));
                context.terminal.document(running.state())?;
                return Ok(Ending::Done);
            }
            let running = up(context, &options).await?;
            let command = context.invocation_without_sandbox();
            context.terminal.say(format!("The sandbox runs at {}.", running.state().endpoint));
            context
                .terminal
                .say(format!("Use it with `--sandbox`, or with any AWS tool: eval \"$({command} sandbox env)\""));
            context.terminal.document(running.state())?;
        }
        Sandbox::Down => {
            let found = Running::find(&project::sandbox()?).await;
            let ran = found.is_ok();
            if let Ok(running) = found {
                sandbox_error(running.stop().await)?;
            }
            context.terminal.say(if ran { "The sandbox is stopped." } else { "No sandbox runs." });
            context.terminal.document(&json!({ "stopped": ran }))?;
        }
        Sandbox::Status => status(context).await?,
        Sandbox::Env => env(context, &context.running().await?)?,
        Sandbox::Push(options) => push(context, &options).await?,
        Sandbox::Events(options) => sandbox_events::run(context, options).await?,
        Sandbox::Fire { schedule } => {
            sandbox_error(context.running().await?.admin().fire(&schedule).await)?;
            context.terminal.say(format!("{schedule} is due."));
            context.terminal.document(&json!({ "fired": schedule }))?;
        }
        Sandbox::Calls(options) => calls(context, &options).await?,
        Sandbox::Serve(up) => {
            let options = options(&project::sandbox()?, &up);
            sandbox_error(skydeck_sandbox::serve(&options, &|text| println!("{text}")).await)?;
        }
    }
    Ok(Ending::Done)
}

fn options(dir: &Path, up: &Up) -> Options {
    let mut options = Options::new(dir);
    (options.speed, options.latency, options.port) = (up.speed, up.latency, up.port);
    options.region.clone_from(&up.region);
    options
}

/// Starts one in the background, and waits until it answers.
pub(super) async fn up(context: &Context, up: &Up) -> miette::Result<Running> {
    let dir = project::sandbox()?;
    fs::create_dir_all(&dir).into_diagnostic().wrap_err_with(|| dir.display().to_string())?;
    let log_path = dir.join(LOG);
    let log = File::create(&log_path).into_diagnostic().wrap_err_with(|| log_path.display().to_string())?;
    let mut child = Command::new(&context.program)
        .args(["sandbox", "serve", "--speed", &up.speed.to_string(), "--region", &up.region])
        .args(["--latency", &format!("{}ms", up.latency.as_millis()), "--port", &up.port.to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone().into_diagnostic()?)
        .stderr(log)
        // Ctrl-C in this terminal is not meant for it.
        .process_group(0)
        .spawn()
        .into_diagnostic()
        .wrap_err("starting the sandbox")?;
    context.terminal.progress("starting the sandbox");
    let tell = async {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(line) = fs::read_to_string(&log_path).unwrap_or_default().lines().last() {
                context.terminal.progress(line);
            }
        }
    };
    let running = tokio::select! {
        running = Running::wait(&dir, LONGEST_START) => sandbox_error(running),
        ended = child.wait() => {
            let status = ended.into_diagnostic()?;
            let log = fs::read_to_string(&log_path).unwrap_or_default();
            Err(miette!("the sandbox did not start ({status}); its log, {}:\n{}", log_path.display(), log.trim()))
        }
        () = tell => Err(miette!("the sandbox did not start")),
    };
    context.terminal.settle();
    running
}

async fn status(context: &Context) -> miette::Result<()> {
    let running = context.running().await?;
    let (state, status) = (running.state(), sandbox_error(running.admin().status().await)?);
    context.terminal.say(format!("It runs at {}, process {}.", state.endpoint, state.pid));
    let faults = status.faults.len();
    context.terminal.say(format!(
        "Region {}, {} times as fast as AWS, {} ms added to each call, {faults} faults waiting, {} calls so far.",
        status.region, status.speed, status.latency_millis, status.last_call
    ));
    context.terminal.say(status.checked.to_string());
    context.terminal.document(&json!({ "state": state, "status": status }))
}

/// For `eval`: what a shell, and every AWS tool in it, has to know.
fn env(context: &Context, running: &Running) -> miette::Result<()> {
    let mut variables: BTreeMap<String, String> = running.env().into_iter().collect();
    variables.insert("SKYDECK_SANDBOX".into(), "1".into());
    if !context.terminal.json() {
        for (key, value) in &variables {
            context.terminal.say(format!("export {key}='{value}'"));
        }
    }
    context.terminal.document(&variables)
}

/// What a pipeline does with `docker buildx build --push`.
async fn push(context: &Context, options: &Push) -> miette::Result<()> {
    let running = context.running().await?;
    let inside = Context {
        terminal: Terminal::new(context.terminal.json()),
        sandbox: true,
        program: context.program.clone(),
        region: None,
    };
    let (clients, account) = inside.connect().await?;
    let home = Home::new(clients.s3(), &account.bucket());
    let platform = match &options.platform {
        Some(platform) => platform.clone(),
        None => only_platform(context, &home).await?,
    };
    let outputs: Value = home.read_json(&outputs_key(&platform)).await.map_err(installed)?;
    let uri = outputs["repositories"][&options.service].as_str().ok_or_else(|| {
        let known = outputs["repositories"].as_object().map(|known| known.keys().cloned().collect::<Vec<_>>());
        let help = format!("its services are {}", known.unwrap_or_default().join(", "));
        Usage::new(format!("{platform} has no repository of a service {}", options.service), help)
    })?;
    let repository = uri.split_once('/').map_or(uri, |(_, name)| name);
    // Each push is another image, as after a change of the code.
    let mut image = Image::new(&format!("{} {}", options.tag, jiff::Timestamp::now()));
    if let Some(how) = &options.behaves {
        image = image.behaving(how);
    }
    let pushed = sandbox_error(running.admin().push(repository, &options.tag, &image).await)?;
    context.terminal.say(format!("{uri}:{}\n{}", options.tag, pushed.digest));
    context.terminal.document(&json!({ "image": format!("{uri}:{}", options.tag), "digest": pushed.digest }))
}

async fn calls(context: &Context, options: &Calls) -> miette::Result<()> {
    let running = context.running().await?;
    let mut calls = sandbox_error(running.admin().calls(options.since).await)?;
    let is_meant = |call: &Call| {
        (!options.writes || call.write)
            && options.caller.as_ref().is_none_or(|caller| &call.caller == caller)
            && options.service.as_ref().is_none_or(|service| &call.service == service)
    };
    calls.retain(is_meant);
    if !context.terminal.json() {
        let lines = if options.list { calls.iter().map(line).collect() } else { counts(&calls) };
        lines.iter().for_each(|line| context.terminal.say(line));
        let checked = sandbox_error(running.admin().status().await)?.checked;
        context.terminal.say(checked.to_string());
        checked.refused.iter().for_each(|refused| context.terminal.say(format!("refused: {refused}")));
    }
    context.terminal.document(&calls)
}

fn line(call: &Call) -> String {
    let status = call.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let resource = call.resource.as_deref().unwrap_or_default();
    let error = call.error.as_deref().or(call.fault.as_deref()).unwrap_or_default();
    let text = format!(
        "{:>6}  {:<18}  {:>3}  {:>7.1} ms  {}:{} {resource} {error}",
        call.seq, call.caller, status, call.millis, call.service, call.action
    );
    text.trim_end().to_owned()
}

fn counts(calls: &[Call]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, String), (usize, usize)> = BTreeMap::new();
    for call in calls {
        let (count, errors) = counts.entry((&call.caller, format!("{}:{}", call.service, call.action))).or_default();
        *count += 1;
        *errors += usize::from(call.error.is_some() || call.fault.is_some());
    }
    let line = |((caller, action), (count, errors)): ((&str, String), (usize, usize))| {
        let errors = if errors > 0 { format!("  ({errors} with an error)") } else { String::new() };
        format!("{count:>6}  {caller:<18}  {action}{errors}")
    };
    counts.into_iter().map(line).chain([format!("{:>6}  in all", calls.len())]).collect()
}
