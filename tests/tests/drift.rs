//! A sample of the drift matrix, another one each day; `cargo run --bin drift-matrix` runs all of it.

use std::time::{SystemTime, UNIX_EPOCH};

use skydeck_core::run::Layer;
use skydeck_tests::drift::{Options, run};

/// Of each layer.
const SAMPLE: usize = 6;
/// One sample a day.
const DAY: u64 = 24 * 60 * 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_of_what_the_platform_file_determines_is_found_repaired_and_not_found_again() {
    let day = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() / DAY;
    let seed = std::env::var("DRIFT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(day);
    println!("DRIFT_SEED={seed}");
    let options = Options { sample: Some(SAMPLE), seed, ..Options::default() };
    let report = run(&options, &|line| println!("{line}")).await;
    assert!(report.is_good(), "with DRIFT_SEED={seed}: {:#?}", report.failures);
    assert_eq!(report.attributes, SAMPLE * Layer::ALL.len(), "{report:#?}");
    // Every exception still is about something, or it would hide what comes in its place one day.
    let unused = report.unused_exceptions();
    assert!(unused.is_empty(), "{unused:?}");
}
