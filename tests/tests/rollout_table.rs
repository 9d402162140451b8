//! A sample of the rollout table, another one each time; the whole of it is a program of its own (docs/rollout-table.md).

use std::time::{SystemTime, UNIX_EPOCH};

use skydeck_tests::table::{Report, all, run, sample};

/// Names the seed of a sample that is to be tried again.
const SEED: &str = "SKYDECK_TABLE_SEED";
const CASES: usize = 8;

#[test]
fn every_rollout_is_told_as_what_it_is() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    println!("{SEED}={seed}");
    let mut report = Report::default();
    run(sample(all(), CASES, seed), 1, |outcome| report.add(outcome));
    assert!(report.failures().is_empty(), "{SEED}={seed}\n{}", report.failures().join("\n"));
    let summary = report.summary();
    assert_eq!((summary.cases, summary.false_success, summary.false_rejection), (CASES, 0, 0), "{SEED}={seed}");
}

#[test]
fn labels_name_one_case_each() {
    let mut names: Vec<String> = all().iter().map(skydeck_tests::table::Case::name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert!(count >= 40 && names.len() == count, "{count} cases, {} names", names.len());
}
