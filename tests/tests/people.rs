//! What people and pipelines do with rollouts, by the command alone: roll out, wait, roll back, suspend, resume, look back.

use std::process::Stdio;

use serde_json::Value;
use skydeck_sandbox::Image;
use skydeck_tests::Rig;
use skydeck_tests::secret::give_skyfox;

/// A movie service that runs its first image; returns its digest.
async fn serving() -> (Rig, String) {
    let rig = Rig::installed().await;
    give_skyfox(&rig.aws).await;
    rig.skydeck(["apply", "platforms/skyfox.toml", "--json"]).await.succeeded();
    let first = push(&rig, "v1.0.0", "healthy").await;
    assert_eq!(wait(&rig, &first).await, (Some(0), "succeeded".into()));
    (rig, first)
}

async fn push(rig: &Rig, tag: &str, behaves: &str) -> String {
    let image = Image::new(tag).behaving(behaves);
    rig.sandbox.push("skyfox-devprod-movie-service", tag, &image).await.expect("the repository is there").digest
}

/// Exit code and outcome.
async fn wait(rig: &Rig, digest: &str) -> (Option<i32>, String) {
    let ended = rig.skydeck(["wait", "movie", "--digest", digest, "--timeout", "5m", "--json"]).await;
    (ended.code, ended.json()["outcome"].as_str().unwrap_or_default().to_owned())
}

async fn rollouts(rig: &Rig) -> Value {
    rig.skydeck(["rollouts", "movie", "--json"]).await.succeeded().json()
}

/// Digest of the image that the service's task definition pins.
async fn runs(rig: &Rig) -> String {
    let services = rig.aws.ecs().describe_services().cluster("skyfox-devprod").services("movie").send().await;
    let services = services.expect("the service");
    let definition = services.services()[0].task_definition().expect("a task definition");
    let found = rig.aws.ecs().describe_task_definition().task_definition(definition).send().await.expect("it");
    let image = found.task_definition().expect("it").container_definitions()[0].image().expect("an image").to_owned();
    image.split_once('@').expect("a digest").1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_learns_what_became_of_its_push_and_a_person_decides_otherwise() {
    let (rig, first) = serving().await;
    let bad = push(&rig, "v1.1.0", "crash").await;
    // Without the algorithm, as some tools print it.
    assert_eq!(wait(&rig, bad.trim_start_matches("sha256:")).await, (Some(1), "rolled_back".into()));
    assert_eq!(runs(&rig).await, first);
    let board = rollouts(&rig).await;
    let told = |row: usize, key: &str| board["rollouts"][row][key].clone();
    assert_eq!(
        (told(0, "verdict"), told(0, "rejected"), told(0, "tag")),
        ("rolled_back".into(), true.into(), "v1.1.0".into())
    );
    assert_eq!(
        (told(1, "verdict"), told(1, "digest"), told(1, "cause")),
        ("succeeded".into(), first.into(), "push".into())
    );
    assert!(told(0, "reason").as_str().is_some_and(|reason| reason.contains("does not serve")), "{board:#}");
    assert_eq!((&board["running"], &board["suspended"]), (&Value::Array(Vec::new()), &Value::Array(Vec::new())));

    // The first verdict stands until a person wants another.
    assert_eq!(wait(&rig, &bad).await.0, Some(1));
    let again = rig.skydeck(["rollout", "movie", "--image", "v1.1.0"]).await;
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(again.stdout.contains("was rejected before") && again.stdout.contains("Rollout rolled back"), "{again:#?}");

    unread(&rig, &["rollouts"]).await;
    let tag = rig.skydeck(["wait", "movie", "--digest", "v1.1.0"]).await;
    assert_eq!(tag.code, Some(4), "{tag:#?}");
    let unknown = rig.skydeck(["wait", "movie", "--digest", &"0f".repeat(32), "--timeout", "1s", "--json"]).await;
    assert_eq!((unknown.code, unknown.json()["outcome"].clone()), (Some(3), "timed_out".into()));
    rig.skydeck(["destroy", "skyfox-devprod", "--yes"]).await.succeeded();
}

/// Whoever reads the output may go, as `head` does: the command ends without a word.
async fn unread(rig: &Rig, arguments: &[&str]) {
    let mut command = rig.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("skydeck can be started");
    drop(child.stdout.take());
    let ended = child.wait_with_output().await.expect("it ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(141), ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_rolls_back_and_out_and_holds_pushes_off() {
    let (rig, first) = serving().await;
    rig.skydeck(["suspend", "movie", "--reason", "opening night"]).await.succeeded();
    let second = push(&rig, "v1.1.0", "healthy").await;
    ignored(&rig, &second).await;
    assert_eq!(runs(&rig).await, first, "the push is held");
    assert_eq!(rollouts(&rig).await["suspended"][0]["reason"], "opening night");

    let resumed = rig.skydeck(["resume", "movie", "--json"]).await.succeeded().json();
    assert_eq!(resumed["was_suspended"], true);
    let done = rig.skydeck(["rollout", "movie", "--json"]).await.succeeded().json();
    assert_eq!((&done["rollout"]["verdict"], &done["rollout"]["cause"]), (&"succeeded".into(), &"person".into()));
    assert_eq!(runs(&rig).await, second, "what was pushed meanwhile is the policy's");

    let back = rig.skydeck(["rollback", "movie"]).await.succeeded();
    assert!(back.stdout.contains("which is rejected from now on"), "{}", back.stdout);
    assert_eq!(runs(&rig).await, first);
    assert_eq!(wait(&rig, &second).await, (Some(1), "rolled_back".into()));
    assert_eq!(wait(&rig, &first).await, (Some(0), "succeeded".into()));

    let out = rig.skydeck(["rollout", "movie", "--image", &second]).await.succeeded();
    assert!(out.stdout.contains("was rejected before: a person rolled back from it"), "{}", out.stdout);
    assert_eq!(runs(&rig).await, second);
    assert_eq!(wait(&rig, &second).await, (Some(0), "succeeded".into()), "a success ends the rejection");

    let again = rig.skydeck(["rollout", "movie", "--image", &second, "--json"]).await.succeeded().json();
    assert_eq!(again["kind"], "already_running", "{again:#}");
    let missing = rig.skydeck(["rollout", "movie", "--image", "nosuch"]).await;
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    assert!(missing.stdout.contains("nosuch is not in the repository"), "{missing:#?}");
    rig.skydeck(["destroy", "skyfox-devprod", "--yes"]).await.succeeded();
}

/// Waits until the execution that the push has started is over: nothing is to be done.
async fn ignored(rig: &Rig, digest: &str) {
    let machine = "arn:aws:states:ap-south-1:000000000000:stateMachine:skydeck-rollout";
    let ended = async {
        loop {
            let found = rig.aws.sfn().list_executions().state_machine_arn(machine).send().await.expect("executions");
            for item in found.executions() {
                let described = rig.aws.sfn().describe_execution().execution_arn(item.execution_arn());
                let described = described.send().await.expect("an execution");
                let is_its = described.input().is_some_and(|input| input.contains(digest));
                if let Some(output) = described.output().filter(|output| is_its && output.contains("suspended")) {
                    return output.to_owned();
                }
            }
        }
    };
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.expect("the event comes");
    let said: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(said["reason"], "the service is suspended: opening night", "{said:#}");
    assert_eq!((&said["decision"], &said["kind"]), (&"ignored".into(), &"suspended".into()));
}
