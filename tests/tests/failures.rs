//! Applies that fail at a layer: told so that a person understands, and the same command converges when the cause is gone.

use std::process::Stdio;

use aws_sdk_ec2::types::Filter;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use skydeck_sandbox::{Fault, FaultKind};
use skydeck_tests::Rig;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const BUCKET: &str = "skyfox-devprod-profile-images";
const NAME: &str = "skyfox-devprod-instance-ap-south-1";
const APPLY: [&str; 3] = ["apply", "platforms/skyfox.toml", "--json"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_bucket_name_and_a_denied_action_are_told_and_the_same_command_converges_afterwards() {
    let rig = Rig::installed().await;

    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::ApSouth1).build();
    let theirs = rig.foreign.s3().create_bucket().bucket(BUCKET).create_bucket_configuration(place);
    theirs.send().await.expect("somebody else's bucket");
    rig.aws.iam().create_role().role_name(NAME).assume_role_policy_document("{}").send().await.expect("a role");
    rig.aws.ecs().create_cluster().cluster_name("skyfox-devprod").send().await.expect("a cluster");
    let before = rig.sandbox.last_call();
    let failure = failed(&rig).await;
    assert_eq!(failure["layer"], "prepare", "{failure:#}");
    let cause = failure["cause"].as_str().unwrap_or_default();
    assert!(cause.contains(BUCKET) && cause.contains("suffix"), "names the bucket and the way out: {cause}");
    assert!(
        cause.contains(&format!("role {NAME}")) && cause.contains("cluster skyfox-devprod"),
        "and the others: {cause}"
    );
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "before anything is made: {writes:#?}");
    rig.foreign.s3().delete_bucket().bucket(BUCKET).send().await.expect("it is still theirs");
    rig.aws.iam().delete_role().role_name(NAME).send().await.expect("so is the role");
    rig.aws.ecs().delete_cluster().cluster("skyfox-devprod").send().await.expect("and the cluster");

    rig.sandbox.inject(Fault::next("elasticloadbalancing", "CreateTargetGroup", FaultKind::Deny).from(1, 0));
    let failure = failed(&rig).await;
    assert_eq!((&failure["layer"], &failure["error"]), (&"balancer".into(), &"AccessDenied".into()), "{failure:#}");
    let cause = failure["cause"].as_str().unwrap_or_default();
    assert!(cause.contains("create target group skyfox-devprod-") && cause.contains("permission"), "{cause}");
    rig.sandbox.clear_faults();

    rig.skydeck(APPLY).await.succeeded();
    let before = rig.sandbox.last_call();
    rig.skydeck(APPLY).await.succeeded();
    assert!(rig.writes_since(before).is_empty(), "it has converged");
    a_destroy_names_what_is_in_its_way_and_deletes_nothing(&rig).await;
    ctrl_c_stops_following_and_the_run_goes_on(&rig).await;
}

async fn a_destroy_names_what_is_in_its_way_and_deletes_nothing(rig: &Rig) {
    let named = Filter::builder().name("tag:Name").values("skyfox-devprod-vpc").build();
    let vpcs = rig.aws.ec2().describe_vpcs().filters(named).send().await.expect("VPCs");
    let vpc = vpcs.vpcs()[0].vpc_id().expect("an id");
    let subnet = rig.aws.ec2().create_subnet().vpc_id(vpc).cidr_block("10.0.200.0/24").send().await.expect("a subnet");
    let subnet = subnet.subnet().and_then(|subnet| subnet.subnet_id()).expect("an id").to_owned();
    let before = rig.sandbox.last_call();
    let ended = rig.skydeck(["destroy", "skyfox-devprod", "--yes", "--json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let json = ended.json();
    let (layer, cause) = json["cause"].as_str().and_then(|cause| cause.split_once(": ")).expect("a cause");
    let failure = json!({ "layer": layer, "error": json["error"], "cause": cause });
    // Where the run never began there is no conclusion.
    assert!(layer == "prepare" || json["conclusion"]["failure"] == failure, "{json:#}");
    assert_eq!((&failure["layer"], &failure["error"]), (&"prepare".into(), &"Refused".into()), "{failure:#}");
    assert!(failure["cause"].as_str().unwrap_or_default().contains(&format!("subnet {subnet}")), "{failure:#}");
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "{writes:#?}");
    rig.aws.ec2().delete_subnet().subnet_id(subnet).send().await.expect("it is still theirs");
}

async fn ctrl_c_stops_following_and_the_run_goes_on(rig: &Rig) {
    let mut command = rig.command(["apply", "platforms/skyfox.toml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("skydeck can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let execution = lines.next_line().await.expect("text").expect("the execution's name");
    let pid = child.id().expect("it runs").to_string();
    let interrupted = Command::new("kill").args(["-INT", &pid]).status().await.expect("kill can be started");
    assert!(interrupted.success());
    let mut told = String::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        told += &line;
    }
    assert_eq!(child.wait().await.expect("it ends").code(), Some(130), "{told}");
    assert!(told.contains("follow") && told.contains(&execution), "says how to follow again: {told}");
    let followed = rig.skydeck(["follow", &execution]).await.succeeded();
    assert!(followed.stdout.contains("0 created, 0 changed, 0 deleted"), "the run went on: {followed:#?}");
}

/// An apply that fails: the command says so, and so does the execution, in its own error and cause.
async fn failed(rig: &Rig) -> Value {
    let ended = rig.skydeck(APPLY).await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let json = ended.json();
    let (layer, cause) = json["cause"].as_str().and_then(|cause| cause.split_once(": ")).expect("a cause");
    let failure = json!({ "layer": layer, "error": json["error"], "cause": cause });
    // Where the run never began there is no conclusion.
    assert!(layer == "prepare" || json["conclusion"]["failure"] == failure, "{json:#}");
    let machines = rig.aws.sfn().list_state_machines().send().await.expect("state machines");
    let machine = machines.state_machines().iter().find(|machine| machine.name() == "skydeck-provision");
    let machine = machine.expect("the state machine").state_machine_arn();
    let executions = rig.aws.sfn().list_executions().state_machine_arn(machine).max_results(1).send().await;
    let executions = executions.expect("executions");
    let arn = executions.executions()[0].execution_arn();
    let execution = rig.aws.sfn().describe_execution().execution_arn(arn).send().await.expect("the execution");
    assert_eq!(*execution.status(), ExecutionStatus::Failed);
    assert_eq!(execution.error(), failure["error"].as_str());
    let cause =
        format!("{}: {}", failure["layer"].as_str().unwrap_or_default(), failure["cause"].as_str().unwrap_or_default());
    assert_eq!(execution.cause(), Some(cause.as_str()));
    failure
}
