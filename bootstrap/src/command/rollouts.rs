//! `skydeck rollouts`.

use std::cmp::Reverse;

use console::Style;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use skydeck_aws::rollout::people::{self, Going};
use skydeck_core::rollout::image;
use skydeck_core::rollout::ledger::{Entry, Past, Verdict};
use skydeck_core::rollout::record::{Phase, Suspended};
use skydeck_core::rollout::trigger::Cause;

use super::site::{Site, told};
use crate::cli::Rollouts;
use crate::context::Context;
use crate::error::Ending;
use crate::run::{installed, unix_now};

/// How many ledgers are read side by side.
const AT_ONCE: usize = 4;

/// All that is shown.
#[derive(Debug, Default, Serialize)]
struct Board {
    platform: String,
    running: Vec<Going>,
    suspended: Vec<Held>,
    rollouts: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Held {
    service: String,
    #[serde(flatten)]
    suspended: Suspended,
}

/// A rollout that has ended.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    digest: String,
    tag: Option<String>,
    verdict: Verdict,
    cause: Cause,
    /// When it began, in milliseconds since 1970.
    began: i64,
    /// When it ended.
    ended: i64,
    seconds: f64,
    reason: String,
    /// Whether the image is rejected now.
    rejected: bool,
    /// Whether it was of another service of the same name, which was deleted since.
    earlier: bool,
    execution: String,
}

pub(super) async fn run(context: &Context, options: &Rollouts) -> miette::Result<Ending> {
    let site = Site::find(context, options.platform.as_deref()).await?;
    let (backend, machine, platform) = (&site.backend, &site.machine, &site.platform);
    let services = people::services(backend, machine, platform, options.service.as_deref()).await.map_err(told)?;
    let mut board = Board { platform: platform.clone(), ..Board::default() };
    let records = people::records(backend, platform, &services).await.map_err(installed)?;
    let entries = services.iter().map(|service| people::ledger(backend, site.keys(service), options.limit));
    let entries: Vec<Vec<Entry>> = stream::iter(entries).buffered(AT_ONCE).try_collect().await.map_err(installed)?;
    for ((service, record), entries) in records.iter().zip(entries) {
        board.rollouts.extend(rows(service, record.made(), entries));
        if let Some(suspended) = record.suspended.clone() {
            board.suspended.push(Held { service: service.clone(), suspended });
        }
    }
    board.rollouts.sort_by_key(|row| Reverse(row.ended));
    board.rollouts.truncate(options.limit);
    board.running = people::going(backend, machine, platform, &records).await.map_err(installed)?;
    board.running.retain(|going| records.iter().any(|(service, _)| *service == going.service));
    if !context.terminal.json() {
        let command = context.invocation();
        lines(&board, unix_now(), &command, &context.terminal.style())
            .iter()
            .for_each(|line| context.terminal.say(line));
    }
    context.terminal.document(&board)?;
    Ok(Ending::Done)
}

/// `made` is when the service was made that is there now.
fn rows(service: &str, made: i64, entries: Vec<Entry>) -> Vec<Row> {
    let row = |past: Past, digest: &str, rejected: bool| Row {
        service: service.to_owned(),
        digest: digest.to_owned(),
        tag: past.tag,
        verdict: past.verdict,
        cause: past.cause,
        began: past.began,
        ended: past.ended,
        // A rollout takes minutes; milliseconds fit.
        seconds: (past.ended - past.began).max(0) as f64 / 1000.0,
        reason: past.reason,
        rejected,
        earlier: past.ended < made,
        execution: past.execution,
    };
    let of = |entry: Entry| {
        let (digest, rejected) = (entry.digest, entry.rejected.is_some());
        entry.rollouts.into_iter().map(|past| row(past, &digest, rejected)).collect::<Vec<_>>()
    };
    entries.into_iter().flat_map(of).collect()
}

/// What a person reads: what goes on first, then the newest.
fn lines(board: &Board, now: f64, command: &str, style: &Style) -> Vec<String> {
    let service = board.running.iter().map(|going| going.service.as_str());
    let service = service.chain(board.rollouts.iter().map(|row| row.service.as_str()));
    let width = service.map(str::len).max().unwrap_or_default();
    let mut lines = Vec::new();
    for going in &board.running {
        let name = going.image.as_deref().map_or("what the policy wants".into(), |name| image::name(name, None));
        let (word, since) = match (going.started, &going.given_up) {
            (Some(started), _) => (style.clone().cyan().apply_to("running    "), now - started as f64 / 1000.0),
            (None, Some(_)) => (style.clone().red().apply_to("given up   "), 0.0),
            (None, None) => (style.clone().red().apply_to("died       "), 0.0),
        };
        let phase = phase(going);
        lines.push(format!(
            "  {word}  {}  {:<width$}  {:>7.1} s  {:<13}  {name}, {phase}",
            time(going.started),
            going.service,
            since.max(0.0),
            going.cause.to_string()
        ));
        lines.extend(going.given_up.iter().map(|why| format!("               {why}")));
    }
    for row in &board.rollouts {
        let style = match row.verdict {
            Verdict::Succeeded => style.clone().green(),
            Verdict::Superseded | Verdict::Unverified => style.clone().yellow(),
            Verdict::RolledBack | Verdict::Refused => style.clone().red(),
        };
        let word = style.apply_to(format!("{:<11}", row.verdict.words()));
        let (name, rejected) =
            (image::name(&row.digest, row.tag.as_deref()), if row.rejected { ", rejected" } else { "" });
        let earlier = if row.earlier { ", before this service was made" } else { "" };
        lines.push(format!(
            "  {word}  {}  {:<width$}  {:>7.1} s  {:<13}  {name}{rejected}{earlier}",
            time(Some(row.ended)),
            row.service,
            row.seconds,
            row.cause.to_string()
        ));
        if !row.reason.is_empty() {
            lines.push(format!("               {}", row.reason));
        }
    }
    if lines.is_empty() {
        lines.push("There was no rollout yet.".into());
    }
    for going in board.running.iter().filter(|going| going.started.is_some()) {
        lines.push(format!("Follow it with `{command} follow {}`", going.execution));
    }
    for Held { service, suspended } in &board.suspended {
        let why = if suspended.reason.is_empty() { String::new() } else { format!(": {}", suspended.reason) };
        lines.push(format!(
            "Service {service} is suspended since {}{why}. `{command} resume {service}` ends that.",
            time(Some(suspended.at))
        ));
    }
    lines
}

fn phase(going: &Going) -> &'static str {
    match (going.started, going.phase) {
        (None, _) if going.given_up.is_some() => "with which nobody goes on",
        (None, _) => "which the sweep will take back",
        (Some(_), None) => "being decided, or waiting for another",
        (Some(_), Some(Phase::Releasing)) => "being released",
        (Some(_), Some(Phase::Verifying)) => "being verified",
        (Some(_), Some(Phase::RollingBack)) => "being rolled back",
        (Some(_), Some(Phase::Returning)) => "rolled back, and what was before it being verified",
    }
}

fn time(at: Option<i64>) -> String {
    let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map_or(format!("{:<20}", "-"), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_772_366_400_000;

    fn past(execution: &str, ended: i64, verdict: Verdict, reason: &str) -> Past {
        Past {
            execution: execution.into(),
            cause: Cause::Push,
            tag: Some("v2".into()),
            definition: None,
            began: ended - 31_200,
            ended,
            verdict,
            reason: reason.into(),
            checks: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_board_is_told_newest_first_with_what_goes_on_above_and_what_is_held_below() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let rollouts = vec![
            past("b", AT, Verdict::RolledBack, "image v2 of service movie does not serve: it crashed"),
            past("a", AT - 60_000, Verdict::Succeeded, ""),
        ];
        let going = |phase, started| Going {
            execution: "arn".into(),
            service: "payment".into(),
            cause: Cause::Person,
            image: Some("v3".into()),
            phase,
            started,
            given_up: None,
        };
        let abandoned = Going { given_up: Some("rollout x ended without saying how".into()), ..going(None, None) };
        let suspended = Suspended { at: AT, reason: "opening night".into() };
        let board = Board {
            platform: "skyfox-devprod".into(),
            running: vec![going(Some(Phase::Verifying), Some(AT)), going(None, None), abandoned],
            suspended: vec![Held { service: "movie".into(), suspended }],
            rollouts: rows("movie", AT - 30_000, vec![Entry { digest, rejected: None, rollouts }]),
        };
        let plain = Style::new().force_styling(false);
        insta::assert_snapshot!("board", lines(&board, AT as f64 / 1000.0 + 12.5, "skydeck", &plain).join("\n"));
        let empty = lines(&Board::default(), 0.0, "skydeck", &plain);
        assert_eq!(empty, ["There was no rollout yet."]);
    }
}
