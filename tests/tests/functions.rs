//! Functions of a new or busy account, which are refused, or die: every state tries again, and nothing is called failed by it.

use std::time::{SystemTime, UNIX_EPOCH};

use skydeck_aws::function::FUNCTIONS;
use skydeck_sandbox::{FunctionFault, Image};
use skydeck_tests::Rig;
use skydeck_tests::rollouts::{Ended, Stage};

/// Names the seed of a choice that is to be tried again.
const SEED: &str = "FUNCTIONS_SEED";
/// What an invocation may end with though nothing is wrong with skydeck, as Step Functions names it.
const PASSING: [&str; 16] = [
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.Timeout",
    "Lambda.Unknown",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.ResourceNotReadyException",
    "Lambda.ResourceConflictException",
    "Lambda.CodeArtifactUserPendingException",
    "Lambda.EC2ThrottledException",
    "Lambda.EC2UnexpectedException",
    "Lambda.ENINotReadyException",
    "Lambda.ENILimitReachedException",
];
/// An idle function in a VPC was seen to be refused for up to 106 seconds: eleven attempts, each ten seconds after the one before.
const IDLE: u32 = 11;

/// Lets each function's next two invocations fail, each by an error that the seed chooses: before its work and after it.
fn disturb(rig: &Rig, seed: usize) {
    for (at, function) in FUNCTIONS.iter().enumerate() {
        for (after, shift) in [(false, 0), (true, 7)] {
            let error = PASSING[(seed + at + shift) % PASSING.len()];
            fail(rig, &format!("skydeck-{}", function.name), (error, 1, after));
        }
    }
}

fn fail(rig: &Rig, function: &str, (error, times, after): (&str, u32, bool)) {
    let (function, error, message) = (function.into(), error.into(), "an invocation that failed".into());
    rig.sandbox.fail_function(FunctionFault { function, error, message, times, after }).expect("a fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_die_or_are_refused_make_no_run_fail() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(now as usize % 1000);
    println!("{SEED}={seed}");
    let stage = Stage::standing().await;
    let rig = &stage.rig;

    disturb(rig, seed);
    fail(rig, "skyfox-devprod-probe", ("Lambda.CodeArtifactUserPendingException", IDLE, false));
    let pushed = stage.push("movie", "v1", &Image::new("1")).await;
    assert_eq!(verdict(&stage.ended(&pushed.digest).await), "succeeded", "{SEED}={seed}");

    disturb(rig, seed + 1);
    rig.skydeck(["apply", "platforms/skyfox.toml"]).await.succeeded();

    disturb(rig, seed + 2);
    let bad = stage.push("movie", "v2", &Image::new("2").behaving("crash")).await;
    let ended = stage.ended(&bad.digest).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{SEED}={seed} {ended:#?}");
    assert_eq!(stage.serving("movie").await.as_deref(), Some(pushed.digest.as_str()), "{SEED}={seed}");

    disturb(rig, seed + 3);
    rig.skydeck(["destroy", "skyfox-devprod", "--yes"]).await.succeeded();
}

fn verdict(ended: &Ended) -> String {
    ended.output["verdict"].as_str().map_or_else(|| format!("{ended:#?}"), Into::into)
}
