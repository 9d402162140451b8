//! The lock: of two runs one works, and a killed one is followed by the next, once its functions can no longer write.

use std::process::Stdio;

use aws_sdk_sfn::types::ExecutionStatus;
use skydeck_sandbox::{Fault, FaultKind};
use skydeck_tests::matrix::kill_function;
use skydeck_tests::{Rig, root};

const GROUP: &str = "skyfox-devprod-instances";
const APPLY: [&str; 2] = ["apply", "platforms/skyfox.toml"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_run_names_the_first_and_takes_over_after_the_safe_time_when_that_was_killed() {
    let rig = Rig::installed().await;
    let strikes = rig.sandbox.strikes();
    rig.sandbox.inject(Fault::next("ec2", "CreateSubnet", FaultKind::HangAfter).by("network"));
    let mut command = rig.command(APPLY);
    let mut first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("skydeck can be started");
    rig.sandbox.strike_after(strikes).await;
    let holder = running(&rig).await;

    let second = rig.skydeck(APPLY).await;
    assert_eq!(second.code, Some(1), "{second:#?}");
    let told = format!("{}{}", second.stdout, second.stderr);
    assert!(told.contains(&format!("{holder} is at work on skyfox-devprod")), "says who holds the lock: {told}");

    let before = rig.sandbox.last_call();
    rig.aws.sfn.stop_execution().execution_arn(&holder).send().await.expect("it can be stopped");
    kill_function("network", rig.sandbox.endpoint()).await;
    assert!(!first.wait().await.expect("it ends").success());
    rig.skydeck(APPLY).await.succeeded();
    let looks = |call: &skydeck_sandbox::Call| call.caller == "prepare" && call.action == "DescribeExecution";
    let looks = rig.sandbox.calls_since(before).iter().filter(|call| looks(call)).count();
    assert!(looks > 1, "Prepare waits until the killed run's functions can no longer write");

    let before = rig.sandbox.last_call();
    rig.skydeck(APPLY).await.succeeded();
    assert!(rig.writes_since(before).is_empty(), "what the killed run has begun was finished");
    let vpcs = rig.aws.ec2.describe_vpcs().send().await.expect("VPCs");
    let ours = vpcs.vpcs().iter().filter(|vpc| vpc.cidr_block() == Some("10.0.0.0/16")).count();
    assert_eq!(ours, 1, "{vpcs:?}");
    a_run_works_by_the_file_that_it_was_started_with(&rig).await;
}

/// Somebody else uploads another file before `Prepare` has read: the run's input says which one is meant.
async fn a_run_works_by_the_file_that_it_was_started_with(rig: &Rig) {
    let machine = machine(rig).await;
    let started = rig.aws.sfn.list_executions().state_machine_arn(&machine).max_results(1).send().await;
    let started = started.expect("executions").executions()[0].execution_arn().to_owned();
    let started = rig.aws.sfn.describe_execution().execution_arn(started).send().await.expect("the execution");
    let input = started.input().expect("its input");
    let (home, key) = ("skydeck-000000000000-ap-south-1", "platforms/skyfox-devprod/platform.toml");
    let file = std::fs::read_to_string(root().join(APPLY[1])).expect("the file");
    let other = file.replace("max = 4", "max = 5").into_bytes();
    rig.aws.s3.put_object().bucket(home).key(key).body(other.into()).send().await.expect("uploaded");

    let again = rig.aws.sfn.start_execution().state_machine_arn(&machine).input(input).send().await.expect("started");
    rig.skydeck(["follow", &again.execution_arn]).await.succeeded();
    assert_eq!(most(rig).await, Some(4), "{input}");
    let latest = r#"{"mode":"apply","platform":"skyfox-devprod"}"#;
    let latest = rig.aws.sfn.start_execution().state_machine_arn(&machine).input(latest).send().await.expect("started");
    rig.skydeck(["follow", &latest.execution_arn]).await.succeeded();
    assert_eq!(most(rig).await, Some(5), "one that names no version works by the last");
}

/// How many instances the group may have.
async fn most(rig: &Rig) -> Option<i32> {
    let found = rig.aws.autoscaling.describe_auto_scaling_groups().send().await.expect("groups");
    let ours = found.auto_scaling_groups().iter().find(|found| found.auto_scaling_group_name() == Some(GROUP));
    ours.and_then(|found| found.max_size())
}

async fn machine(rig: &Rig) -> String {
    let machines = rig.aws.sfn.list_state_machines().send().await.expect("state machines");
    let machine = machines.state_machines().iter().find(|machine| machine.name() == "skydeck-provision");
    machine.expect("the machine").state_machine_arn().to_owned()
}

/// The execution that runs.
async fn running(rig: &Rig) -> String {
    let running = rig.aws.sfn.list_executions().state_machine_arn(machine(rig).await);
    let running = running.status_filter(ExecutionStatus::Running).send().await.expect("executions");
    running.executions()[0].execution_arn().to_owned()
}
