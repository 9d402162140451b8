//! Instances of a platform that serves are replaced, by another type and by a newer image, while requests are answered.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use skydeck_sandbox::Image;
use skydeck_tests::rollouts::{Stage, until};
use skydeck_tests::{Rig, canary, root};

const GROUP: &str = "skyfox-devprod-instances";
const NEWER: &str = "ami-0a2023ec5a6400002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_replaced_while_the_platform_serves() {
    let stage = Stage::standing().await;
    first_tasks_wait_for_an_instance_that_is_on_its_way(&stage).await;
    for service in ["backend", "payment"] {
        stage.push(service, "v1.0.0", &Image::new("1")).await;
    }
    let rig = &stage.rig;
    let outputs = rig.skydeck(["apply", "--json"]).await.succeeded().json()["conclusion"]["outputs"].clone();
    let url = |key: &str| outputs["load_balancers"][key]["url"].as_str().expect("a URL").to_owned();
    let paths = [
        (false, format!("{}/movies", url("external"))),
        (true, format!("{}/payment-service/pshealth", url("internal"))),
        (true, format!("{}/movie-service/movies", url("internal"))),
    ];
    let (answers, failures) = (Mutex::new(0), Mutex::new(Vec::new()));
    tokio::select! {
        () = ask_on_and_on(rig, &paths, &answers, &failures) => {}
        () = async {
            one_less(rig).await;
            another_type(rig).await;
            a_newer_image(rig).await;
        } => {}
    }
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "{failures:#?}");
    let answers = answers.into_inner().expect("no panic");
    assert!(answers > 100, "only {answers} requests were made");
}

/// ECS spreads the tasks that it starts over the instances that have joined, and moves none later.
async fn first_tasks_wait_for_an_instance_that_is_on_its_way(stage: &Stage) {
    let rig = &stage.rig;
    let ended = machines(rig).await.pop_first().expect("an instance");
    let request = rig.aws.autoscaling().terminate_instance_in_auto_scaling_group().instance_id(&ended);
    request.should_decrement_desired_capacity(false).send().await.expect("it ends");
    let pushed = stage.push("movie", "v1.0.0", &Image::new("1")).await;
    stage.ended(&pushed.digest).await;
    let ecs = rig.aws.ecs();
    let tasks = ecs.list_tasks().cluster("skyfox-devprod").service_name("movie").send().await.expect("tasks");
    let tasks = ecs.describe_tasks().cluster("skyfox-devprod").set_tasks(tasks.task_arns).send().await.expect("tasks");
    let on: Vec<_> = tasks.tasks().iter().filter_map(|task| task.container_instance_arn()).collect();
    let apart: BTreeSet<_> = on.iter().collect();
    assert!(on.len() == 2 && apart.len() == 2, "both tasks are on one instance: {on:?}");
}

/// Until the other side of a `select` is done.
#[expect(clippy::disallowed_methods, reason = "requests in a steady stream, and no Lambda")]
async fn ask_on_and_on(rig: &Rig, paths: &[(bool, String)], answers: &Mutex<u32>, failures: &Mutex<Vec<String>>) {
    loop {
        for (inside, url) in paths {
            match rig.sandbox.ask(*inside, "GET", url, &[("x-api-key", canary())]).await {
                Some(reply) if reply.status == 200 => *answers.lock().expect("no panic") += 1,
                other => failures.lock().expect("no panic").push(format!("{url}: {other:?}")),
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Auto Scaling ends an instance, as it does with one that its health checks fail: tasks leave it first, and another comes.
async fn one_less(rig: &Rig) {
    let before = machines(rig).await;
    let ended = before.first().expect("an instance");
    let request = rig.aws.autoscaling().terminate_instance_in_auto_scaling_group().instance_id(ended);
    request.should_decrement_desired_capacity(false).send().await.expect("it ends");
    until(async || {
        let now = machines(rig).await;
        let replaced = !now.contains(ended) && now.len() == before.len() && is_whole(rig).await;
        if replaced { Ok(()) } else { Err(format!("{now:?} after {before:?}")) }
    })
    .await;
}

/// Whether every service has the tasks that it wants.
async fn is_whole(rig: &Rig) -> bool {
    let request = rig.aws.ecs().describe_services().cluster("skyfox-devprod");
    let found = request.set_services(Some(["backend", "payment", "movie"].map(Into::into).to_vec())).send().await;
    let found = found.expect("services");
    found.services().iter().all(|service| service.running_count() == service.desired_count())
}

/// By a plan, which shows the instances that are replaced, and its apply.
async fn another_type(rig: &Rig) {
    assert_eq!(types(rig).await, ["t4g.small".to_owned()].into());
    let before = machines(rig).await;
    let text = std::fs::read_to_string(root().join("platforms/skyfox.toml")).expect("the file");
    let file = std::env::temp_dir().join(format!("skydeck-instances-{}.toml", std::process::id()));
    std::fs::write(&file, text.replace("\"t4g.small\"", "\"t4g.medium\"")).expect("a file");
    let planned = plan(rig, &[file.to_str().expect("a path")], 2).await;
    assert_eq!(planned["counts"]["change"], 2, "launch template and group: {planned:#}");
    let shown = attributes(&planned, "Auto Scaling group");
    assert_eq!(shown["instances.instance_type"], ("t4g.small".into(), "t4g.medium".into()), "{planned:#}");
    assert_eq!(shown["instances.version"], ("1".into(), "new".into()), "{planned:#}");

    let id = planned["id"].as_str().expect("an id");
    let applied = rig.skydeck(["apply", "--plan", id, "--json"]).await.succeeded().json();
    assert_eq!(updated(&applied), 2, "what was shown is what happened: {applied:#}");
    assert_eq!(types(rig).await, ["t4g.medium".to_owned()].into());
    assert!(machines(rig).await.is_disjoint(&before));
    assert_eq!(plan(rig, &[], 0).await["counts"]["change"], 0);
}

/// AWS recommends another image: it is told and taken only where somebody asks for it, by a plan too.
async fn a_newer_image(rig: &Rig) {
    let before = machines(rig).await;
    rig.sandbox.recommend_ami(NEWER).expect("recommended");
    let told = plan(rig, &[], 0).await.to_string();
    assert!(told.contains(NEWER) && told.contains("--refresh-ami"), "{told}");

    let planned = plan(rig, &["--refresh-ami"], 2).await;
    assert_eq!(attributes(&planned, "launch template")["ami"].1, NEWER, "{planned:#}");
    rig.sandbox.recommend_ami("ami-0a2023ec5a6400003").expect("recommended");
    let id = planned["id"].as_str().expect("an id");
    let refused = rig.skydeck(["apply", "--plan", id]).await;
    assert!(refused.code == Some(1) && refused.stdout.contains("the cluster layer has moved"), "{refused:#?}");

    rig.sandbox.recommend_ami(NEWER).expect("recommended");
    rig.skydeck(["apply", "--plan", id]).await.succeeded();
    assert!(machines(rig).await.is_disjoint(&before));
    assert_eq!(images(rig).await, [NEWER.to_owned()].into());
    plan(rig, &["--refresh-ami"], 0).await;
}

async fn plan(rig: &Rig, arguments: &[&str], code: i32) -> Value {
    let ended = rig.skydeck([&["plan", "--json"], arguments].concat()).await;
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    ended.json()
}

/// Old and new values of all attributes that change in a kind of resource.
fn attributes(plan: &Value, kind: &str) -> std::collections::BTreeMap<String, (Value, Value)> {
    let layers = plan["layers"].as_array().into_iter().flatten();
    let changes = layers.flat_map(|layer| layer["changes"].as_array().into_iter().flatten());
    let attributes = changes.filter(|change| change["kind"] == kind);
    let attributes = attributes.flat_map(|change| change["attributes"].as_array().into_iter().flatten());
    let name = |found: &Value| found["name"].as_str().unwrap_or_default().to_owned();
    attributes.map(|found| (name(found), (found["old"].clone(), found["new"].clone()))).collect()
}

fn updated(applied: &Value) -> u64 {
    let layers = applied["conclusion"]["layers"].as_array().into_iter().flatten();
    layers.filter_map(|layer| layer["updated"].as_u64()).sum()
}

async fn group(rig: &Rig) -> aws_sdk_autoscaling::types::AutoScalingGroup {
    let found = rig.aws.autoscaling().describe_auto_scaling_groups().auto_scaling_group_names(GROUP).send().await;
    found.expect("groups").auto_scaling_groups.expect("groups").remove(0)
}

async fn types(rig: &Rig) -> BTreeSet<String> {
    group(rig).await.instances().iter().filter_map(|instance| instance.instance_type().map(Into::into)).collect()
}

async fn machines(rig: &Rig) -> BTreeSet<String> {
    group(rig).await.instances().iter().filter_map(|instance| instance.instance_id().map(Into::into)).collect()
}

async fn images(rig: &Rig) -> BTreeSet<String> {
    let ids = machines(rig).await.into_iter().collect();
    let found = rig.aws.ec2().describe_instances().set_instance_ids(Some(ids)).send().await.expect("instances");
    let instances = found.reservations().iter().flat_map(|reservation| reservation.instances());
    instances.filter_map(|instance| instance.image_id().map(Into::into)).collect()
}
