//! A secret stands nowhere but where it must: all calls, logs, histories, objects and words of a platform's whole life are searched for
//! it. Of every other test the calls are, when its sandbox ends.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use aws_sdk_ssm::types::ParameterType;
use skydeck_aws::Clients;
use skydeck_sandbox::Image;
use skydeck_tests::rollouts::Stage;
use skydeck_tests::{Rig, canary, root};
use tokio::io::AsyncWriteExt;

const FILE: &str = "platforms/skyfox.toml";
const SECRET: &str = "/skyfox-backend/jwt-secret";
/// Skydeck writes this one itself, unless it is somebody else's.
const OWN: &str = "/skyfox-backend/s3-bucket";

/// Runs the command; all that it says is searched.
async fn says(stage: &Stage, words: &[&str], code: i32) {
    for json in [&[][..], &["--json"]] {
        let ended = stage.rig.skydeck([words, json].concat()).await;
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains(canary()), "{words:?}: {said}");
        assert_eq!(ended.code, Some(code), "{words:?}: {said}");
        if words[0] == "rollback" {
            return;
        }
    }
}

/// Types a value into `skydeck secret set`.
async fn set(stage: &Stage, value: &str) {
    let mut command = stage.rig.command(["secret", "set", SECRET]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("skydeck can be started");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(value.as_bytes()).await.expect("it reads");
    drop(input);
    let ended = child.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert!(ended.status.success() && !said.contains(canary()), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_in_no_log_payload_plan_report_object_or_error() {
    let stage = Stage::of(Rig::installed_at(Some(60.0)).await).await;
    Box::pin(refusals(&stage)).await;
    says(&stage, &["apply", FILE], 0).await;
    for service in ["backend", "payment", "movie"] {
        let first = stage.push(service, "v1", &Image::new(service)).await;
        stage.ended(&first.digest).await;
    }
    says(&stage, &["apply"], 0).await;
    let bad = stage.push("movie", "v2", &Image::new("2").behaving("crash")).await;
    let ended = stage.ended(&bad.digest).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:#?}");
    let good = stage.push("movie", "v3", &Image::new("3")).await;
    stage.ended(&good.digest).await;
    says(&stage, &["rollback", "movie"], 0).await;
    set(&stage, &format!("{}-again", canary())).await;
    stage.quiet().await;
    for words in [&["status"][..], &["outputs"], &["rollouts"], &["plan"]] {
        says(&stage, words, 0).await;
    }
    says(&stage, &["wait", "movie", "--digest", &bad.digest, "--timeout", "5m"], 1).await;
    searched(&stage).await;
    says(&stage, &["destroy", "skyfox-devprod", "--yes"], 0).await;
    searched(&stage).await;

    let carry = stage.rig.sandbox.calls().into_iter().filter(|call| call.carries);
    let carry: BTreeSet<(String, String)> = carry.map(|call| (call.caller, call.action)).collect();
    let pair = |caller: &str, action: &str| (caller.to_owned(), action.to_owned());
    let must = BTreeSet::from([
        pair("test", "PutParameter"),
        pair("skydeck-command", "PutParameter"),
        // They compare a value that the platform file gives.
        pair("prepare", "GetParameters"),
        pair("secrets", "GetParameters"),
    ]);
    assert_eq!(carry, must);
}

/// Where a parameter is not as it should be, its value is not told.
async fn refusals(stage: &Stage) {
    let ssm = stage.rig.aws.ssm();
    let put = async |name: &str, kind: ParameterType| {
        ssm.put_parameter().name(name).value(canary()).r#type(kind).send().await.expect("a parameter");
    };
    let delete = async |name: &str| drop(ssm.delete_parameter().name(name).send().await.expect("it is there"));
    delete(SECRET).await;
    put(SECRET, ParameterType::String).await;
    says(stage, &["apply", FILE], 1).await;
    delete(SECRET).await;
    // Without the tag that lets services read it; and with it.
    put(SECRET, ParameterType::SecureString).await;
    says(stage, &["apply", FILE], 1).await;
    set(stage, canary()).await;
    put(OWN, ParameterType::SecureString).await;
    says(stage, &["apply", FILE], 1).await;
    delete(OWN).await;
}

/// Asks for everything there is: of each call and its answer the sandbox says whether the secret is in it.
async fn searched(stage: &Stage) {
    let aws = &stage.rig.aws;
    let (events, words, objects) = tokio::join!(histories(aws), logs(aws), objects(aws));
    assert!(events > 100 && words > 10 && objects > 20, "{events} events, {words} words, {objects} objects");
    services(aws).await;
    let told = serde_json::to_string(&stage.rig.sandbox.events()).expect("JSON");
    assert!(told.contains("Rollout") && !told.contains(canary()), "{told}");
    let found = files(stage.rig.sandbox.dir());
    assert!(found.is_empty(), "{found:?}");
}

/// The inputs, outputs and events of all executions.
async fn histories(aws: &Clients) -> usize {
    let (sfn, mut count) = (aws.sfn(), 0);
    let machines = sfn.list_state_machines().send().await.expect("state machines").state_machines;
    for machine in machines {
        let runs = sfn.list_executions().state_machine_arn(machine.state_machine_arn).max_results(1000);
        for run in runs.send().await.expect("executions").executions {
            sfn.describe_execution().execution_arn(&run.execution_arn).send().await.expect("an execution");
            let pages = sfn.get_execution_history().execution_arn(run.execution_arn).max_results(1000);
            let mut events = pages.into_paginator().items().send();
            while let Some(event) = events.next().await {
                event.expect("an event");
                count += 1;
            }
        }
    }
    count
}

async fn logs(aws: &Clients) -> usize {
    let (logs, mut count) = (aws.logs(), 0);
    let mut groups = logs.describe_log_groups().into_paginator().items().send();
    while let Some(group) = groups.next().await {
        let group = group.expect("a log group").log_group_name.expect("its name");
        let mut streams = logs.describe_log_streams().log_group_name(&group).into_paginator().items().send();
        while let Some(stream) = streams.next().await {
            let stream = stream.expect("a stream").log_stream_name.expect("its name");
            let events = logs.get_log_events().log_group_name(&group).log_stream_name(stream).start_from_head(true);
            count += events.send().await.expect("events").events().len();
        }
    }
    count
}

/// All versions of all objects in all buckets.
async fn objects(aws: &Clients) -> usize {
    let (s3, mut count) = (aws.s3(), 0);
    for bucket in s3.list_buckets().send().await.expect("buckets").buckets() {
        let bucket = bucket.name().expect("a name");
        let listed = s3.list_object_versions().bucket(bucket).send().await.expect("versions");
        for version in listed.versions() {
            let key = version.key().expect("a key");
            // The functions' code, which is packed.
            if !key.starts_with("functions/") {
                let get = s3.get_object().bucket(bucket).key(key).set_version_id(version.version_id.clone());
                get.send().await.expect("an object");
                count += 1;
            }
        }
    }
    count
}

async fn services(aws: &Clients) {
    let ecs = aws.ecs();
    let listed = ecs.list_task_definitions().send().await.expect("task definitions").task_definition_arns;
    for arn in listed.unwrap_or_default() {
        ecs.describe_task_definition().task_definition(arn).send().await.expect("it");
    }
    let tasks = ecs.list_tasks().cluster("skyfox-devprod").send().await.ok().and_then(|listed| listed.task_arns);
    for task in tasks.unwrap_or_default() {
        ecs.describe_tasks().cluster("skyfox-devprod").tasks(task).send().await.expect("it");
    }
    aws.lambda().list_functions().send().await.expect("functions");
    aws.ssm().describe_parameters().send().await.expect("parameters");
}

/// The files under a directory that have the secret in them; programs are left out.
fn files(directory: &Path) -> Vec<String> {
    const LARGEST: u64 = 1 << 20;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            found.extend(files(&path));
        } else if about.len() < LARGEST {
            let text = std::fs::read(&path).unwrap_or_default();
            if String::from_utf8_lossy(&text).contains(canary()) {
                found.push(path.strip_prefix(root()).unwrap_or(&path).display().to_string());
            }
        }
    }
    found
}
