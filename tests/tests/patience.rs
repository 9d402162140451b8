//! Whoever waits for minutes survives minutes of trouble with AWS, and says so; what lasts is told at once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use skydeck_sandbox::{Fault, FaultKind};
use skydeck_tests::rollouts::Stage;
use skydeck_tests::{Ended, Rig};

const COMMAND: &str = "skydeck-command";

/// Waits for an image of which nothing is known, for so many seconds.
async fn wait(rig: &Rig, seconds: u64) -> Ended {
    let digest = format!("sha256:{}", "0f".repeat(32));
    let timeout = format!("{seconds}s");
    rig.skydeck(["wait", "movie", "--platform", "skyfox-devprod", "--digest", &digest, "--timeout", &timeout]).await
}

fn told(ended: &Ended) -> String {
    format!("{}{}", ended.stdout, ended.stderr)
}

#[tokio::test]
async fn a_wait_survives_trouble_and_tells_what_lasts_at_once() {
    let stage = Stage::standing().await;
    let rig = &stage.rig;

    // Throttled, then without a connection, each for longer than the SDK itself tries: STS before S3.
    for (service, kind) in [("sts", FaultKind::Refuse), ("s3", FaultKind::Throttle), ("s3", FaultKind::Refuse)] {
        rig.sandbox.inject(Fault::next(service, "*", kind).by(COMMAND).from(1, 7));
        let ended = wait(rig, 12).await;
        rig.sandbox.clear_faults();
        assert_eq!(ended.code, Some(3), "{service}: {ended:#?}");
        assert!(told(&ended).contains("Trying again, for 5 minutes at most"), "{service}: {ended:#?}");
    }

    // A denial is no trouble that passes.
    rig.sandbox.inject(Fault::next("s3", "GetObject", FaultKind::Deny).by(COMMAND).from(1, 0));
    let limited = tokio::time::timeout(Duration::from_secs(60), wait(rig, 600)).await.unwrap();
    rig.sandbox.clear_faults();
    assert_eq!(limited.code, Some(4), "{limited:#?}");
    assert!(!told(&limited).contains("Trying again"), "{limited:#?}");

    // Another region than that of the installation is said to be one.
    for verb in [&["status"][..], &["rollouts"], &["wait", "movie", "--digest", &"0f".repeat(32)]] {
        let output = rig.command(verb).env("AWS_REGION", "eu-west-1").env("AWS_DEFAULT_REGION", "eu-west-1").output();
        let text = String::from_utf8(output.await.unwrap().stderr).unwrap().replace("\n  │ ", " ");
        assert!(text.contains("not installed in eu-west-1"), "{verb:?}: {text}");
        assert!(text.contains("it is installed in ap-south-1"), "{verb:?}: {text}");
    }
}
