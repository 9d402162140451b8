//! Pushes become rollouts: verified where they serve, and rolled back where they do not.

use aws_sdk_ecs::types::{CapacityProviderStrategyItem, ContainerDefinition};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;
use skydeck_sandbox::{EventFault, EventFaultKind, Image};
use skydeck_tests::rollouts::{Ended, Stage, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_rolls_out_and_a_bad_one_is_taken_back() {
    let stage = Stage::standing().await;
    let first = stage.push("movie", "v1", &Image::new("1")).await;
    let ended = stage.ended(&first.digest).await;
    assert_verdict(&ended, "succeeded");
    assert_eq!(stage.serving("movie").await.as_deref(), Some(first.digest.as_str()));

    let before = stage.rig.sandbox.last_call();
    let second = stage.push("movie", "v2", &Image::new("2")).await;
    let ended = stage.ended(&second.digest).await;
    assert_verdict(&ended, "succeeded");
    assert_eq!(stage.serving("movie").await.as_deref(), Some(second.digest.as_str()));
    assert_few_calls_until_the_release(&stage, before);

    let bad = stage.push("movie", "v3", &Image::new("3").behaving("crash")).await;
    let ended = stage.ended(&bad.digest).await;
    assert_eq!(ended.status, ExecutionStatus::Failed);
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:#?}");
    let cause = ended.cause.clone().unwrap_or_default();
    assert!(cause.contains("does not serve") && cause.contains("which serves"), "{cause}");
    assert_eq!(stage.serving("movie").await.as_deref(), Some(second.digest.as_str()));
    assert_eq!(
        stage.kinds("movie"),
        [
            "Rollout Started",
            "Rollout Succeeded",
            "Rollout Started",
            "Rollout Succeeded",
            "Rollout Started",
            "Rollout Rolled Back"
        ]
    );
}

fn assert_verdict(ended: &Ended, verdict: &str) {
    assert_eq!(ended.output["verdict"], Value::from(verdict), "{ended:#?}");
}

/// From the push to `UpdateService`: no more than 14 calls of skydeck's.
fn assert_few_calls_until_the_release(stage: &Stage, since: u64) {
    let calls = stage.calls_until_release(since);
    let told: Vec<_> = calls.iter().map(|call| (call.caller.clone(), call.action.clone())).collect();
    assert!((7..=14).contains(&calls.len()), "{} calls: {told:#?}", calls.len());
    let chain = skydeck_tests::rollouts::longest_chain(&calls);
    // On a busy machine calls that could go at once go one after the other: the figure is for who reads it.
    println!("a chain of {chain}: {told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_port_on_which_nothing_answers_is_taken_back_with_its_load_balancer() {
    let stage = Stage::standing().await;
    let first = stage.push("movie", "v1", &Image::new("1")).await;
    assert_verdict(&stage.ended(&first.digest).await, "succeeded");

    // The program goes on listening on the port that its environment says.
    let text = std::fs::read_to_string(skydeck_tests::root().join("platforms/skyfox.toml")).expect("the file");
    let path = stage.rig.sandbox.dir().join("port.toml");
    std::fs::write(&path, text.replace("port = 4567", "port = 4568")).expect("a file");
    let path = path.display().to_string();
    let applied = stage.rig.skydeck(["apply", &path]).await;
    assert_eq!(applied.code, Some(1), "{applied:#?}");
    assert!(applied.stdout.contains("skyfox-devprod-movie:2, which serves"), "{applied:#?}");
    let found = stage.rig.aws.ecs().describe_services().cluster("skyfox-devprod").services("movie").send().await;
    let found = found.expect("services");
    let behind = found.services().iter().flat_map(|service| service.load_balancers());
    assert_eq!(behind.filter_map(|behind| behind.container_port()).collect::<Vec<_>>(), [4567]);
    assert_eq!(stage.serving("movie").await.as_deref(), Some(first.digest.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_room_is_the_platforms_fault() {
    let stage = Stage::standing().await;
    fill(&stage, 4).await;
    // AWS says that there is no room, or lets the task wait and says nothing.
    for (tag, tells, words) in
        [("v1", false, "wait for an instance with room (PROVISIONING)"), ("v2", true, "unable to place a task")]
    {
        stage.rig.sandbox.tell_no_room(tells);
        let pushed = stage.push("movie", tag, &Image::new(tag)).await;
        let ended = stage.ended(&pushed.digest).await;
        assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:#?}");
        let cause = ended.cause.clone().unwrap_or_default();
        assert!(cause.contains(words) && cause.contains("the Auto Scaling group is at its maximum"), "{cause}");
        assert_not_rejected(&stage, &pushed.digest);
    }
}

fn assert_not_rejected(stage: &Stage, digest: &str) {
    let told = stage.told();
    let of = |event: &&Value| event["detail-type"] == "Rollout Rolled Back" && event["detail"]["digest"] == digest;
    let end = told.iter().find(of).expect("an event");
    assert_eq!(end["detail"]["rejected"], false, "it is not the image's: {end:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_cannot_be_started_are_the_platforms_fault_in_auto_scalings_words() {
    let stage = Stage::standing().await;
    fill(&stage, 2).await;
    let words = "You have requested more vCPU capacity than your current vCPU limit of 4 allows for the instance bucket that \
                 the specified instance type belongs to.";
    stage.rig.sandbox.fail_launches(Some(words));
    let pushed = stage.push("movie", "v1", &Image::new("1")).await;
    let ended = stage.ended(&pushed.digest).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:#?}");
    let cause = ended.cause.clone().unwrap_or_default();
    assert!(cause.contains("Auto Scaling cannot start an instance: You have requested more vCPU capacity"), "{cause}");
    assert_not_rejected(&stage, &pushed.digest);
}

/// Somebody else's service takes nearly all memory of so many instances.
async fn fill(stage: &Stage, count: i32) {
    let (cluster, ecs) = ("skyfox-devprod", stage.rig.aws.ecs());
    let container = ContainerDefinition::builder().name("big").image("example.org/big").memory(1700).build();
    let request = ecs.register_task_definition().family("big").container_definitions(container);
    request.send().await.expect("a task definition");
    let item = CapacityProviderStrategyItem::builder().capacity_provider("skyfox-devprod-instances").weight(1).build();
    let request = ecs.create_service().cluster(cluster).service_name("big").task_definition("big").desired_count(count);
    request.capacity_provider_strategy(item.expect("a name")).send().await.expect("a service");
    until(async || {
        let found = ecs.describe_services().cluster(cluster).services("big").send().await.expect("a service");
        if found.services()[0].running_count() == count { Ok(()) } else { Err(format!("{found:#?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_event_is_found_by_the_sweep_and_a_doubled_one_rolls_out_once() {
    let stage = Stage::standing().await;
    stage.rig.sandbox.disturb(EventFault::next(EventFaultKind::Double { after: 0.0 }).matching("v1"));
    let first = stage.push("payment", "v1", &Image::new("1")).await;
    assert_verdict(&stage.ended(&first.digest).await, "succeeded");
    stage.quiet().await;
    assert_eq!(stage.kinds("payment"), ["Rollout Started", "Rollout Succeeded"]);

    stage.rig.sandbox.disturb(EventFault::next(EventFaultKind::Lose).times(0).matching("v2"));
    let second = stage.push("payment", "v2", &Image::new("2")).await;
    stage.rig.sandbox.fire("skydeck-sweep").await.expect("the schedule is there");
    assert_verdict(&stage.ended(&second.digest).await, "succeeded");
    assert_eq!(stage.serving("payment").await.as_deref(), Some(second.digest.as_str()));
}
