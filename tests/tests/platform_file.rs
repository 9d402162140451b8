//! Which platform file a run works by: the one that it was started with, whatever else is uploaded meanwhile.

use std::process::Stdio;

use serde_json::{Value, json};
use skydeck_sandbox::{ACCOUNT, Fault, FaultKind};
use skydeck_tests::matrix::kill_function;
use skydeck_tests::{Ended, Rig, root};

const HOME: &str = "skydeck-000000000000-ap-south-1";
const OWN: &str = "platforms/skyfox-devprod/platform.toml";
const APPLIED: &str = "platforms/skyfox-devprod/applied.json";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_works_by_the_file_that_it_was_started_with() {
    let rig = Rig::installed().await;
    let [first, second, third] = ["max = 4", "max = 5", "max = 6"].map(File::of);
    a_refused_file_is_in_force_nowhere(&rig, &first, &second).await;
    another_upload_before_prepare_changes_nothing(&rig, &first, &second).await;
    of_two_at_once_each_has_its_own_file(&rig, &second, &third).await;
    a_plan_is_refused_when_another_file_was_applied_since(&rig, &first, &second).await;
    the_file_of_another_platform_is_refused(&rig).await;
}

/// A run that finds the lock taken leaves no trace of its file: not for an apply without a file, not for a plan.
async fn a_refused_file_is_in_force_nowhere(rig: &Rig, first: &File, second: &File) {
    let strikes = rig.sandbox.strikes();
    rig.sandbox.inject(Fault::next("ec2", "CreateSubnet", FaultKind::HangAfter).by("network"));
    let mut command = rig.command(["apply", &first.path]);
    let mut holder = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("skydeck can be started");
    rig.sandbox.strike_after(strikes).await;
    let refused = rig.skydeck(["apply", &second.path]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert_eq!(object(rig, OWN).await.as_ref(), Some(&first.text), "the refused file is the platform's");
    // The run goes on as soon as its function is tried again.
    kill_function("network", rig.sandbox.endpoint()).await;
    assert!(holder.wait().await.expect("it ends").success());
    assert_eq!(in_force(rig).await, first.text);
    assert_eq!(rig.skydeck(["plan"]).await.code, Some(0), "nothing of the refused file is planned");
}

/// What the command has started, started again after somebody else's upload: it names one version of one key.
async fn another_upload_before_prepare_changes_nothing(rig: &Rig, first: &File, second: &File) {
    for (verb, changes) in [("apply", 0), ("plan", 2)] {
        // Of a plan it must be seen that it is made by the other file than the platform's own.
        let file = if verb == "apply" { first } else { second };
        let ended = rig.skydeck([verb, &file.path, "--json"]).await;
        assert_eq!(ended.code, Some(changes), "{ended:#?}");
        let input = last_input(rig).await;
        let (key, version) = (input["file"].as_str().expect("a key"), input["version"].as_str().expect("a version"));
        let found = rig.aws.s3().get_object().bucket(HOME).key(key).version_id(version).send().await.expect("the file");
        let text = found.body.collect().await.expect("a body").to_vec();
        assert_eq!(text, file.text.as_bytes());
        // The platform's own file as well as this key say something else by the time that Prepare reads.
        let other = "this is no platform file";
        put(rig, key, other).await;
        let own = object(rig, OWN).await.expect("a file");
        put(rig, OWN, other).await;
        let output = run(rig, &input).await;
        assert_eq!(output["outcome"], "succeeded", "{output:#}");
        if verb == "apply" {
            assert_eq!(in_force(rig).await, file.text);
            assert_eq!(object(rig, OWN).await.as_ref(), Some(&file.text), "what is applied is the platform's own");
        } else {
            assert_eq!(output["plan"]["summary"], ended.json()["summary"], "{output:#}");
        }
        put(rig, OWN, &own).await;
    }
}

/// Each succeeds with its own file in force, or is told that another is at work.
async fn of_two_at_once_each_has_its_own_file(rig: &Rig, one: &File, other: &File) {
    let (first, second) =
        tokio::join!(rig.skydeck(["apply", &one.path, "--json"]), rig.skydeck(["apply", &other.path, "--json"]));
    let good: Vec<&File> = [(&first, one), (&second, other)]
        .into_iter()
        .filter_map(|(ended, file)| if is_locked_out(ended) { None } else { Some(file) })
        .collect();
    assert!(!good.is_empty(), "one of them works: {first:#?}\n{second:#?}");
    let force = in_force(rig).await;
    assert!(good.iter().any(|file| file.text == force), "what is in force was told as applied: {force}");
    assert_eq!(object(rig, OWN).await, Some(force));
    assert_eq!(rig.skydeck(["plan"]).await.code, Some(0), "{first:#?}\n{second:#?}");
}

fn is_locked_out(ended: &Ended) -> bool {
    let is_locked = ended.stderr.contains("is at work on skyfox-devprod");
    assert!(is_locked == (ended.code == Some(1)) && (is_locked || ended.code == Some(0)), "{ended:#?}");
    is_locked
}

/// Although it was the same file as the platform's own when the plan was made.
async fn a_plan_is_refused_when_another_file_was_applied_since(rig: &Rig, first: &File, second: &File) {
    rig.skydeck(["apply", &first.path]).await.succeeded();
    let plan = rig.skydeck(["plan", &first.path, "--json"]).await.succeeded().json();
    rig.skydeck(["apply", &second.path]).await.succeeded();
    let refused = rig.skydeck(["apply", "--plan", plan["id"].as_str().expect("an id")]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stdout.contains("the platform file has moved"), "{refused:#?}");
    assert_eq!(in_force(rig).await, second.text);
}

async fn the_file_of_another_platform_is_refused(rig: &Rig) {
    let before = object(rig, OWN).await;
    let key = "platforms/skyfox-devprod/plans/other.toml";
    put(rig, key, &File::of("max = 4").text.replace("name = \"skyfox\"", "name = \"other\"")).await;
    let output = run(rig, &json!({ "mode": "apply", "platform": "skyfox-devprod", "file": key })).await;
    let cause = output.to_string();
    assert!(cause.contains("is the file of other-devprod, not of skyfox-devprod"), "{cause}");
    assert_eq!(object(rig, OWN).await, before);
}

/// SkyFox's file, with another largest number of instances.
struct File {
    path: String,
    text: String,
}

impl File {
    fn of(max: &str) -> Self {
        let text = std::fs::read_to_string(root().join("platforms/skyfox.toml")).expect("the file");
        let text = text.replace("max = 4", max);
        let name = format!("skydeck-file-{}-{}.toml", std::process::id(), max.replace(' ', ""));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, &text).expect("a file");
        File { path: path.display().to_string(), text }
    }
}

/// The text that rollouts, the sweep and drift work by.
async fn in_force(rig: &Rig) -> String {
    let applied: Value = serde_json::from_str(&object(rig, APPLIED).await.expect("applied")).expect("JSON");
    let version = applied["spec_version"].as_str().expect("a version");
    let found = rig.aws.s3().get_object().bucket(HOME).key(OWN).version_id(version).send().await.expect("that version");
    let text = String::from_utf8(found.body.collect().await.expect("a body").to_vec()).expect("text");
    assert_eq!(applied["file"], Value::from(text.clone()), "the record and the version it names");
    text
}

async fn object(rig: &Rig, key: &str) -> Option<String> {
    let found = rig.aws.s3().get_object().bucket(HOME).key(key).send().await.ok()?;
    let body = found.body.collect().await.expect("a body");
    Some(String::from_utf8(body.to_vec()).expect("text"))
}

async fn put(rig: &Rig, key: &str, text: &str) {
    let body = text.to_owned().into_bytes().into();
    rig.aws.s3().put_object().bucket(HOME).key(key).body(body).send().await.expect("written");
}

fn machine() -> String {
    format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-provision")
}

/// What the newest execution was started with.
async fn last_input(rig: &Rig) -> Value {
    let listed = rig.aws.sfn().list_executions().state_machine_arn(machine()).max_results(1).send().await;
    let listed = listed.expect("executions");
    let arn = listed.executions()[0].execution_arn();
    let found = rig.aws.sfn().describe_execution().execution_arn(arn).send().await.expect("the execution");
    serde_json::from_str(found.input().unwrap_or_default()).expect("JSON")
}

/// Starts an execution with this input, as a person may in the console. Returns its output, or why it failed.
async fn run(rig: &Rig, input: &Value) -> Value {
    let request = rig.aws.sfn().start_execution().state_machine_arn(machine()).input(input.to_string());
    let arn = request.send().await.expect("started").execution_arn;
    rig.skydeck(["follow", &arn]).await;
    let found = rig.aws.sfn().describe_execution().execution_arn(&arn).send().await.expect("the execution");
    found.output().map_or_else(|| json!(found.cause()), |output| serde_json::from_str(output).expect("JSON"))
}
