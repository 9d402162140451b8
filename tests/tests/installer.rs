//! An installation: said, agreed to, made, upgraded and taken away again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use skydeck_bootstrap::cli::Architecture;
use skydeck_sandbox::{Fault, FaultKind, Image};
use skydeck_tests::rollouts::Stage;
use skydeck_tests::{Ended, Rig, built};

const REGION: &str = "ap-south-1";
const PLATFORM: &str = "skyfox-devprod";
const FILE: &str = "platforms/skyfox.toml";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

async fn bootstrap(rig: &Rig, options: &[&str]) -> Ended {
    let directory = built().await.display().to_string();
    let typed = ["bootstrap", "--architecture", Architecture::HOST.name(), "--from", &directory];
    rig.skydeck(typed.iter().chain(options)).await
}

async fn remove(rig: &Rig) -> Ended {
    rig.skydeck(["bootstrap", "--remove", "--yes"]).await
}

/// What the command has said on both sides, however the terminal breaks the lines.
fn said(ended: &Ended) -> String {
    let text = format!("{}\n{}", ended.stdout, ended.stderr).replace("\n  │", "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Calls that wrote anything since that one.
fn writes(rig: &Rig, since: u64) -> Vec<String> {
    let calls = rig.sandbox.calls_since(since).into_iter().filter(|call| call.write);
    calls.map(|call| format!("{}:{}", call.service, call.action)).collect()
}

fn kinds(items: &Value, change: &str) -> BTreeSet<String> {
    let items = items.as_array().expect("a list").iter().filter(|item| item["change"] == change);
    items.filter_map(|item| item["kind"].as_str().map(ToOwned::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_is_said_first_and_made_only_when_agreed_to() {
    let rig = Rig::start().await;
    let before = rig.sandbox.last_call();
    let asked = bootstrap(&rig, &[]).await;
    assert_eq!(asked.code, Some(2), "nobody is there to agree: {asked:#?}");
    let text = said(&asked);
    assert!(text.starts_with("account 000000000000, region ap-south-1"), "{text}");
    assert!(text.contains("create function skydeck-network") && text.contains("to create, 0 to update."), "{text}");
    assert!(text.contains("22 roles") && text.contains("policies --region") && text.contains("--yes"), "{text}");
    assert_eq!(writes(&rig, before), <[String; 0]>::default());

    let made = bootstrap(&rig, &["--yes", "--json"]).await.succeeded().json();
    let all = ["bucket", "code", "function", "log group", "policy", "queue", "record", "role", "rule", "state machine"];
    assert_eq!(kinds(&made, "created"), all.map(ToOwned::to_owned).into());

    let before = rig.sandbox.last_call();
    let again = bootstrap(&rig, &[]).await.succeeded();
    assert!(said(&again).contains("Nothing to change"), "no question where nothing changes: {again:#?}");
    assert_eq!(writes(&rig, before), <[String; 0]>::default());

    // What somebody has changed is said, and nothing else; of each kind of thing one.
    let (aws, account) = (&rig.aws, format!("skydeck-{}-{REGION}", skydeck_sandbox::ACCOUNT));
    aws.lambda()
        .update_function_configuration()
        .function_name("skydeck-network")
        .memory_size(1024)
        .send()
        .await
        .expect("it is there");
    aws.s3().delete_bucket_policy().bucket(&account).send().await.expect("it is there");
    let role = format!("skydeck-ask-{REGION}");
    aws.iam().delete_role_policy().role_name(&role).policy_name("skydeck").send().await.expect("it is there");
    aws.events().disable_rule().name("skydeck-push").send().await.expect("it is there");
    aws.logs().delete_log_group().log_group_name("/aws/lambda/skydeck-look").send().await.expect("it is there");
    let said_now = said(&bootstrap(&rig, &[]).await);
    for line in
        ["update function skydeck-network", "update rule skydeck-push", "create log group /aws/lambda/skydeck-look"]
    {
        assert!(said_now.contains(line), "{line}: {said_now}");
    }
    assert!(
        said_now.contains(&format!("update role {role}")) && said_now.contains(&format!("update bucket {account}"))
    );
    assert!(said_now.contains("Plan: 1 to create, 4 to update."), "{said_now}");
    bootstrap(&rig, &["--yes"]).await.succeeded();
    let now = said(&bootstrap(&rig, &[]).await.succeeded());
    assert!(now.contains("Nothing to change"), "{now}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_waits_for_the_platforms_ends_on_the_second_try_and_leaves_nothing() {
    let rig = Rig::installed().await;
    rig.skydeck(["apply", FILE]).await.succeeded();
    let before = rig.sandbox.last_call();
    let refused = remove(&rig).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    let text = said(&refused);
    for named in [PLATFORM, "its outputs", "VPC vpc-", "role skyfox-devprod-", "repository ", "bucket ", "parameter "] {
        assert!(text.contains(named), "{named}: {text}");
    }
    assert_eq!(writes(&rig, before), <[String; 0]>::default());
    rig.skydeck(["destroy", PLATFORM, "--yes"]).await.succeeded();

    // A role under the platforms' path is a platform's, with tags or without.
    let (lost, path) = ("lost-task-ap-south-1", format!("/skydeck/{REGION}/"));
    let made = rig.aws.iam().create_role().role_name(lost).path(path).assume_role_policy_document(TRUST);
    made.send().await.expect("the name is free");
    let stands = remove(&rig).await;
    assert!(stands.code == Some(1) && said(&stands).contains(&format!("tags are lost (role {lost})")), "{stands:#?}");
    rig.aws.iam().delete_role().role_name(lost).send().await.expect("it is there");

    // Somebody has taken the mark off one thing: it is not skydeck's any more.
    let group = "/aws/lambda/skydeck-sweep";
    let arn = format!("arn:aws:logs:{REGION}:{}:log-group:{group}", skydeck_sandbox::ACCOUNT);
    let request = rig.aws.logs().untag_resource().resource_arn(arn).tag_keys("skydeck:installation");
    request.send().await.expect("it is there");

    let asked = rig.skydeck(["bootstrap", "--remove"]).await;
    assert!(asked.code == Some(2) && said(&asked).contains("delete bucket skydeck-"), "{asked:#?}");
    rig.sandbox.inject(Fault::next("iam", "DeleteRole", FaultKind::Deny).from(5, 1));
    let died = remove(&rig).await;
    assert!(died.code == Some(1) && said(&died).contains("AccessDenied"), "{died:#?}");
    let half = left(&rig).await;
    assert!(half.len() > 10 && half.iter().all(|name| !name.contains("function")), "{half:#?}");
    let done = remove(&rig).await.succeeded();
    assert!(said(&done).contains("Removed: "), "{done:#?}");
    assert_eq!(left(&rig).await, [format!("log group {group}")]);
    let again = remove(&rig).await.succeeded();
    assert!(said(&again).contains("Nothing of skydeck is there."), "{again:#?}");

    let gone = rig.skydeck(["status"]).await;
    assert!(gone.code == Some(1) && said(&gone).contains("not installed"), "{gone:#?}");
    // What has the name is still nobody's but AWS's, and is taken over.
    rig.install().await;
}

/// All that bears skydeck's name, asked of each service.
async fn left(rig: &Rig) -> Vec<String> {
    let aws = &rig.aws;
    let mut left = Vec::new();
    let mut found = |kind: &str, names: Vec<Option<&str>>| {
        let ours = names.into_iter().flatten().filter(|name| name.contains("skydeck"));
        left.extend(ours.map(|name| format!("{kind} {name}")));
    };
    let rules = aws.events().list_rules().send().await.expect("rules");
    found("rule", rules.rules().iter().map(|rule| rule.name()).collect());
    let queues = aws.sqs().list_queues().send().await.expect("queues");
    found("queue", queues.queue_urls().iter().map(|url| Some(url.as_str())).collect());
    let machines = aws.sfn().list_state_machines().send().await.expect("state machines");
    found("state machine", machines.state_machines().iter().map(|machine| Some(machine.name())).collect());
    let functions = aws.lambda().list_functions().send().await.expect("functions");
    found("function", functions.functions().iter().map(|function| function.function_name()).collect());
    let groups = aws.logs().describe_log_groups().send().await.expect("log groups");
    found("log group", groups.log_groups().iter().map(|group| group.log_group_name()).collect());
    let roles = aws.iam().list_roles().send().await.expect("roles");
    found("role", roles.roles().iter().map(|role| Some(role.role_name())).collect());
    let local = aws_sdk_iam::types::PolicyScopeType::Local;
    let policies = aws.iam().list_policies().scope(local).send().await.expect("policies");
    found("policy", policies.policies().iter().map(|policy| policy.policy_name()).collect());
    let buckets = aws.s3().list_buckets().send().await.expect("buckets");
    found("bucket", buckets.buckets().iter().map(|bucket| bucket.name()).collect());
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_waits_for_runs() {
    let stage = Stage::ready().await;
    let rig = &stage.rig;
    // It never comes to an end: what it asks for has no answer.
    rig.sandbox.inject(Fault::next("s3", "GetObject", FaultKind::Hang).by("prepare").from(1, 0));
    rig.skydeck(["apply", FILE, "--no-follow"]).await.succeeded();
    let refused = remove(rig).await;
    assert!(refused.code == Some(1) && said(&refused).contains("runs go on: skyfox-devprod-apply-"), "{refused:#?}");
    assert!(left(rig).await.len() > 70, "nothing was deleted");
}

/// Names a directory with the command and the functions of an earlier commit, from which is upgraded.
const EARLIER: &str = "SKYDECK_EARLIER";

/// Installs what is upgraded from: the binaries of an earlier commit where they are given, or else today's functions with one
/// byte more, which are other code to Lambda.
async fn install_earlier(rig: &Rig) {
    if let Some(earlier) = std::env::var_os(EARLIER).map(PathBuf::from) {
        let mut command = tokio::process::Command::new(earlier.join("skydeck"));
        command.args(["bootstrap", "--architecture", Architecture::HOST.name(), "--binaries"]).arg(&earlier);
        let ended =
            command.envs(rig.sandbox.env()).stdin(std::process::Stdio::null()).output().await.expect("it starts");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        return;
    }
    let (today, other) = (built().await, rig.sandbox.dir().join("other"));
    std::fs::create_dir_all(&other).expect("a directory");
    for name in skydeck_bootstrap::install::binaries() {
        let path = Some(today.join(name)).filter(|path| path.is_file());
        let mut binary =
            std::fs::read(path.unwrap_or_else(|| today.join(format!("skydeck-{name}")))).expect("it is built");
        binary.push(0);
        let path = other.join(name);
        std::fs::write(&path, binary).expect("a file");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    }
    rig.bootstrap(&other).await;
}

/// Upgrades to today's functions as soon as a function is held up, and lets it go on; the number of the last call until then.
async fn upgrade(rig: &Rig, strikes: u64) -> u64 {
    rig.sandbox.strike_after(strikes).await;
    rig.install().await;
    let live = rig.sandbox.last_call();
    rig.sandbox.clear_faults();
    live
}

/// How many calls functions have made since that one.
fn by_functions(rig: &Rig, since: u64) -> usize {
    let names: BTreeSet<&str> = skydeck_aws::function::FUNCTIONS.iter().map(|function| function.name).collect();
    rig.sandbox.calls_since(since).iter().filter(|call| names.contains(call.caller.as_str())).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_and_a_rollout_that_began_before_an_upgrade_end_well() {
    let rig = Rig::start().await;
    install_earlier(&rig).await;
    let stage = Stage::of(rig).await;
    let rig = &stage.rig;

    let hold = |service: &str, action: &str, function: &str| {
        rig.sandbox.inject(Fault::next(service, action, FaultKind::Hang).by(function).from(1, 0));
        rig.sandbox.strikes()
    };
    let strikes = hold("ec2", "CreateSubnet", "network");
    let mut command = rig.command(["apply", FILE, "--json"]);
    let applying = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let live = upgrade(rig, strikes).await;
    let ended = applying.wait_with_output().await.expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert!(by_functions(rig, live) > 0, "the apply went on after the upgrade");
    stage.quiet().await;

    install_earlier(rig).await;
    let strikes = hold("ecs", "UpdateService", "release");
    let pushed = stage.push("movie", "v1", &Image::new("1")).await;
    let live = upgrade(rig, strikes).await;
    let ended = stage.ended(&pushed.digest).await;
    assert_eq!(ended.output["verdict"], "succeeded", "{ended:#?}");
    assert!(by_functions(rig, live) > 0, "the rollout went on after the upgrade");
    assert_eq!(stage.serving("movie").await.as_deref(), Some(pushed.digest.as_str()));

    // What is there tells its version, and a newer one is not misread.
    let version = rig.skydeck(["version", "--json"]).await.succeeded().json();
    assert_eq!((&version["differ"], &version["installation"]), (&false.into(), &version["command"]), "{version:#}");
    let bucket = format!("skydeck-{}-{REGION}", skydeck_sandbox::ACCOUNT);
    let write = async |key: &str, value: Value| {
        let body = value.to_string().into_bytes();
        rig.aws.s3().put_object().bucket(&bucket).key(key).body(body.into()).send().await.expect("written");
    };
    write("installation.json", json!({ "format": 1, "version": "9.9.9" })).await;
    let version = said(&rig.skydeck(["version"]).await.succeeded());
    assert!(version.contains("installation 9.9.9 in account") && version.contains("They differ."), "{version}");
    write("platforms/skyfox-devprod/outputs.json", json!({ "format": 2 })).await;
    let newer = rig.skydeck(["outputs"]).await;
    assert!(newer.code == Some(1) && said(&newer).contains("written by a newer skydeck (format 2"), "{newer:#?}");
    let machine = format!("arn:aws:states:{REGION}:{}:stateMachine:skydeck-provision", skydeck_sandbox::ACCOUNT);
    let input = json!({ "format": 2, "mode": "plan", "platform": PLATFORM }).to_string();
    let started =
        rig.aws.sfn().start_execution().state_machine_arn(machine).input(input).send().await.expect("started");
    let followed = rig.skydeck(["follow", &started.execution_arn]).await;
    assert!(
        followed.code == Some(1) && said(&followed).contains("written by a newer skydeck (format 2"),
        "{followed:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_is_installed_and_what_is_wrong_with_it_is_said() {
    let rig = Rig::start().await;
    let (directory, archive) = (built().await.display().to_string(), rig.sandbox.dir().join("skydeck.zip"));
    let archive = archive.display().to_string();
    let host = Architecture::HOST.name();
    let other = if host == "arm64" { "x86_64" } else { "arm64" };
    let pack = |architecture| {
        rig.skydeck(["package", "--from", &directory, "--architecture", architecture, "--output", &archive])
    };
    let wrong = pack(other).await;
    assert!(wrong.code == Some(1) && said(&wrong).contains(&format!("is built for {host}")), "{wrong:#?}");
    pack(host).await.succeeded();

    // Outside a checkout, and with nothing of Rust.
    let elsewhere = tempfile::tempdir().expect("a directory");
    let away = async |options: &[&str]| {
        let mut command = rig.command(options);
        let output = command.current_dir(elsewhere.path()).env("PATH", "").output().await.expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    };
    let without = away(&["bootstrap", "--yes"]).await;
    assert!(without.code == Some(2) && said(&without).contains("--from ARCHIVE"), "{without:#?}");
    let wrong = away(&["bootstrap", "--yes", "--from", &archive, "--architecture", other]).await;
    assert!(wrong.code == Some(1) && said(&wrong).contains(&format!("are built for {host}")), "{wrong:#?}");
    let installed = away(&["bootstrap", "--yes", "--from", &archive]).await.succeeded();
    assert!(said(&installed).contains("Installed: "), "{installed:#?}");
    let again = said(&bootstrap(&rig, &[]).await.succeeded());
    assert!(again.contains("Nothing to change"), "what was packed is what is built: {again}");
}
