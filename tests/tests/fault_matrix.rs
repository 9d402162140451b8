//! Samples of the fault matrix, others each time; the whole of it is a program of its own (docs/fault-matrix.md).

use std::time::{SystemTime, UNIX_EPOCH};

use skydeck_tests::matrix::{Report, Surveys, run, run_sample, sample};

/// Names the seed of a sample that is to be tried again.
const SEED: &str = "SKYDECK_FAULT_SEED";
const CASES: usize = 40;
/// A rollout takes some seconds.
const ROLLOUTS: usize = 8;

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    println!("{SEED}={seed}");
    seed
}

/// So many cases were tried, and all of them converged.
fn converged(report: &Report, cases: usize, seed: u64) {
    assert!(report.failures().is_empty(), "{SEED}={seed}\n{}", report.failures().join("\n"));
    let summary = report.summary();
    assert_eq!((summary.cases, summary.converged, summary.missed), (cases, cases, 0), "{SEED}={seed}");
}

#[test]
fn after_anything_that_happens_to_any_call_the_same_command_again_converges() {
    let (seed, surveys, mut report) = (seed(), Surveys::make(), Report::default());
    run(&surveys, sample(surveys.cases(), CASES, seed), 2, |outcome| report.add(outcome));
    converged(&report, CASES, seed);
}

#[test]
fn after_anything_that_happens_to_any_call_of_a_rollout_it_is_told_as_what_it_is() {
    let (seed, mut report) = (seed(), Report::default());
    run_sample(ROLLOUTS, seed, 4, |outcome| report.add(outcome));
    converged(&report, ROLLOUTS, seed);
}
