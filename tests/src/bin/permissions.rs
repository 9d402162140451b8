//! What the functions' roles are seen doing, and whether a right that is taken away is missed (docs/permissions.md).

use std::fs;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use skydeck_tests::permissions::{self, Pairs, SPEED};
use skydeck_tests::rollouts::Stage;
use skydeck_tests::{Rig, root};

/// What the functions' roles are seen doing, and whether a right that is taken away is missed.
#[derive(Debug, Parser)]
struct Arguments {
    /// Takes so many rights away, one after the other, and looks whether that is noticed.
    #[arg(long)]
    removals: Option<usize>,
    /// Chooses them; the time where it is left out.
    #[arg(long, requires = "removals")]
    seed: Option<u64>,
    /// Writes what this life, and all runs whose notes lie in `target/permissions`, have shown into the sources.
    #[arg(long, conflicts_with = "removals")]
    write: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let good = match arguments.removals {
        Some(count) => removals(count, arguments.seed).await,
        None => Box::pin(seen(arguments.write)).await,
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn removals(count: usize, seed: Option<u64>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = seed.unwrap_or(now);
    let mut missed = 0;
    for pair in permissions::draw(count, seed) {
        let noticed = Box::pin(permissions::removed(&pair)).await;
        missed += usize::from(!noticed);
        println!("{}: {} without {}", if noticed { "noticed" } else { "NOT NOTICED" }, pair.0, pair.1);
    }
    println!("{count} rights taken away, {missed} not noticed (seed {seed})");
    missed == 0
}

/// Leads the usual life of a platform, and compares what was seen in it, and in all runs whose notes are there, with the list.
async fn seen(write: bool) -> bool {
    let stage = Stage::of(Rig::installed_at(Some(SPEED)).await).await;
    stage.rig.sandbox.forgive();
    if let Err(error) = Box::pin(permissions::life(&stage)).await {
        eprintln!("{error}");
        return false;
    }
    let usual = permissions::asked(&stage.rig.sandbox, true);
    let mut wrong = permissions::wrong(&stage.rig.sandbox);
    drop(stage);
    let Ok(noted) = permissions::noted() else { return false };
    let all: Pairs = noted.union(&usual).cloned().collect();
    println!("{} pairs of function and action seen, {} of them in the usual life", all.len(), usual.len());
    if write {
        let path = root().join("tests/src/permissions/seen.tsv");
        if let Err(error) = fs::write(&path, permissions::list(&all, &usual)) {
            wrong.push(format!("{}: {error}", path.display()));
        }
    } else {
        let kept = permissions::seen();
        let told = |what: &str, (function, action): &(String, String)| format!("{what}: {function} {action}");
        wrong.extend(all.difference(&kept).map(|pair| told("seen, and not in the list", pair)));
        wrong.extend(kept.difference(&all).map(|pair| told("in the list, and not seen", pair)));
    }
    wrong.iter().for_each(|line| println!("{line}"));
    wrong.is_empty()
}
