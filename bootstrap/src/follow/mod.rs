//! An execution as a person follows it: its history turned into lines, while it goes on.

mod event;
mod line;
mod rollout;
mod story;
#[cfg(test)]
mod tests;

pub use event::Event;
pub use line::{Line, summary};
pub use story::Story;

use std::time::Duration;

use serde::Serialize;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Result};
use skydeck_core::rollout::decide::Kind;
use skydeck_core::rollout::run::Result as Ended;
use skydeck_core::run::{Conclusion, Mode};

use crate::patience::patiently;

/// Between two looks while something happens, and the longest when nothing does: Step Functions answers 20 a second.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The most events that Step Functions puts on a page.
const PAGE: i32 = 1000;

/// A run that is over.
#[derive(Debug, Clone, Serialize)]
pub struct Finished {
    /// The execution's ARN.
    pub execution: String,
    /// Step Functions' word: `SUCCEEDED`, `FAILED`, `ABORTED` or `TIMED_OUT`.
    pub status: String,
    /// How long it took.
    pub seconds: f64,
    /// What the run was for, where it came so far as to say it.
    pub mode: Option<Mode>,
    /// The execution's own error, where it failed.
    pub error: Option<String>,
    /// And its cause.
    pub cause: Option<String>,
    /// What `Conclude` said, where it was reached.
    pub conclusion: Option<Conclusion>,
    /// How a rollout ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Ended>,
    /// Why nothing was rolled out, where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
    /// The kind of that reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
}

impl Finished {
    /// Whether the run came to a good end. A rollout whose turn is over, or that was not needed, has.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.status == "SUCCEEDED"
    }
}

/// Follows an execution to its end, telling each line as it comes, and trouble with AWS. Nothing is lost when this is
/// dropped: the run goes on.
///
/// # Errors
/// Where Step Functions refuses, or cannot be reached for minutes.
pub async fn follow(
    clients: &Clients,
    execution: &str,
    tell: &(dyn Fn(&Line) + Sync),
    trouble: &(dyn Fn(&str) + Sync),
) -> Result<Finished> {
    let (mut story, mut seen, mut pause) = (Story::default(), 0, FIRST_PAUSE);
    loop {
        let events = patiently(trouble, async || history(clients, execution).await).await?;
        let news: Vec<&Event> = events.iter().filter(|event| event.id > seen).collect();
        pause = if news.is_empty() { LONGEST_PAUSE.min(pause.mul_f64(1.5)) } else { FIRST_PAUSE };
        for event in news {
            seen = event.id;
            story.read(event).iter().for_each(tell);
        }
        if story.is_over() {
            let request = clients.sfn().describe_execution().execution_arn(execution);
            let ask = async || request.clone().send().await.during("read execution", execution);
            let found = patiently(trouble, ask).await?;
            let status = found.status().as_str().to_owned();
            return Ok(story.into_finished(execution, &status, (found.error, found.cause)));
        }
        tokio::time::sleep(pause).await;
    }
}

async fn history(clients: &Clients, execution: &str) -> Result<Vec<Event>> {
    let request = clients.sfn().get_execution_history().execution_arn(execution).max_results(PAGE);
    let mut pages = request.into_paginator().send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        events.extend(page.during("read history of", execution)?.events().iter().map(Event::from));
    }
    Ok(events)
}
