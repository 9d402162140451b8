//! Functions of a new or busy account, which are refused, or die: every state tries again, and nothing is called failed by it.

use std::time::{SystemTime, UNIX_EPOCH};

use skydeck_aws::function::FUNCTIONS;
use skydeck_core::run::ROLLOUTS_AT_ONCE;
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

/// As many as a small team has, and more than functions may run at once.
const SERVICES: usize = 12;

fn many_services(greeting: &str) -> String {
    let head = "[platform]\nname = \"many\"\nenvironment = \"dev\"\nregion = \"ap-south-1\"\n[cluster.instances]\nmax = 8\n\
                [load-balancers.public]\nscheme = \"internet-facing\"\n";
    let service = |at: usize| {
        format!(
            "[services.s{at}]\nport = {}\ncpu = 64\nmemory = 64\npath = \"/s{at}*\"\npriority = {}\nhealth = {{ path = \"/\" }}\n\
             [services.s{at}.environment]\nGREETING = \"{greeting}\"\n",
            9000 + at,
            100 + at
        )
    };
    head.to_owned() + &(1..=SERVICES).map(service).collect::<String>()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_services_than_functions_at_once_all_get_their_first_image_and_a_change() {
    let rig = Rig::installed().await;
    let path = rig.sandbox.dir().join("many.toml");
    let write = |greeting| std::fs::write(&path, many_services(greeting)).expect("a file");
    let apply = [String::from("apply"), path.display().to_string()];
    write("hello");
    rig.skydeck(&apply).await.succeeded();
    let stage = Stage { rig };
    // All at once, as a pipeline of one repository pushes them.
    let pushes = (1..=SERVICES).map(|at| {
        let (stage, name) = (&stage, format!("many-dev-s{at}"));
        async move { stage.rig.sandbox.push(&name, "v1", &Image::new(&name)).await.expect("a repository").digest }
    });
    for digest in futures::future::join_all(pushes).await {
        assert_eq!(verdict(&stage.ended(&digest).await), "succeeded");
    }

    write("good day");
    stage.rig.skydeck(&apply).await.succeeded();
    let runs = stage.spans("configuration").await;
    assert_eq!(runs.len(), SERVICES);
    let most = runs.iter().map(|(begun, _)| runs.iter().filter(|(from, to)| from <= begun && begun < to).count()).max();
    assert!(most <= Some(ROLLOUTS_AT_ONCE), "{most:?} rollouts at once");
    assert!(most > Some(1), "rollouts go on side by side");
}
