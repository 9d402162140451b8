//! The probe, built for ARM64 and run by an emulator; `cargo run -p skydeck-tests --bin arm64` does the same with all functions.

use skydeck_tests::arm64::{Step, ZIP_LIMIT, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probe_runs_on_arm64() {
    let tell = |step: Step<'_>| {
        if let Step::Begins(text) = step {
            println!("{text}");
        }
    };
    let report = run(&["probe".into()], &tell).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(report.is_good(), "{:?}", report.failures);
    let [probe] = &report.functions[..] else { panic!("one function: {report:#?}") };
    assert!(probe.name == "probe" && probe.zip_bytes <= ZIP_LIMIT, "{probe:?}");
    assert!(probe.cold_ms.is_some() && probe.rss_mb.is_some(), "{probe:?}");
}
