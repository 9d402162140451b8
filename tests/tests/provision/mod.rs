//! The main job, end to end: the real command, the real state machine, the real functions, against the local AWS; and
//! what then stands is read back with the SDK, setting by setting, as the reference system has it.

mod balancer;
mod cluster;
mod foreign;
mod identity;
mod network;
mod nothing_left;
mod registry;
mod service;
mod storage;

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;
use skydeck_aws::function::{ALIAS, FUNCTIONS};
use skydeck_tests::Rig;
use tokio::io::AsyncWriteExt;

/// The parameters whose values a person gives.
const SECRETS: [&str; 4] = ["jwt-secret", "database-url", "movie-service-api-key", "payment-gateway-api-key"];
/// A value that must be found nowhere.
const SECRET_VALUE: &str = "correct-horse-battery-staple";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skyfox_is_provisioned_stays_as_it_is_and_leaves_nothing() {
    let rig = Rig::installed().await;
    assert_every_function_is_installed(&rig).await;
    foreign::place(&rig.aws).await;
    for name in SECRETS {
        give(&rig, &format!("/skyfox-backend/{name}")).await;
    }

    assert_a_plan_changes_nothing(&rig).await;
    let applied = rig.skydeck(["apply", "platforms/skyfox.toml", "--json"]).await.succeeded().json();
    assert_eq!(applied["conclusion"]["outcome"], "succeeded", "{applied:#}");
    let outputs = &applied["conclusion"]["outputs"];
    let vpc = network::assert_as_the_reference_says(&rig.aws).await;
    identity::assert_as_the_reference_says(&rig.aws).await;
    registry::assert_as_the_reference_says(&rig.aws).await;
    storage::assert_as_the_reference_says(&rig.aws).await;
    balancer::assert_as_the_reference_says(&rig.aws, &vpc).await;
    cluster::assert_as_the_reference_says(&rig.aws, &vpc).await;
    service::assert_as_the_reference_says(&rig.aws, outputs).await;

    let before = rig.sandbox.last_call();
    let again = rig.skydeck(["apply", "platforms/skyfox.toml", "--json"]).await.succeeded().json();
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "a second apply wrote: {writes:#?}");
    for layer in again["conclusion"]["layers"].as_array().expect("layers") {
        let changed = ["created", "updated", "deleted"].map(|key| layer[key].as_u64());
        assert_eq!(changed, [Some(0); 3], "{layer:#}");
    }
    assert_eq!(again["conclusion"]["outputs"], *outputs);

    let shown = rig.skydeck(["outputs", "skyfox-devprod", "--json"]).await.succeeded();
    let mut shown = shown.json();
    assert_outputs_are_complete(&shown, &vpc.id);
    // An execution's output has no environments.
    shown.as_object_mut().expect("outputs").remove("environments");
    assert_eq!(shown, *outputs);
    what_is_missing_is_asked_for_anew(&rig).await;

    rig.skydeck(["destroy", "skyfox-devprod", "--yes"]).await.succeeded();
    let gone = rig.skydeck(["outputs", "skyfox-devprod"]).await;
    assert_eq!(gone.code, Some(1), "what is no longer there is not told: {gone:?}");
    nothing_left::assert_nothing_is_left(&rig.aws).await;
    foreign::assert_untouched(&rig.aws).await;
    assert_no_secret_is_told(&rig).await;
}

/// People set and delete parameters after an apply, and `outputs` says what is missing now.
async fn what_is_missing_is_asked_for_anew(rig: &Rig) {
    let missing = async || {
        let outputs = rig.skydeck(["outputs", "skyfox-devprod", "--json"]).await.succeeded().json();
        outputs["missing_secrets"].clone()
    };
    let name = format!("/skyfox-backend/{}", SECRETS[0]);
    assert_eq!(missing().await, serde_json::json!([]));
    rig.aws.ssm().delete_parameter().name(&name).send().await.expect("deleted");
    assert_eq!(missing().await, serde_json::json!([name]));
    give(rig, &name).await;
    assert_eq!(missing().await, serde_json::json!([]));
}

async fn give(rig: &Rig, name: &str) {
    let mut command = rig.command(["secret", "set", name]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("skydeck can be started");
    let mut input = child.stdin.take().expect("an input");
    input.write_all(format!("{SECRET_VALUE}\n").as_bytes()).await.expect("it reads");
    drop(input);
    assert!(child.wait().await.expect("it ends").success());
}

/// With the alias that the state machine calls, on a published version.
async fn assert_every_function_is_installed(rig: &Rig) {
    let found = rig.aws.lambda().list_functions().send().await.expect("functions");
    let found: BTreeSet<&str> = found.functions().iter().filter_map(|function| function.function_name()).collect();
    let wanted: Vec<String> = FUNCTIONS.iter().map(|function| format!("skydeck-{}", function.name)).collect();
    assert_eq!(found, wanted.iter().map(String::as_str).collect());
    for name in &wanted {
        let alias = rig.aws.lambda().get_alias().function_name(name).name(ALIAS).send().await.expect("the alias");
        let version = alias.function_version().unwrap_or_default();
        assert!(
            version.parse::<u32>().is_ok(),
            "{name}: {ALIAS} is on {version}, which a deploy would change under a run"
        );
    }
}

/// Before anything stands a plan says what every layer would make, and writes nothing.
async fn assert_a_plan_changes_nothing(rig: &Rig) {
    let before = rig.sandbox.last_call();
    let planned = rig.skydeck(["plan", "platforms/skyfox.toml", "--json"]).await;
    assert_eq!(planned.code, Some(2), "{planned:#?}");
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "a plan wrote: {writes:#?}");
    for layer in planned.json()["layers"].as_array().expect("layers") {
        let changes = layer["changes"].as_array().expect("changes");
        assert!(!changes.is_empty() && changes.iter().all(|change| change["action"] == "create"), "{layer:#}");
    }
}

/// The reference's outputs.
fn assert_outputs_are_complete(outputs: &Value, vpc: &str) {
    assert_eq!(outputs["vpc_id"], vpc);
    let lengths = [
        ("subnet_ids", 3),
        ("repositories", 3),
        ("load_balancers", 2),
        ("target_groups", 3),
        ("services", 3),
        ("environments", 3),
        ("buckets", 1),
        ("missing_secrets", 0),
    ];
    for (key, length) in lengths {
        let found = outputs[key].as_object().map(|map| map.len()).or(outputs[key].as_array().map(Vec::len));
        assert_eq!(found, Some(length), "{key}: {}", outputs[key]);
    }
    for pointer in [
        "/cluster/cluster_arn",
        "/cluster/auto_scaling_group",
        "/roles/instance_role_arn",
        "/roles/execution_role_arns/backend",
        "/roles/task_role_arns/backend",
        "/load_balancers/external/url",
        "/load_balancers/internal/dns_name",
        "/buckets/profile-images/arn",
    ] {
        let found = outputs.pointer(pointer).and_then(Value::as_str);
        assert!(found.is_some_and(|text| !text.is_empty()), "{pointer}: {outputs:#}");
    }
    let backend = &outputs["environments"]["backend"];
    let internal = outputs["load_balancers"]["internal"]["url"].as_str().expect("a URL");
    assert_eq!(backend["MOVIE_SERVICE_URL"], format!("{internal}/movie-service"));
    assert_eq!(backend["PAYMENT_GATEWAY_URL"], format!("{internal}/payment-service"));
    assert_eq!(backend["S3_BUCKET"], "skyfox-devprod-profile-images");
    assert_eq!(backend["AWS_REGION"], "ap-south-1");
}

/// Neither skydeck's bucket nor an execution's history holds a secret's value.
async fn assert_no_secret_is_told(rig: &Rig) {
    let buckets = rig.aws.s3().list_buckets().send().await.expect("buckets");
    let home = buckets.buckets().iter().filter_map(|bucket| bucket.name()).find(|name| name.starts_with("skydeck-"));
    let home = home.expect("skydeck's bucket");
    let objects = rig.aws.s3().list_objects_v2().bucket(home).prefix("platforms/").send().await.expect("objects");
    assert!(objects.key_count().unwrap_or_default() > 8, "runs leave reports");
    for key in objects.contents().iter().filter_map(|object| object.key()) {
        let object = rig.aws.s3().get_object().bucket(home).key(key).send().await.expect("an object");
        let text = String::from_utf8_lossy(&object.body.collect().await.expect("a body").to_vec()).into_owned();
        assert!(!text.contains(SECRET_VALUE), "{key} tells a secret");
    }
    let machines = rig.aws.sfn().list_state_machines().send().await.expect("state machines");
    let machine = machines.state_machines().iter().find(|machine| machine.name() == "skydeck-provision");
    let arn = machine.expect("the state machine").state_machine_arn();
    let executions = rig.aws.sfn().list_executions().state_machine_arn(arn).send().await.expect("executions");
    assert_eq!(executions.executions().len(), 4);
    for execution in executions.executions() {
        let history = rig.aws.sfn().get_execution_history().execution_arn(execution.execution_arn()).max_results(1000);
        let history = format!("{:?}", history.send().await.expect("a history"));
        assert!(!history.contains(SECRET_VALUE), "a history tells a secret");
    }
}
