//! Builds the functions for ARM64 as they are deployed, and runs them by an emulator of its processor (docs/arm64.md).

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use skydeck_tests::arm64::{self, Step};

/// Builds the functions for ARM64 as they are deployed, and runs them by an emulator of its processor.
///
/// Each gets a good event, bad ones and a panic. The toolchain is fetched from Debian and PyPI into target/arm64; nothing is
/// installed. Ends with 1 where a function fails, or its zip is larger than 6 MB.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this function, such as `probe`; can be repeated. All of them take an hour to build
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Prints the figures as JSON; progress goes to standard error
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> miette::Result<bool> {
    let started = Instant::now();
    let bar = ProgressBar::hidden();
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed_precise} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let tell = |step: Step<'_>| match step {
        Step::Begins(text) => {
            // What comes now has a progress of its own.
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
            eprintln!("{text}");
        }
        Step::Tries(count) => {
            bar.set_length(count as u64);
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Step::Tried(name) => {
            bar.set_message(name.to_owned());
            bar.inc(1);
        }
    };
    let report = arm64::run(&arguments.only, &tell).await?;
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", serde_json::to_string(&report).map_err(|error| miette::miette!("the figures: {error}"))?);
    } else {
        print!("{}", report.table());
    }
    for failure in &report.failures {
        eprintln!("{failure:?}");
    }
    eprintln!("{}", HumanDuration(started.elapsed()));
    Ok(report.is_good())
}
