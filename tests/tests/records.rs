//! What is remembered of a service, and what has become of it meanwhile: revisions that were deregistered, services that are gone,
//! rollouts that ended without a word, images that are pushed again, parameters that came late.

use std::time::{Duration, Instant};

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::TaskDefinitionStatus;
use skydeck_sandbox::{EventFault, EventFaultKind, Fault, FaultKind, FunctionFault, Image};
use skydeck_tests::canary;
use skydeck_tests::rollouts::{Ended, Stage, until};
use skydeck_tests::secret::give;

/// More than the seconds within which two pushes count as one moment.
const MOMENT: Duration = Duration::from_secs(6);
const PLATFORM: &str = "skyfox-devprod";
const APPLY: [&str; 2] = ["apply", "platforms/skyfox.toml"];

fn verdict(ended: &Ended) -> String {
    ended.output["verdict"].as_str().map_or_else(|| format!("{ended:#?}"), Into::into)
}

async fn push(stage: &Stage, tag: &str, behaves: &str) -> String {
    stage.push("movie", tag, &Image::new(tag).behaving(behaves)).await.digest
}

/// A good image, which has come up.
async fn good(stage: &Stage, tag: &str) -> String {
    let digest = push(stage, tag, "healthy").await;
    assert_eq!(verdict(&stage.ended(&digest).await), "succeeded");
    digest
}

/// A bad image, which was rolled back; why.
async fn bad(stage: &Stage, tag: &str) -> String {
    let digest = push(stage, tag, "crash").await;
    let ended = stage.ended(&digest).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:#?}");
    ended.cause.unwrap_or_default()
}

/// The movie service's task definition, and its status.
async fn runs(stage: &Stage) -> (String, Option<TaskDefinitionStatus>) {
    let ecs = stage.rig.aws.ecs();
    let found = ecs.describe_services().cluster(PLATFORM).services("movie").send().await.expect("the service");
    let arn = found.services()[0].task_definition().expect("a task definition").to_owned();
    let found = ecs.describe_task_definition().task_definition(&arn).send().await.expect("it");
    (arn, found.task_definition().and_then(|found| found.status().cloned()))
}

/// Somebody deregisters what the movie service runs.
async fn deregister(stage: &Stage) -> String {
    let (arn, _) = runs(stage).await;
    stage.rig.aws.ecs().deregister_task_definition().task_definition(&arn).send().await.expect("it is there");
    arn
}

/// Waits until a rollout of this digest has begun; its execution.
async fn begun(stage: &Stage, digest: &str) -> String {
    let found = || {
        let events = stage.told();
        let of = |event: &&serde_json::Value| {
            event["detail-type"] == "Rollout Started" && event["detail"]["digest"] == digest
        };
        events.iter().find(of).and_then(|event| event["detail"]["execution"].as_str().map(ToOwned::to_owned))
    };
    until(async || found().map(drop).ok_or_else(|| "no rollout has begun".to_owned())).await;
    found().expect("it has begun")
}

async fn serves(stage: &Stage, digest: &str) {
    until(async || match stage.serving("movie").await {
        Some(serving) if serving == digest => Ok(()),
        other => Err(format!("{other:?} serves, not {digest}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_registers_what_was_deregistered_and_passes_over_an_image_that_is_gone() {
    let stage = Stage::standing().await;
    let first = good(&stage, "v1").await;
    let second = good(&stage, "v2").await;

    let old = deregister(&stage).await;
    let cause = bad(&stage, "v3").await;
    assert!(cause.contains("which serves"), "{cause}");
    serves(&stage, &second).await;
    let (new, status) = runs(&stage).await;
    assert!(new != old && status == Some(TaskDefinitionStatus::Active), "{new}: {status:?}");

    // Deregistered and deleted: ECS makes no task of it any more.
    let old = deregister(&stage).await;
    stage.rig.aws.ecs().delete_task_definitions().task_definitions(&old).send().await.expect("it is inactive");
    let cause = bad(&stage, "v4").await;
    assert!(cause.contains("which serves"), "{cause}");
    serves(&stage, &second).await;

    // An apply puts it right: no deployment could be made of what was deregistered.
    let old = deregister(&stage).await;
    stage.rig.skydeck(APPLY).await.succeeded();
    let (new, status) = runs(&stage).await;
    assert!(new != old && status == Some(TaskDefinitionStatus::Active), "{new}: {status:?}");
    serves(&stage, &second).await;

    let image = ImageIdentifier::builder().image_digest(&second).build();
    let delete = stage.rig.aws.ecr().batch_delete_image().repository_name(format!("{PLATFORM}-movie-service"));
    delete.image_ids(image).send().await.expect("it is there");
    let cause = bad(&stage, "v5").await;
    assert!(cause.contains("which serves"), "{cause}");
    serves(&stage, &first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_never_settles_is_tried_once_more_and_then_a_person_is_told() {
    let stage = Stage::standing().await;
    let first = good(&stage, "v1").await;
    let (function, error, message) = ("skydeck-settle".into(), "AccessDenied".into(), "no".into());
    // Two executions, each of which tries four times: a permission may be too new to be known.
    stage
        .rig
        .sandbox
        .fail_function(FunctionFault { function, error, message, times: 8, after: false })
        .expect("a fault");
    let second = push(&stage, "v2", "healthy").await;
    begun(&stage, &second).await;
    let started = || stage.kinds("movie").iter().filter(|kind| *kind == "Rollout Started").count();
    for _ in 0..4 {
        stage.quiet().await;
        stage.sweep().await;
    }
    stage.quiet().await;
    assert_eq!(started(), 3, "{:#?}", stage.kinds("movie"));
    let told: Vec<_> = stage.told().into_iter().filter(|event| event["detail-type"] == "Rollout Given Up").collect();
    assert_eq!(told.len(), 1, "a person is told once: {told:#?}");
    assert_eq!(told[0]["detail"]["digest"], second.as_str());
    let shown = stage.rig.skydeck(["rollouts"]).await.succeeded().stdout;
    assert!(shown.contains("given up"), "{shown}");
    assert_eq!(stage.serving("movie").await.as_deref(), Some(second.as_str()), "{first} is not brought back");

    // A person's word begins anew; by now Settle may do what it has to.
    until(async || {
        let ended = stage.rig.skydeck(["rollout", "movie"]).await;
        if ended.code == Some(0) { Ok(()) } else { Err(format!("{ended:#?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_outlives_neither_its_execution_nor_its_service() {
    let stage = Stage::standing().await;
    let first = good(&stage, "v1").await;

    // Killed between two looks of a crashing image: an apply brings back what was verified.
    let second = push(&stage, "v2", "crash").await;
    let execution = begun(&stage, &second).await;
    stage.rig.aws.sfn().stop_execution().execution_arn(&execution).send().await.expect("it runs");
    stage.rig.skydeck(APPLY).await.succeeded();
    serves(&stage, &first).await;

    // The service leaves the platform file, or is destroyed with everything, while one rolls out.
    let text = std::fs::read_to_string(skydeck_tests::root().join("platforms/skyfox.toml")).expect("the file");
    let (before, _) = text.split_once("[services.movie]").expect("the last service");
    let path = stage.rig.sandbox.dir().join("without.toml");
    std::fs::write(&path, before.replace("${services.movie.url}", "http://nowhere")).expect("a file");
    let path = path.display().to_string();
    for (tag, away) in [("v3", ["apply", &path, ""]), ("v4", ["destroy", PLATFORM, "--yes"])] {
        let digest = push(&stage, tag, "hang").await;
        begun(&stage, &digest).await;
        stage.rig.skydeck(away.into_iter().filter(|word| !word.is_empty())).await.succeeded();
        let ended = stage.ended(&digest).await;
        assert_eq!(verdict(&ended), "superseded");
        let reason = ended.output["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.contains("service movie is not there any more"), "{reason}");
        let left = stage.rig.aws.ecs().list_task_definitions().family_prefix(format!("{PLATFORM}-movie"));
        let left = left.send().await.expect("task definitions");
        assert_eq!(left.task_definition_arns(), <[String; 0]>::default(), "a revision is left of {tag}");
        stage.rig.skydeck(APPLY).await.succeeded();
        stage.quiet().await;
    }
    good(&stage, "v5").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_comes_late_starts_the_image_that_was_refused() {
    let stage = Stage::standing().await;
    let ssm = stage.rig.aws.ssm();
    let name = "/skyfox-backend/movie-service-api-key";
    // The first image, and one after another.
    for tag in ["v1", "v2"] {
        ssm.delete_parameter().name(name).send().await.expect("it is there");
        let digest = push(&stage, tag, "healthy").await;
        let ended = stage.ended(&digest).await;
        assert_eq!(ended.error.as_deref(), Some("Refused"), "{ended:#?}");
        // The sweep does not tell the same again.
        stage.quiet().await;
        stage.sweep().await;
        stage.quiet().await;
        let refusals = stage.told().iter().filter(|event| event["detail"]["digest"] == digest.as_str()).count();
        assert_eq!(refusals, 1, "{:#?}", stage.told());
        give(&stage.rig.aws, name, canary()).await.expect("it is not there");
        let ended = stage.endings(&digest, 2).await;
        let last = ended.last().expect("two have ended");
        assert_eq!((verdict(last), &last.output["cause"]), ("succeeded".to_owned(), &"secret".into()), "{last:#?}");
        stage.quiet().await;
        serves(&stage, &digest).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_image_that_is_pushed_again_is_the_newest() {
    let stage = Stage::standing().await;
    let first = good(&stage, "v1").await;
    // The sweep learns which tags there are.
    stage.sweep().await;
    let second = good(&stage, "v2").await;
    // What is pushed within the same moment counts as pushed at once.
    let pushed = Instant::now();
    until(async || if pushed.elapsed() > MOMENT { Ok(()) } else { Err("it is the same moment".to_owned()) }).await;

    push_again(&stage, "v1", "v3", &first).await;
    serves(&stage, &first).await;
    stage.quiet().await;
    stage.sweep().await;
    stage.quiet().await;
    serves(&stage, &first).await;

    // The event of the next one never comes.
    stage.rig.sandbox.disturb(EventFault::next(EventFaultKind::Lose).times(0).matching("v4"));
    push_again(&stage, "v2", "v4", &second).await;
    stage.sweep().await;
    serves(&stage, &second).await;
}

/// Pushes an image again, under another tag.
async fn push_again(stage: &Stage, content: &str, tag: &str, digest: &str) {
    let pushed = stage.push("movie", tag, &Image::new(content).behaving("healthy")).await;
    assert_eq!(pushed.digest, digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_that_ecs_does_not_know_yet_is_no_fault_of_its_image() {
    let stage = Stage::standing().await;
    let (code, message) = ("ClientException".to_owned(), "TaskDefinition not found.".to_owned());
    let unknown = FaultKind::Error { status: 400, code, message };
    for function in ["release", "rollback"] {
        stage.rig.sandbox.inject(Fault::next("ecs", "UpdateService", unknown.clone()).by(function).from(1, 6));
    }
    let first = good(&stage, "v1").await;
    let cause = bad(&stage, "v2").await;
    assert!(cause.contains("which serves"), "{cause}");
    serves(&stage, &first).await;
    let struck = stage.rig.sandbox.calls_since(0).into_iter().filter(|call| call.fault.is_some()).count();
    assert_eq!(struck, 12, "six on the way there, and six on the way back");
}
