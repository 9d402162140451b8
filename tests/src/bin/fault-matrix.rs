//! Tries every call of a whole provision and destroy, or of rollouts, with everything that can happen to it
//! (docs/fault-matrix.md).

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use skydeck_tests::matrix::{self, At, Case, Moment, Outcome, Report, Surveys};
use skydeck_tests::root;

/// Every call of a whole provision and destroy, or of rollouts, and everything that can happen to it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Goes on where an earlier matrix was ended: what has converged is not tried again.
    #[arg(long)]
    resume: bool,
    /// Only so many cases, drawn evenly from all states and faults.
    #[arg(long)]
    sample: Option<usize>,
    /// Which ones are drawn; by the time of day where it is left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Only cases whose names contain this, such as `apply/network` or `CreateVpc:1/unseen`.
    #[arg(long)]
    only: Option<String>,
    /// Through the real machine, with the functions as processes: best with `--sample`, a case takes some seconds.
    #[arg(long)]
    machine: bool,
    /// Rollouts, always through the real machine.
    #[arg(long, conflicts_with = "machine")]
    rollouts: bool,
    /// How many work at once; as many as there are cores where it is left out, and of rollouts, which mostly wait, four times
    /// as many.
    #[arg(long)]
    workers: Option<usize>,
    /// Prints the figures as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fault-matrix: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> std::io::Result<bool> {
    let started = Instant::now();
    let directory = root().join("target/fault-matrix").join(match (arguments.machine, arguments.rollouts) {
        (true, _) => "machine",
        (_, true) => "rollouts",
        _ => "",
    });
    fs::create_dir_all(&directory)?;
    let kept = directory.join("outcomes.jsonl");
    let mut report = if arguments.resume { read(&kept)? } else { Report::default() };
    let mut file = open(&kept, arguments.resume)?;

    eprintln!("making clean runs, to see which calls there are");
    let work = Work::of(arguments, &report);
    eprintln!("{} cases", work.len());
    let bar = ProgressBar::new(work.len() as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed_precise} (left: {eta}) {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    let mut written = Ok(());
    let tell = |outcome: Outcome| {
        if written.is_ok() {
            written = keep(&mut file, &outcome);
        }
        bar.inc(1);
        if !outcome.converged() {
            let word = if outcome.missed { "its call never came" } else { "not converged" };
            bar.suspend(|| eprintln!("{}: {word}", outcome.case));
        }
        report.add(outcome);
    };
    work.run(arguments, tell);
    written?;
    bar.finish_and_clear();
    let text = told(&report, started.elapsed());
    fs::write(directory.join("report.md"), &text)?;
    let summary = report.summary();
    if arguments.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{text}");
    }
    eprintln!("{} ({})", HumanDuration(started.elapsed()), directory.join("report.md").display());
    Ok(summary.converged == summary.cases)
}

/// What is tried.
enum Work {
    Runs(Surveys, Vec<Case>),
    Real(Vec<Case>),
    Rollouts(Vec<Case<Moment>>),
}

impl Work {
    /// What was asked for and is not in the report yet.
    fn of(arguments: &Arguments, report: &Report) -> Self {
        if arguments.rollouts {
            return Work::Rollouts(chosen(arguments, report, matrix::rollout_cases()));
        }
        let surveys = Surveys::make();
        let mut cases = surveys.cases();
        if arguments.machine {
            cases.retain(|case| !case.blow.lags());
            return Work::Real(chosen(arguments, report, cases));
        }
        let cases = chosen(arguments, report, cases);
        Work::Runs(surveys, cases)
    }

    fn len(&self) -> usize {
        match self {
            Work::Runs(_, cases) | Work::Real(cases) => cases.len(),
            Work::Rollouts(cases) => cases.len(),
        }
    }

    fn run(self, arguments: &Arguments, tell: impl FnMut(Outcome) + Send) {
        let cores = available_parallelism().map_or(2, usize::from);
        match self {
            Work::Runs(surveys, cases) => matrix::run(&surveys, cases, arguments.workers.unwrap_or(cores), tell),
            Work::Real(cases) => matrix::run_real(cases, tell),
            Work::Rollouts(cases) => matrix::run_rollouts(cases, arguments.workers.unwrap_or(4 * cores), tell),
        }
    }
}

/// The cases that were asked for.
fn chosen<A: At>(arguments: &Arguments, report: &Report, mut cases: Vec<Case<A>>) -> Vec<Case<A>> {
    if let Some(part) = &arguments.only {
        cases.retain(|case| case.name().contains(part));
    }
    if let Some(count) = arguments.sample {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let seed = arguments.seed.unwrap_or(now);
        eprintln!("a sample of {count} cases, by --seed {seed}");
        cases = matrix::sample(cases, count, seed);
    }
    cases.retain(|case| !report.has(&case.name()));
    cases
}

fn open(path: &Path, resume: bool) -> std::io::Result<File> {
    OpenOptions::new().create(true).write(true).append(resume).truncate(!resume).open(path)
}

fn keep(file: &mut File, outcome: &Outcome) -> std::io::Result<()> {
    writeln!(file, "{}", serde_json::to_string(outcome)?)
}

/// The outcomes of an earlier matrix; a last line that was cut off is passed over.
fn read(path: &Path) -> std::io::Result<Report> {
    let mut report = Report::default();
    if path.exists() {
        for outcome in fs::read_to_string(path)?.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            report.add(outcome);
        }
    }
    Ok(report)
}

fn told(report: &Report, time: Duration) -> String {
    let summary = report.summary();
    let mut text = format!(
        "{} cases, {} converged, {} duplicates, {} orphans; {} missed, {} succeeded at the first go. {}\n\n\
         Converged:\n\n{}\nSucceeded at the first go:\n\n{}",
        summary.cases,
        summary.converged,
        summary.duplicates,
        summary.orphans,
        summary.missed,
        summary.alone,
        HumanDuration(time),
        report.table(),
        report.table_alone(),
    );
    for failure in report.failures() {
        text += &format!("\n{failure}\n");
    }
    text
}
