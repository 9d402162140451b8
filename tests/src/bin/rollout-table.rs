//! Labelled rollouts from end to end, and whether each is told as what it is (docs/rollout-table.md).

use std::fs;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use skydeck_tests::root;
use skydeck_tests::table::{self, Case, Report};

/// Labelled rollouts from end to end, and whether each is told as what it is.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only cases whose names contain this, such as `events` or `crash-later`.
    #[arg(long)]
    only: Option<String>,
    /// How many platforms work at once; as many as there are cores where it is left out.
    #[arg(long)]
    workers: Option<usize>,
    /// Prints the figures as JSON; seconds are AWS's.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rollout-table: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> std::io::Result<bool> {
    let started = Instant::now();
    let mut cases = table::all();
    if let Some(part) = &arguments.only {
        cases.retain(|case| case.name().contains(part));
    }
    let workers = arguments.workers.unwrap_or_else(|| available_parallelism().map_or(2, usize::from));
    let bar = ProgressBar::new(cases.len() as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed_precise} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    let report = tried(cases, workers, &bar);
    bar.finish_and_clear();
    let text = told(&report, started.elapsed());
    let path = root().join("target/rollout-table.md");
    fs::write(&path, &text)?;
    let summary = report.summary();
    if arguments.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{text}");
    }
    for failure in report.failures() {
        eprintln!("{failure}\n");
    }
    eprintln!("{} ({})", HumanDuration(started.elapsed()), path.display());
    Ok(summary.cases > 0 && summary.failed == 0 && summary.false_success == 0 && summary.false_rejection == 0)
}

fn tried(cases: Vec<Case>, workers: usize, bar: &ProgressBar) -> Report {
    let mut report = Report::default();
    table::run(cases, workers, |outcome| {
        bar.inc(1);
        bar.set_message(outcome.case.clone());
        if !outcome.wrong.is_empty() {
            bar.suspend(|| eprintln!("{}: not as the label says", outcome.case));
        }
        report.add(outcome);
    });
    report
}

fn told(report: &Report, time: Duration) -> String {
    let summary = report.summary();
    format!(
        "{} cases, {} not as their labels say; {} rollouts: {} false successes, {} false rejections, {} seconds of AWS to the \
         verdict in the median. {}\n\n{}\n{}",
        summary.cases,
        summary.failed,
        summary.rollouts,
        summary.false_success,
        summary.false_rejection,
        summary.median_verdict_seconds,
        HumanDuration(time),
        report.matrix(),
        report.kinds(),
    )
}
