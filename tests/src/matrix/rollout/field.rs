//! A platform with a service that is rolled out and one that nobody touches.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionStatus};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use skydeck_aws::home::Home;
use skydeck_core::rollout::ledger::{Entry, Keys};
use skydeck_core::rollout::record::Record;
use skydeck_sandbox::{ACCOUNT, Image, Pushed};

use crate::rollouts::Stage;

pub(super) const PLATFORM: &str = "skyfox-devprod";
/// The service that is rolled out.
pub(super) const SERVICE: &str = "movie";
/// The one that nobody touches.
const BYSTANDER: &str = "payment";
/// The rule by which the sweep comes.
pub(super) const SWEEP: &str = "skydeck-sweep";
/// How many tasks it has.
pub(super) const TASKS: i32 = 2;
/// How many revisions stay active beside those that are needed.
pub(super) const KEPT: usize = 2;
/// No case begins that many executions.
const RECENT: i32 = 50;

/// Without what a service needs beside its tasks.
const FILE: &str = r#"
[platform]
name = "skyfox"
environment = "devprod"
region = "ap-south-1"

[network]
cidr = "10.0.0.0/16"
zones = 2

[cluster.instances]
type = "t4g.large"
min = 2
desired = 2
max = 2

[load-balancers.external]
scheme = "internet-facing"

[secrets.key]
parameter = "/skyfox-backend/jwt-secret"
"#;

/// Between two looks at the executions, which are slow to be listed.
const EVERY: Duration = Duration::from_millis(400);

/// Between two looks at a condition that has a deadline.
#[expect(clippy::disallowed_methods, reason = "a test waits for a condition here, and no Lambda")]
pub(super) async fn pause() {
    tokio::time::sleep(EVERY).await;
}

/// An execution.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) arn: String,
    pub(super) status: ExecutionStatus,
}

impl Run {
    pub(super) fn is_running(&self) -> bool {
        self.status == ExecutionStatus::Running
    }

    pub(super) fn is_sweep(&self) -> bool {
        self.arn.contains(":skydeck-sweep:")
    }
}

/// A platform that stands.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) stage: Stage,
    home: Home,
    /// How many images were pushed.
    pushed: usize,
}

impl Field {
    /// Installs skydeck and applies the platform.
    pub(super) async fn standing() -> Self {
        let stage = Stage::ready().await;
        let mut text = FILE.to_owned();
        for (number, name) in [SERVICE, BYSTANDER].iter().enumerate() {
            let (priority, port) = (number + 1, 8000 + number);
            let _ = write!(
                text,
                r#"
[services.{name}]
load-balancer = "external"
path = "/{name}*"
priority = {priority}
repository = "{name}-service"
image = {{ newest = true }}
keep-revisions = {KEPT}
port = {port}
cpu = 32
memory = 64
desired = {TASKS}
minimum-healthy-percent = 100
maximum-percent = 200
grace-seconds = 60
deregistration-delay-seconds = 10
health = {{ path = "/{name}/health", interval-seconds = 15, timeout-seconds = 10, matcher = "200" }}
probe = {{ path = "/{name}/health" }}
secrets = {{ KEY = "${{secrets.key}}" }}
"#
            );
        }
        let path = stage.rig.sandbox.dir().join("rollouts.toml");
        std::fs::write(&path, text).expect("the sandbox's directory is there");
        stage.rig.skydeck(["apply".as_ref(), path.as_os_str()]).await.succeeded();
        // The sweep comes when a case wants it.
        let request = stage.rig.aws.events().put_rule().name(SWEEP).schedule_expression("rate(365 days)");
        request.send().await.expect("the schedule is there");
        let home = Home::new(stage.rig.aws.s3(), &format!("skydeck-{ACCOUNT}-ap-south-1"));
        Field { stage, home, pushed: 0 }
    }

    /// Pushes another image of the service.
    pub(super) async fn push(&mut self, behaves: &str) -> Pushed {
        self.push_to(SERVICE, behaves).await
    }

    /// Pushes the image that the other service runs.
    pub(super) async fn push_beside(&mut self) -> Pushed {
        self.push_to(BYSTANDER, "healthy").await
    }

    async fn push_to(&mut self, service: &str, behaves: &str) -> Pushed {
        self.pushed += 1;
        let tag = format!("v{}", self.pushed);
        let answers = json!({ "*": { "status": 200, "body": tag } });
        self.stage.push(service, &tag, &Image::new(&tag).behaving(behaves).serving(&answers)).await
    }

    pub(super) async fn entry(&self, digest: &str) -> Entry {
        self.entry_of(SERVICE, digest).await
    }

    async fn entry_of(&self, service: &str, digest: &str) -> Entry {
        let keys = Keys { platform: PLATFORM, service };
        self.home.read_json(&keys.entry(digest)).await.expect("the ledger can be read")
    }

    pub(super) async fn record(&self) -> Record {
        let keys = Keys { platform: PLATFORM, service: SERVICE };
        self.home.read_json(&keys.record()).await.expect("the record can be read")
    }

    /// Executions of the sweep and of rollouts since a time.
    pub(super) async fn runs(&self, since: f64) -> Vec<Run> {
        let mut runs = Vec::new();
        for machine in ["sweep", "rollout"] {
            let machine = format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-{machine}");
            let request = self.stage.rig.aws.sfn().list_executions().state_machine_arn(machine).max_results(RECENT);
            let listed = request.send().await.expect("executions");
            let recent = listed.executions().iter().filter(|run| run.start_date().as_secs_f64() >= since);
            runs.extend(recent.map(|run| Run { arn: run.execution_arn().into(), status: run.status().clone() }));
        }
        runs
    }

    /// How an execution ended, where it did so in another way than rollouts do.
    pub(super) async fn failure(&self, run: &Run) -> Option<String> {
        let request = self.stage.rig.aws.sfn().describe_execution().execution_arn(&run.arn);
        let found = request.send().await.expect("an execution");
        let error = found.error().unwrap_or_default();
        let is_meant = *found.status() == ExecutionStatus::Succeeded || matches!(error, "RolledBack" | "Refused");
        let told = || format!("{}: {} {error} {}", run.arn, run.status, found.cause().unwrap_or_default());
        (!is_meant).then(told)
    }

    /// The service's revision and how many tasks it wants.
    pub(super) async fn wants(&self, service: &str) -> (String, i32) {
        let request = self.stage.rig.aws.ecs().describe_services().cluster(PLATFORM).services(service);
        let found = request.send().await.expect("the service can be read");
        let service = found.services().first().expect("the service is there");
        (service.task_definition().unwrap_or_default().to_owned(), service.desired_count())
    }

    /// The digest that a revision pins.
    pub(super) async fn pins(&self, definition: &str) -> Option<String> {
        let request = self.stage.rig.aws.ecs().describe_task_definition().task_definition(definition);
        let found = request.send().await.expect("the revision can be read");
        let image = found.task_definition()?.container_definitions().first()?.image()?;
        image.split_once('@').map(|(_, digest)| digest.to_owned())
    }

    /// Active revisions of the service, newest first.
    pub(super) async fn active(&self) -> Vec<String> {
        self.active_of(SERVICE).await
    }

    async fn active_of(&self, service: &str) -> Vec<String> {
        let request = self.stage.rig.aws.ecs().list_task_definitions().family_prefix(format!("{PLATFORM}-{service}"));
        let request = request.status(TaskDefinitionStatus::Active).sort(SortOrder::Desc);
        request.send().await.expect("the revisions can be read").task_definition_arns.unwrap_or_default()
    }

    /// Tasks that a service runs.
    async fn tasks(&self, service: &str) -> BTreeSet<String> {
        let request = self.stage.rig.aws.ecs().list_tasks().cluster(PLATFORM).service_name(service);
        let found = request.send().await.expect("tasks can be read");
        found.task_arns.unwrap_or_default().into_iter().collect()
    }

    /// How many tasks the service has.
    pub(super) async fn running(&self) -> usize {
        self.tasks(SERVICE).await.len()
    }

    /// All of the other service that a rollout changes.
    pub(super) async fn beside(&self) -> Value {
        let (definition, desired) = self.wants(BYSTANDER).await;
        let digest = self.pins(&definition).await.unwrap_or_default();
        let keys = Keys { platform: PLATFORM, service: BYSTANDER };
        let record: Record = self.home.read_json(&keys.record()).await.expect("the record can be read");
        json!({
            "definition": definition,
            "desired": desired,
            "revisions": self.active_of(BYSTANDER).await,
            "tasks": self.tasks(BYSTANDER).await,
            "record": record,
            "entry": self.entry_of(BYSTANDER, &digest).await,
            "told": self.stage.kinds(BYSTANDER),
        })
    }
}
