//! What counts as an image, and which processor it is for, through the real state machine.

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;
use skydeck_sandbox::Image;
use skydeck_tests::rollouts::{Stage, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_image_is_never_deployed_and_hides_none() {
    let stage = Stage::standing().await;
    let first = stage.push("movie", "v1", &Image::new("1")).await;
    let ended = stage.ended(&first.digest).await;
    assert_eq!(ended.output["verdict"], "succeeded", "{ended:#?}");
    stage.quiet().await;
    // One push of an index, of its image and of its attestation, and the tag that keeps it: one execution.
    assert_eq!(started(&stage).await, 1);

    for what in ["signature", "attestation", "chart", "referrer"] {
        let other = stage.push("movie", &format!("sha256-{what}"), &Image::new(what).behaving(what)).await;
        never(&stage, &other.digest, "it is not a container image").await;
    }
    until(async || {
        let count = started(&stage).await;
        if count == 5 { Ok(()) } else { Err(format!("{count} executions")) }
    })
    .await;
    stage.quiet().await;
    stage.rig.sandbox.fire("skydeck-sweep").await.expect("the schedule is there");
    stage.quiet().await;
    assert_eq!(stage.kinds("movie"), ["Rollout Started", "Rollout Succeeded"]);
    assert_eq!(stage.serving("movie").await.as_deref(), Some(first.digest.as_str()));

    never(&stage, &part(&stage, &first.digest).await, &format!("only a part of the index {} (v1)", first.digest)).await;

    // Their manifests alone say for which processor these are.
    let plain = stage.push("payment", "v1", &Image::new("2").behaving("plain-amd64")).await;
    let refused = stage.ended(&plain.digest).await;
    assert_eq!((refused.status, refused.error.as_deref()), (ExecutionStatus::Failed, Some("Refused")));
    assert!(refused.cause.is_some_and(|cause| cause.contains("the image is for linux/amd64")));
    let unsaid = stage.push("payment", "v2", &Image::new("3").unsaid()).await;
    assert_eq!(stage.ended(&unsaid.digest).await.output["verdict"], "succeeded");
}

/// A pipeline that waits for what is never rolled out is told so at once.
async fn never(stage: &Stage, digest: &str, why: &str) {
    let waited = stage.rig.skydeck(["wait", "movie", "--digest", digest, "--timeout", "5m"]).await;
    assert_eq!(waited.code, Some(4), "{waited:#?}");
    // However the terminal breaks the line.
    let said = waited.stderr.replace("\n  │", "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(why), "{said}");
}

/// The image that an index lists first.
async fn part(stage: &Stage, index: &str) -> String {
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_digest(index).build();
    let request = stage.rig.aws.ecr().batch_get_image().repository_name("skyfox-devprod-movie-service").image_ids(id);
    let answer = request.send().await.expect("the index is there");
    let manifest: Value = serde_json::from_str(answer.images()[0].image_manifest().expect("it has one")).expect("JSON");
    manifest["manifests"][0]["digest"].as_str().expect("it lists one").to_owned()
}

/// How many executions of `rollout` there were.
async fn started(stage: &Stage) -> usize {
    let machine = format!("arn:aws:states:ap-south-1:{}:stateMachine:skydeck-rollout", skydeck_sandbox::ACCOUNT);
    let request = stage.rig.aws.sfn().list_executions().state_machine_arn(machine);
    request.send().await.expect("executions").executions().len()
}
