//! The lock: of two runs one works, and a killed one is followed by the next, once its functions can no longer write.

use std::process::Stdio;

use aws_sdk_sfn::types::ExecutionStatus;
use skydeck_sandbox::{Fault, FaultKind};
use skydeck_tests::Rig;
use skydeck_tests::matrix::kill_function;

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
    rig.aws.sfn().stop_execution().execution_arn(&holder).send().await.expect("it can be stopped");
    kill_function("network", rig.sandbox.endpoint()).await;
    assert!(!first.wait().await.expect("it ends").success());
    rig.skydeck(APPLY).await.succeeded();
    let looks = |call: &skydeck_sandbox::Call| call.caller == "prepare" && call.action == "DescribeExecution";
    let looks = rig.sandbox.calls_since(before).iter().filter(|call| looks(call)).count();
    assert!(looks > 1, "Prepare waits until the killed run's functions can no longer write");

    let before = rig.sandbox.last_call();
    rig.skydeck(APPLY).await.succeeded();
    assert!(rig.writes_since(before).is_empty(), "what the killed run has begun was finished");
    let vpcs = rig.aws.ec2().describe_vpcs().send().await.expect("VPCs");
    let ours = vpcs.vpcs().iter().filter(|vpc| vpc.cidr_block() == Some("10.0.0.0/16")).count();
    assert_eq!(ours, 1, "{vpcs:?}");
}

/// The execution that runs.
async fn running(rig: &Rig) -> String {
    let sfn = rig.aws.sfn();
    let machines = sfn.list_state_machines().send().await.expect("state machines");
    let machine = machines.state_machines().iter().find(|machine| machine.name() == "skydeck-provision");
    let running = sfn.list_executions().state_machine_arn(machine.expect("the machine").state_machine_arn());
    let running = running.status_filter(ExecutionStatus::Running).send().await.expect("executions");
    running.executions()[0].execution_arn().to_owned()
}
