//! The acceptance run, whole, against the local AWS: what it sees, what it refuses, and that it leaves nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use skydeck_bootstrap::acceptance::POINTS;
use skydeck_bootstrap::cli::Architecture;
use skydeck_sandbox::{ACCOUNT, Fault, FaultKind};
use skydeck_tests::rollouts::until;
use skydeck_tests::{Ended, Rig, built};
use tokio::process::{Child, Command};

const REGION: &str = "ap-south-1";

/// A sandbox, an archive, and where the report goes.
struct Site {
    rig: Rig,
    archive: String,
    report: String,
}

impl Site {
    async fn start() -> Self {
        let rig = Rig::start_at(Some(60.0)).await;
        let (directory, file) = (built().await.display().to_string(), |name: &str| rig.sandbox.dir().join(name));
        let [archive, report] = ["skydeck.zip", "report.md"].map(|name| file(name).display().to_string());
        let host = Architecture::HOST.name();
        let pack = ["package", "--from", &directory, "--architecture", host, "--output", &archive];
        rig.skydeck(pack).await.succeeded();
        Site { rig, archive, report }
    }

    fn acceptance(&self) -> Command {
        let named = ["acceptance", "--json", "--yes", "--account", ACCOUNT, "--region", REGION];
        self.rig.command(named.into_iter().chain(["--from", &self.archive, "--output", &self.report]))
    }

    async fn run(&self) -> Ended {
        ended(self.acceptance()).await
    }

    /// Begins a run, and waits until its apply has made a subnet.
    async fn begin(&self) -> Child {
        let before = self.rig.sandbox.last_call();
        let child = self.acceptance().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until(async || {
            let calls = self.rig.sandbox.calls_since(before);
            let made = calls.iter().any(|call| call.action == "CreateSubnet");
            if made { Ok(()) } else { Err("the apply makes no subnet".to_owned()) }
        })
        .await;
        child
    }

    async fn clean(&self) -> Ended {
        self.rig.skydeck(["acceptance", "--clean", "--yes", "--account", ACCOUNT, "--region", REGION]).await
    }

    /// All that is in the account, asked of each service; what AWS itself puts there is not counted.
    async fn left(&self) -> Vec<String> {
        let aws = &self.rig.aws;
        let mut left = Vec::new();
        let mut add = |kind: &str, names: Vec<Option<&str>>| {
            left.extend(names.into_iter().flatten().map(|name| format!("{kind} {name}")));
        };
        let found = aws.ec2().describe_vpcs().send().await.unwrap();
        let made = found.vpcs().iter().filter(|vpc| vpc.is_default() != Some(true));
        add("VPC", made.map(|vpc| vpc.vpc_id()).collect());
        let found = aws.iam().list_roles().send().await.unwrap();
        let made = found.roles().iter().filter(|role| !role.path().starts_with("/aws-service-role/"));
        add("role", made.map(|role| Some(role.role_name())).collect());
        let found = aws.s3().list_buckets().send().await.unwrap();
        add("bucket", found.buckets().iter().map(|bucket| bucket.name()).collect());
        let found = aws.lambda().list_functions().send().await.unwrap();
        add("function", found.functions().iter().map(|function| function.function_name()).collect());
        let found = aws.sfn().list_state_machines().send().await.unwrap();
        add("state machine", found.state_machines().iter().map(|machine| Some(machine.name())).collect());
        let found = aws.ecr().describe_repositories().send().await.unwrap();
        add("repository", found.repositories().iter().map(|repository| repository.repository_name()).collect());
        let found = aws.elb().describe_load_balancers().send().await.unwrap();
        add("load balancer", found.load_balancers().iter().map(|balancer| balancer.load_balancer_name()).collect());
        let found = aws.autoscaling().describe_auto_scaling_groups().send().await.unwrap();
        add("group", found.auto_scaling_groups().iter().map(|group| group.auto_scaling_group_name()).collect());
        let found = aws.logs().describe_log_groups().send().await.unwrap();
        add("log group", found.log_groups().iter().map(|group| group.log_group_name()).collect());
        let found = aws.events().list_rules().send().await.unwrap();
        add("rule", found.rules().iter().map(|rule| rule.name()).collect());
        let found = aws.ssm().describe_parameters().send().await.unwrap();
        let made = found.parameters().iter().map(|parameter| parameter.name());
        add("parameter", made.map(|name| name.filter(|name| !name.starts_with("/aws/"))).collect());
        left
    }
}

async fn ended(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// How many points have this outcome, by the report.
fn points(report: &Value, outcome: &str) -> Vec<String> {
    let points = report["points"].as_array().unwrap().iter().filter(|point| point["outcome"] == outcome);
    points.map(|point| point["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_confirms_all_that_the_local_aws_does_and_leaves_nothing() {
    let site = Site::start().await;
    let run = site.run().await;
    let page = std::fs::read_to_string(&site.report).unwrap_or_default();
    assert_eq!(run.code, Some(0), "{page}\n{}", run.stderr);
    let report = run.json();
    assert_eq!(points(&report, "confirmed").len(), POINTS.len(), "{report:#}");
    let steps = report["steps"].as_array().unwrap();
    assert!(steps.len() == 10 && steps.iter().all(|step| step["failure"].is_null()), "{report:#}");
    assert_eq!(
        (&report["left"], &report["trouble"]),
        (&Value::from([""; 0].as_slice()), &Value::from([""; 0].as_slice()))
    );
    assert_eq!(site.left().await, <[String; 0]>::default());
    // It says before what it makes and costs, and it can be published.
    let said = run.stderr.find("It costs at most").unwrap();
    assert!(said < run.stderr.find("install skydeck").unwrap(), "{}", run.stderr);
    for text in [&page, &run.stdout] {
        assert!(!text.contains(ACCOUNT) && !text.contains("amazonaws.com"), "{text}");
        let secret = site.rig.sandbox.credentials().secret_access_key;
        assert!(!text.contains(&secret) && text.contains("F-TASK-19"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_contradicts_is_reported_and_a_step_that_fails_is_cleaned_up_after() {
    let site = Site::start().await;
    let refusal =
        |code: &str| FaultKind::Error { status: 400, code: code.into(), message: format!("not in {ACCOUNT}") };
    // The third: two subnets are associated by the apply.
    let again = Fault::next("ec2", "AssociateRouteTable", refusal("Resource.AlreadyAssociated")).from(3, 1);
    site.rig.sandbox.inject(again);
    // The first image's own manifest is not taken.
    site.rig.sandbox.inject(Fault::next("ecr", "PutImage", refusal("LimitExceededException")).from(1, 0));
    let run = site.run().await;
    assert_eq!(run.code, Some(1), "{run:#?}");
    let report = run.json();
    assert_eq!(points(&report, "contradicted"), ["F-REFUSE-6"], "{report:#}");
    let page = std::fs::read_to_string(&site.report).unwrap();
    assert!(page.contains("**contradicted** | Resource.AlreadyAssociated: not in ACCOUNT |"), "{page}");
    let failure = report["steps"][2]["failure"].as_str().unwrap();
    assert!(failure.contains("LimitExceededException"), "{failure}");
    assert_eq!(report["steps"].as_array().unwrap().len(), 3, "{report:#}");
    assert_eq!(site.left().await, <[String; 0]>::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_is_cleaned_up_by_itself_alone_and_ctrl_c_cleans_up_too() {
    let site = Site::start().await;
    let mut killed = site.begin().await;
    killed.kill().await.unwrap();
    let again = site.run().await;
    assert!(again.code == Some(2) && again.stderr.contains("--clean"), "{again:#?}");
    let cleaned = site.clean().await.succeeded();
    assert!(cleaned.stdout.contains("nothing is left"), "{cleaned:#?}");
    assert_eq!(site.left().await, <[String; 0]>::default());
    let nothing = site.clean().await.succeeded();
    assert!(nothing.stdout.contains("No acceptance run has left anything here."), "{nothing:#?}");

    let interrupted = site.begin().await;
    let id = interrupted.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(120), interrupted.wait_with_output()).await.unwrap().unwrap();
    let page = std::fs::read_to_string(&site.report).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{page}\n{}", String::from_utf8_lossy(&ended.stderr));
    assert!(page.contains("It was ended early: Ctrl-C."), "{page}");
    assert_eq!(site.left().await, <[String; 0]>::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_not_named_and_an_installation_of_somebody_elses_are_refused() {
    let rig = Rig::installed().await;
    let before = rig.sandbox.last_call();
    let archive = rig.sandbox.dir().join("none.zip").display().to_string();
    let run = async |account: &str, more: &[&str]| {
        let named = ["acceptance", "--yes", "--account", account, "--region", REGION];
        rig.skydeck(named.iter().chain(more)).await
    };
    let other = run("111122223333", &["--from", &archive]).await;
    assert!(other.code == Some(2) && other.stderr.contains(&format!("are of account {ACCOUNT}")), "{other:#?}");
    for more in [&["--from", &archive] as &[&str], &["--clean"]] {
        let installed = run(ACCOUNT, more).await;
        let text = installed.stderr.replace("\n  │", "");
        assert!(installed.code == Some(2) && text.contains("of skydeck in ap-south-1"), "{installed:#?}");
    }
    // Out of a checkout it is the same command.
    let named = ["--account", "111122223333", "--region", REGION, "--from", &archive];
    let bin = rig.program("acceptance", named);
    let bin = ended(bin).await;
    assert!(bin.code == Some(2) && bin.stderr.contains(&format!("are of account {ACCOUNT}")), "{bin:#?}");
    // The sweep of every 15 minutes may fall into it, and writes its records.
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "nothing was touched: {writes:#?}");
}
