//! What a verdict rests on: what runs now. Trouble while looking is no evidence, what comes after the verdict changes nothing of it, and
//! what is remembered of another service counts for none.

use skydeck_sandbox::{Fault, FaultKind, FunctionFault, Image};
use skydeck_tests::rollouts::{Ended, Stage, until};

fn verdict(ended: &Ended) -> String {
    ended.output["verdict"].as_str().map_or_else(|| format!("{ended:#?}"), Into::into)
}

/// Waits for an image as a pipeline does; its exit code.
async fn wait(stage: &Stage, digest: &str) -> Option<i32> {
    let ended = stage.rig.skydeck(["wait", "movie", "--digest", digest, "--timeout", "3m"]).await;
    println!("{}{}", ended.stdout, ended.stderr);
    ended.code
}

/// The next looks of rollouts end with an error that no further attempt mends.
fn blind(stage: &Stage, times: u32) {
    let (function, error, message) = ("skydeck-look".into(), "BadInput".into(), "a bad look".into());
    stage.rig.sandbox.fail_function(FunctionFault { function, error, message, times, after: false }).expect("a fault");
}

fn deny(stage: &Stage, service: &str, action: &str) {
    stage.rig.sandbox.inject(Fault::next(service, action, FaultKind::Deny).from(1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_is_no_failure_and_what_comes_after_a_verdict_changes_nothing_of_it() {
    let stage = Stage::standing().await;

    // As Podman pushes it: the manifest does not say its own media type.
    let first = stage.push("movie", "v1", &Image::new("1").behaving("podman")).await;
    assert_eq!(verdict(&stage.ended(&first.digest).await), "succeeded");

    deny(&stage, "ecr", "PutImage");
    let unkept = stage.push("movie", "v2", &Image::new("2")).await;
    let ended = stage.ended(&unkept.digest).await;
    assert_eq!(verdict(&ended), "succeeded");
    assert!(ended.output["notes"].to_string().contains("AccessDenied"), "{ended:#?}");
    stage.rig.sandbox.clear_faults();

    // Nobody is told, and the verdict stands.
    deny(&stage, "events", "PutEvents");
    let untold = stage.push("movie", "v3", &Image::new("3")).await;
    assert_eq!(wait(&stage, &untold.digest).await, Some(0));
    let bad = stage.push("movie", "v4", &Image::new("4").behaving("crash")).await;
    assert_eq!(wait(&stage, &bad.digest).await, Some(1));
    assert_eq!(stage.serving("movie").await.as_deref(), Some(untold.digest.as_str()));
    stage.rig.sandbox.clear_faults();

    for (tag, looks) in [("v5", 1), ("v6", 4)] {
        blind(&stage, looks);
        let pushed = stage.push("movie", tag, &Image::new(tag)).await;
        assert_eq!(verdict(&stage.ended(&pushed.digest).await), "succeeded", "{looks} bad looks");
    }
    let before = stage.serving("movie").await.expect("it serves");
    blind(&stage, 5);
    let unseen = stage.push("movie", "v7", &Image::new("7")).await;
    let ended = stage.ended(&unseen.digest).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:#?}");
    assert!(ended.cause.as_deref().is_some_and(|cause| cause.contains("which serves")), "{ended:#?}");
    assert_eq!(stage.serving("movie").await, Some(before));
    let told = stage.told();
    let rejected =
        told.iter().find(|event| event["detail"]["digest"] == unseen.digest && event["detail"]["rejected"] == true);
    assert_eq!(rejected, None, "the image is not at fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_of_a_service_that_is_gone_is_no_verdict() {
    let stage = Stage::standing().await;
    let apply = ["apply", "platforms/skyfox.toml"];
    let image = Image::new("1");
    let first = stage.push("movie", "v1", &image).await;
    assert_eq!(wait(&stage, &first.digest).await, Some(0));

    // Scaled to zero by hand: nothing runs, so nothing is verified.
    let scale = async |count: i32| {
        let request = stage.rig.aws.ecs().update_service().cluster("skyfox-devprod").service("movie");
        request.desired_count(count).send().await.expect("the service is there");
    };
    scale(0).await;
    let crash = stage.push("movie", "v2", &Image::new("2").behaving("crash")).await;
    assert_eq!(wait(&stage, &crash.digest).await, Some(1));
    let kinds = stage.kinds("movie");
    assert_eq!(kinds.last().map(String::as_str), Some("Rollout Unverified"), "{kinds:?}");
    // It gets tasks, and nobody takes them for serving: the sweep rolls the image out again, which rejects it.
    scale(2).await;
    stage.sweep().await;
    let tried = stage.endings(&crash.digest, 2).await;
    assert_eq!(tried.last().and_then(|ended| ended.error.as_deref()), Some("RolledBack"), "{tried:#?}");
    let second = stage.push("movie", "v3", &Image::new("3")).await;
    assert_eq!(wait(&stage, &second.digest).await, Some(0));

    // Somebody deletes the service: it comes back with its tasks, and not with an image that is known to be bad.
    let bad = stage.push("movie", "v4", &Image::new("bad").behaving("crash")).await;
    assert_eq!(wait(&stage, &bad.digest).await, Some(1));
    let delete = stage.rig.aws.ecs().delete_service().cluster("skyfox-devprod").service("movie").force(true);
    delete.send().await.expect("the service is there");
    stage.rig.skydeck(apply).await.succeeded();
    let running = async || match stage.serving("movie").await {
        Some(digest) if digest == second.digest => Ok(()),
        other => Err(format!("{other:?} serves")),
    };
    until(running).await;

    // A platform of the same name: its first image is judged by what runs, not by what is remembered.
    stage.rig.skydeck(["destroy", "skyfox-devprod", "--yes"]).await.succeeded();
    stage.rig.skydeck(apply).await.succeeded();
    let bad = stage.push("movie", "v1", &Image::new("4").behaving("crash")).await;
    assert_eq!(wait(&stage, &bad.digest).await, Some(1));
    let again = stage.push("movie", "v2", &image).await;
    assert_eq!(wait(&stage, &again.digest).await, Some(0));
    assert_eq!(stage.serving("movie").await.as_deref(), Some(again.digest.as_str()));
}
