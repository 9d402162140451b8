//! `skydeck status`.

use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use serde::Serialize;
use skydeck_aws::Clients;
use skydeck_aws::error::Explain;

use crate::cli::Status;
use crate::context::{Account, Context};
use crate::error::Ending;
use crate::run::{installed, unix_now};

/// Step Functions lists the newest first, a thousand on a page.
const PAGE: i32 = 1000;

#[derive(Debug, Serialize)]
struct Run {
    name: String,
    execution: String,
    status: String,
    started: String,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

pub(super) async fn run(context: &Context, options: &Status) -> miette::Result<Ending> {
    let (clients, account) = context.connect().await?;
    let found = list(&clients, &account, options).await?;
    let mut runs = Vec::new();
    for item in found {
        runs.push(describe(&clients, item).await?);
    }
    show(context, &runs);
    context.terminal.document(&runs)?;
    Ok(Ending::Done)
}

async fn list(clients: &Clients, account: &Account, options: &Status) -> miette::Result<Vec<ExecutionListItem>> {
    let request = clients.sfn().list_executions().state_machine_arn(account.machine("provision")).max_results(PAGE);
    let found = request.send().await.during("list runs of", "skydeck-provision").map_err(installed)?;
    let is_meant = |item: &ExecutionListItem| match &options.platform {
        Some(platform) => item.name().starts_with(&format!("{platform}-")),
        None => true,
    };
    Ok(found.executions.into_iter().filter(is_meant).take(options.last).collect())
}

/// Why a run failed stands in the execution alone, not in the list.
async fn describe(clients: &Clients, item: ExecutionListItem) -> miette::Result<Run> {
    let cause = if item.status() == &ExecutionStatus::Failed {
        let request = clients.sfn().describe_execution().execution_arn(item.execution_arn());
        request.send().await.during("read run", item.name()).map_err(installed)?.cause
    } else {
        None
    };
    let stopped = item.stop_date().map_or_else(unix_now, |date| date.as_secs_f64());
    let started = jiff::Timestamp::from_second(item.start_date().secs()).unwrap_or_default();
    Ok(Run {
        status: item.status().as_str().to_lowercase(),
        started: started.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        seconds: (stopped - item.start_date().as_secs_f64()).max(0.0),
        name: item.name,
        execution: item.execution_arn,
        cause,
    })
}

fn show(context: &Context, runs: &[Run]) {
    if context.terminal.json() {
        return;
    }
    let style = context.terminal.style();
    for run in runs {
        let style = match run.status.as_str() {
            "succeeded" => style.clone().green(),
            "running" => style.clone().cyan(),
            _ => style.clone().red(),
        };
        let status = style.apply_to(format!("{:<9}", run.status));
        context.terminal.say(format!("  {status}  {}  {:>6.1} s  {}", run.started, run.seconds, run.name));
        if let Some(cause) = &run.cause {
            context.terminal.say(format!("             {cause}"));
        }
    }
    let going: Vec<&Run> = runs.iter().filter(|run| run.status == "running").collect();
    context.terminal.say(match going.as_slice() {
        [] if runs.is_empty() => "There was no run yet.".into(),
        [] => "\nNo run is going on.".into(),
        [run, ..] => format!("\nA run is going on: `{} follow {}`", context.invocation(), run.name),
    });
}
