//! Changes everything that the platform file determines behind skydeck's back, one thing at a time: each must be found by a
//! plan, repaired by an apply, and not be found again.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use skydeck_core::run::Layer;
use skydeck_tests::drift::{Options, run};

/// The drift matrix, in a sandbox of its own.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print one JSON document; progress goes to standard error
    #[arg(long)]
    json: bool,
    /// Only this layer; can be repeated
    #[arg(long, value_parser = layer)]
    layer: Vec<Layer>,
    /// Only so many attributes of each layer
    #[arg(long)]
    sample: Option<usize>,
    /// What chooses the sample
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also list what is excepted, with the reasons
    #[arg(long)]
    exceptions: bool,
}

fn layer(text: &str) -> Result<Layer, String> {
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    Layer::deserialize(name).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options { layers: arguments.layer, sample: arguments.sample, seed: arguments.seed };
    let live = std::io::stderr().is_terminal();
    let tell = |line: &str| {
        let mut out = std::io::stderr().lock();
        // Progress that nobody can see is no reason to stop.
        let _ = if live { write!(out, "\r\x1b[K{line}") } else { writeln!(out, "{line}") };
    };
    let report = run(&options, &tell).await;
    if live {
        eprintln!();
    }
    if arguments.json {
        match serde_json::to_string_pretty(&report) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("{error}"),
        }
    } else {
        if arguments.exceptions {
            report
                .exceptions
                .iter()
                .for_each(|told| println!("excepted  {} {}: {}", told.layer, told.spot, told.reason));
        }
        report.failures.iter().for_each(|told| println!("FAILED    {} {}: {}", told.layer, told.spot, told.what));
        println!(
            "{} attributes changed, {} found, {} repaired; {} excepted, {} failures",
            report.attributes,
            report.found,
            report.repaired,
            report.exceptions.len(),
            report.failures.len()
        );
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
