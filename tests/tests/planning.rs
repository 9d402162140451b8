//! Plans through the real state machine: what they show, what they write, and that one is applied as it was shown or not
//! at all.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, IpPermission, Ipv6Range};
use aws_sdk_s3::types::{Delete, ObjectIdentifier, Tag, Tagging};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;
use skydeck_sandbox::ACCOUNT;
use skydeck_tests::rollouts::until;
use skydeck_tests::{Ended, Rig, root};

const FILE: &str = "platforms/skyfox.toml";
const HOME: &str = "skydeck-000000000000-ap-south-1";
const BUCKET: &str = "skyfox-devprod-profile-images";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_applied_as_it_was_shown_or_refused_where_something_moved() {
    let rig = Rig::installed().await;
    a_bad_plan_is_an_error_and_no_change(&rig).await;

    let first = plan(&rig, FILE, 2).await;
    assert!(object(&rig, "platform.toml").await.is_none(), "a file that is only planned with is nobody's platform yet");
    let told = rig.skydeck(["plan"]).await;
    assert!(told.code == Some(1) && told.stderr.contains("no platform was applied yet"), "{told:#?}");
    let shown = names(&first, "target group");
    let applied = rig.skydeck(["apply", "--plan", id(&first), "--json"]).await.succeeded().json();
    assert_eq!(applied["conclusion"]["mode"], "apply", "{applied:#}");
    assert_eq!(object(&rig, "platform.toml").await, std::fs::read_to_string(root().join(FILE)).ok());
    assert_eq!(target_groups(&rig).await, shown, "the names that the plan has shown");
    assert_eq!(first["counts"]["create"].as_u64(), Some(sum(&applied, "created")), "what was shown is what happened");

    let empty = plan(&rig, FILE, 0).await;
    what_moved_is_named_before_anything_is_written(&rig, &empty).await;
    let file = a_change_is_shown_and_is_what_happens(&rig).await;
    the_console_shows_the_summary(&rig).await;
    the_sweep_tells_of_drift_once(&rig, &file).await;
    skydecks_own_bucket_may_be_lost(&rig, &file).await;
}

async fn a_bad_plan_is_an_error_and_no_change(rig: &Rig) {
    let ended = rig.skydeck(["plan", "no-such-file.toml"]).await;
    assert_eq!(ended.code, Some(1), "2 would say that something changes: {ended:#?}");
    let ended = rig.skydeck(["plan", "--no-such-flag"]).await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let ended = rig.skydeck(["apply", "--plan", "no-such-plan"]).await;
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.stderr.contains("no-such-plan"), "{ended:#?}");
}

/// A rule and a tag behind our back: a plan from before refuses, one from now shows them, and its apply repairs them.
async fn what_moved_is_named_before_anything_is_written(rig: &Rig, before: &Value) {
    open_a_port(rig).await;
    let key = Tag::builder().key("somebody").value("else").build().expect("a tag");
    let found = rig.aws.s3().get_bucket_tagging().bucket(BUCKET).send().await.expect("tags");
    let tags = Tagging::builder().set_tag_set(Some(found.tag_set)).tag_set(key).build().expect("tags");
    rig.aws.s3().put_bucket_tagging().bucket(BUCKET).tagging(tags).send().await.expect("tagged");

    let call = rig.sandbox.last_call();
    let refused = rig.skydeck(["apply", "--plan", id(before), "--json"]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    let failure = refused.json()["conclusion"]["failure"].clone();
    assert_eq!(failure["error"], "Moved", "{failure:#}");
    let cause = failure["cause"].as_str().unwrap_or_default();
    assert!(cause.contains("the network layer and the storage layer have moved"), "{cause}");
    let writes = rig.writes_since(call);
    assert!(writes.is_empty(), "{writes:#?}");
    assert!(object(rig, "lock.json").await.is_none(), "it gave the lock back");

    let now = plan(rig, FILE, 2).await;
    assert_eq!((&now["counts"]["change"], &now["counts"]["create"]), (&1.into(), &0.into()), "{now:#}");
    let text = rig.skydeck(["follow", id(&now)]).await.succeeded().stdout;
    assert!(text.contains("~ security group skyfox-devprod-instances"), "a plan can be seen again: {text}");
    rig.skydeck(["apply", "--plan", id(&now)]).await.succeeded();
    plan(rig, FILE, 0).await;
}

/// To all of IPv6.
async fn open_a_port(rig: &Rig) {
    let named = Filter::builder().name("group-name").values("skyfox-devprod-instances").build();
    let groups = rig.aws.ec2().describe_security_groups().filters(named).send().await.expect("groups");
    let group = groups.security_groups()[0].group_id().expect("an id");
    let everybody = Ipv6Range::builder().cidr_ipv6("::/0").build();
    let open = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ipv6_ranges(everybody).build();
    let request = rig.aws.ec2().authorize_security_group_ingress().group_id(group).ip_permissions(open);
    request.send().await.expect("opened");
}

/// With old and new values, and with what forces a replacement. Returns the file that then is the platform's.
async fn a_change_is_shown_and_is_what_happens(rig: &Rig) -> String {
    let text = std::fs::read_to_string(root().join(FILE)).expect("the file");
    let way = |balancer: &str| format!("load-balancer = \"{balancer}\"\npath = \"/movie-service*\"");
    let changed = text.replace(&way("internal"), &way("external"));
    let file = changed_file(&changed);
    let planned = plan(rig, &file, 2).await;
    let group = change(&planned, "target group");
    let attribute = |name: &str| {
        let all = group["attributes"].as_array().into_iter().flatten();
        all.clone().find(|found| found["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(group["action"], "replace", "{planned:#}");
    let found = attribute("load_balancer");
    let values = (&found["old"], &found["new"], &found["forces_replacement"]);
    let (old, new) = ("skyfox-devprod-internal".into(), "skyfox-devprod-external".into());
    assert_eq!(values, (&old, &new, &true.into()), "{group:#}");
    // Somebody else uploads another file: the plan must not undo it.
    let other = changed_file(&text.replace("max = 4", "max = 5"));
    rig.skydeck(["apply", &other]).await.succeeded();
    let refused = rig.skydeck(["apply", "--plan", id(&planned)]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stdout.contains("the platform file has moved"), "{refused:#?}");
    let planned = plan(rig, &file, 2).await;
    let applied = rig.skydeck(["apply", "--plan", id(&planned), "--json"]).await.succeeded().json();
    let words = [("create", "created"), ("change", "updated"), ("replace", "replaced"), ("delete", "deleted")];
    for (shown, done) in words {
        assert_eq!(planned["counts"][shown].as_u64(), Some(sum(&applied, done)), "{shown}: {planned:#}\n{applied:#}");
    }
    plan(rig, &file, 0).await;
    file
}

/// A number of resources, of all layers.
fn sum(applied: &Value, what: &str) -> u64 {
    let layers = applied["conclusion"]["layers"].as_array().into_iter().flatten();
    layers.filter_map(|layer| layer[what].as_u64()).sum()
}

/// As a person starts it there.
async fn the_console_shows_the_summary(rig: &Rig) {
    let machines = rig.aws.sfn().list_state_machines().send().await.expect("state machines");
    let machine = machines.state_machines().iter().find(|machine| machine.name() == "skydeck-provision");
    let machine = machine.expect("the state machine").state_machine_arn();
    let request = rig.aws.sfn().start_execution().state_machine_arn(machine).input(r#"{"mode":"plan"}"#);
    let arn = request.send().await.expect("started").execution_arn;
    rig.skydeck(["follow", &arn]).await.succeeded();
    let execution = rig.aws.sfn().describe_execution().execution_arn(&arn).send().await.expect("the execution");
    assert_eq!(*execution.status(), ExecutionStatus::Succeeded);
    let output: Value = serde_json::from_str(execution.output().unwrap_or_default()).expect("JSON");
    assert_eq!(output["plan"]["summary"], "Plan: 0 to create, 0 to change, 0 to replace, 0 to delete.", "{output:#}");
}

/// What is changed behind our back is an event, the same change is no second one, and a file that is yet to be applied is none.
async fn the_sweep_tells_of_drift_once(rig: &Rig, file: &str) {
    // The schedule may have come due by itself before, when there was something to tell.
    let before = drifts(rig).len();
    let new = || drifts(rig).split_off(before);
    sweep(rig).await;
    assert!(new().is_empty(), "nothing differs: {:#?}", new());
    open_a_port(rig).await;
    somebody_who_changes_the_platform_is_no_drift(rig).await;
    assert!(new().is_empty(), "{:#?}", new());
    sweep(rig).await;
    let told = new();
    let changes = &told[0]["layers"][0]["changes"][0];
    let found = (&told[0]["platform"], &changes["action"], &changes["kind"], &changes["name"]);
    let wanted = ["skyfox-devprod", "update", "security group", "skyfox-devprod-instances"].map(Value::from);
    assert_eq!(found, (&wanted[0], &wanted[1], &wanted[2], &wanted[3]), "{told:#?}");
    sweep(rig).await;
    assert_eq!(new().len(), 1, "the same is told once: {:#?}", new());

    rig.skydeck(["apply", file]).await.succeeded();
    sweep(rig).await;
    open_a_port(rig).await;
    sweep(rig).await;
    assert_eq!(new().len(), 2, "what was repaired in between is told anew");
    rig.skydeck(["apply", file]).await.succeeded();
}

/// The sweep's plan, as it goes on when somebody takes the lock after it has begun.
async fn somebody_who_changes_the_platform_is_no_drift(rig: &Rig) {
    let known = drift_plans(rig).await;
    let input = r#"{"mode":"plan","platform":"skyfox-devprod","drift":true}"#;
    let request = rig.aws.sfn().start_execution().state_machine_arn(drift_machine()).input(input);
    let started = request.send().await.expect("started");
    // Any execution that runs as long as the plan does.
    lock(rig, &started.execution_arn).await;
    another_plan_ends(rig, &known).await;
    let unlock = rig.aws.s3().delete_object().bucket(HOME).key("platforms/skyfox-devprod/lock.json");
    unlock.send().await.expect("given back");
}

async fn lock(rig: &Rig, execution: &str) {
    let lock = serde_json::json!({ "execution": execution }).to_string().into_bytes();
    let request = rig.aws.s3().put_object().bucket(HOME).key("platforms/skyfox-devprod/lock.json").body(lock.into());
    request.send().await.expect("locked");
}

/// Makes the sweep due, and waits until a plan that began after this has ended.
async fn sweep(rig: &Rig) {
    let known = drift_plans(rig).await;
    rig.sandbox.fire("skydeck-sweep").await.expect("the schedule is there");
    another_plan_ends(rig, &known).await;
}

async fn another_plan_ends(rig: &Rig, known: &BTreeMap<String, ExecutionStatus>) {
    until(async || {
        let plans = drift_plans(rig).await;
        let mut others = plans.iter().filter(|(arn, _)| !known.contains_key(*arn)).peekable();
        let ended = others.peek().is_some() && others.all(|(_, status)| *status == ExecutionStatus::Succeeded);
        if ended { Ok(()) } else { Err(format!("the sweep's plan does not end: {plans:#?}")) }
    })
    .await;
}

/// The sweeps' plans so far, by their executions' ARNs.
async fn drift_plans(rig: &Rig) -> BTreeMap<String, ExecutionStatus> {
    let listed = rig.aws.sfn().list_executions().state_machine_arn(drift_machine()).send().await.expect("executions");
    assert!(listed.executions().iter().all(|run| *run.status() != ExecutionStatus::Failed), "{listed:#?}");
    listed.executions().iter().map(|run| (run.execution_arn().to_owned(), run.status().clone())).collect()
}

fn drift_machine() -> String {
    format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-drift")
}

/// The details of all `Drift` events.
fn drifts(rig: &Rig) -> Vec<Value> {
    let events = rig.sandbox.events().into_iter().map(|event| event.envelope);
    events.filter(|event| event.detail_type == "Drift").map(|event| event.detail).collect()
}

/// The account is the state: with the bucket all plans, reports and the file are gone, and nothing is made twice.
async fn skydecks_own_bucket_may_be_lost(rig: &Rig, file: &str) {
    let s3 = rig.aws.s3();
    let found = s3.list_object_versions().bucket(HOME).send().await.expect("versions");
    let identified = |key: Option<&str>, version: Option<&str>| {
        ObjectIdentifier::builder().key(key.unwrap_or_default()).set_version_id(version.map(Into::into)).build()
    };
    let versions = found.versions().iter().map(|found| identified(found.key(), found.version_id()));
    let markers = found.delete_markers().iter().map(|found| identified(found.key(), found.version_id()));
    let all: Vec<_> = versions.chain(markers).collect::<Result<_, _>>().expect("keys");
    for some in all.chunks(1000) {
        let delete = Delete::builder().set_objects(Some(some.to_vec())).build().expect("objects");
        s3.delete_objects().bucket(HOME).delete(delete).send().await.expect("deleted");
    }
    s3.delete_bucket().bucket(HOME).send().await.expect("the bucket is empty");
    let told = rig.skydeck(["plan", file]).await;
    assert!(told.code == Some(1) && told.stderr.contains("skydeck bootstrap"), "says what to do: {told:#?}");

    rig.install().await;
    let before = rig.sandbox.last_call();
    let applied = rig.skydeck(["apply", file, "--json"]).await.succeeded().json();
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "{writes:#?}");
    for layer in applied["conclusion"]["layers"].as_array().expect("layers") {
        let changed = ["created", "updated", "replaced", "deleted"].map(|key| layer[key].as_u64());
        assert_eq!(changed, [Some(0); 4], "{layer:#}");
    }
}

/// A plan of a file, which ends with this code.
async fn plan(rig: &Rig, file: &str, code: i32) -> Value {
    let before = rig.sandbox.last_call();
    let ended: Ended = rig.skydeck(["plan", file, "--json"]).await;
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "a plan wrote: {writes:#?}");
    ended.json()
}

fn id(plan: &Value) -> &str {
    plan["id"].as_str().expect("an id")
}

fn changes(plan: &Value) -> impl Iterator<Item = &Value> {
    let layers = plan["layers"].as_array().into_iter().flatten();
    layers.flat_map(|layer| layer["changes"].as_array().into_iter().flatten())
}

fn change<'a>(plan: &'a Value, kind: &str) -> &'a Value {
    changes(plan).find(|change| change["kind"] == kind).expect("a change of this kind")
}

fn names(plan: &Value, kind: &str) -> BTreeSet<String> {
    let of_kind = changes(plan).filter(|change| change["kind"] == kind);
    of_kind.filter_map(|change| change["name"].as_str()).map(Into::into).collect()
}

async fn target_groups(rig: &Rig) -> BTreeSet<String> {
    let found = rig.aws.elb().describe_target_groups().send().await.expect("target groups");
    found.target_groups().iter().filter_map(|group| group.target_group_name()).map(Into::into).collect()
}

/// The text of an object of the platform in skydeck's own bucket.
async fn object(rig: &Rig, name: &str) -> Option<String> {
    let key = format!("platforms/skyfox-devprod/{name}");
    let found = rig.aws.s3().get_object().bucket(HOME).key(key).send().await.ok()?;
    let body = found.body.collect().await.expect("a body");
    Some(String::from_utf8(body.to_vec()).expect("text"))
}

/// A platform file of this test's own.
fn changed_file(text: &str) -> String {
    let mut hash = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(text, &mut hash);
    let name = format!("skydeck-plan-{}-{:x}.toml", std::process::id(), std::hash::Hasher::finish(&hash));
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}
