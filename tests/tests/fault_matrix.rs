//! A sample of the fault matrix, another one each time; the whole of it is a program of its own (docs/fault-matrix.md).

use std::time::{SystemTime, UNIX_EPOCH};

use skydeck_tests::matrix::{Report, Surveys, run, sample};

/// Names the seed of a sample that is to be tried again.
const SEED: &str = "SKYDECK_FAULT_SEED";
const CASES: usize = 40;

#[test]
fn after_anything_that_happens_to_any_call_the_same_command_again_converges() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    println!("{SEED}={seed}");
    let surveys = Surveys::make();
    let mut report = Report::default();
    run(&surveys, sample(surveys.cases(), CASES, seed), 2, |outcome| report.add(outcome));
    let summary = report.summary();
    assert!(report.failures().is_empty(), "{SEED}={seed}\n{}", report.failures().join("\n"));
    assert_eq!((summary.cases, summary.converged, summary.missed), (CASES, CASES, 0), "{SEED}={seed}");
}
