//! A platform that stands, on which images are pushed and what becomes of them is seen.

use std::time::{Duration, Instant};

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;
use skydeck_sandbox::{ACCOUNT, Call, Image, Pushed};

use crate::Rig;
use crate::secret::give_skyfox;

/// How long a rollout may take until a test gives it up, in real time.
const PATIENCE: Duration = Duration::from_secs(180);
/// The platform's prefix.
const PREFIX: &str = "skyfox-devprod";

/// SkyFox, standing without an image.
#[derive(Debug)]
pub struct Stage {
    /// Sandbox and command.
    pub rig: Rig,
}

/// A rollout that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The execution's ARN.
    pub execution: String,
    /// How the execution ended.
    pub status: ExecutionStatus,
    /// Its output; null where it failed.
    pub output: Value,
    /// The name of its error.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
}

impl Stage {
    /// Installs skydeck, gives all secrets and applies the platform.
    ///
    /// # Panics
    /// Where one of these fails.
    pub async fn standing() -> Self {
        Self::applied("platforms/skyfox.toml").await
    }

    /// The same with another platform file.
    ///
    /// # Panics
    /// Where it cannot be applied.
    pub async fn applied(file: &str) -> Self {
        let stage = Self::ready().await;
        stage.rig.skydeck(["apply", file]).await.succeeded();
        stage
    }

    /// Installs skydeck and gives all secrets.
    ///
    /// # Panics
    /// Where one of these fails.
    pub async fn ready() -> Self {
        Self::of(Rig::installed().await).await
    }

    /// Gives all secrets where skydeck is installed.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn of(rig: Rig) -> Self {
        give_skyfox(&rig.aws).await;
        Stage { rig }
    }

    /// Pushes an image of a service.
    ///
    /// # Panics
    /// Where its repository is not there.
    pub async fn push(&self, service: &str, tag: &str, image: &Image) -> Pushed {
        let repository = match service {
            "backend" => format!("{PREFIX}-backend"),
            other => format!("{PREFIX}-{other}-service"),
        };
        self.rig.sandbox.push(&repository, tag, image).await.expect("the repository is there")
    }

    /// Waits until a rollout of a digest has ended.
    ///
    /// # Panics
    /// Where none does in time.
    pub async fn ended(&self, digest: &str) -> Ended {
        let all = self.endings(digest, 1).await;
        all.into_iter().next().unwrap_or_else(|| panic!("no rollout of {digest} has ended: {:#?}", self.told()))
    }

    /// Waits until so many rollouts of a digest have ended.
    ///
    /// # Panics
    /// Where they do not in time.
    pub async fn endings(&self, digest: &str, count: usize) -> Vec<Ended> {
        let begun = Instant::now();
        loop {
            let events = self.told();
            let of = |event: &&Value| event["detail"]["digest"] == digest && event["detail-type"] != "Rollout Started";
            let arns: Vec<&str> =
                events.iter().filter(of).filter_map(|event| event["detail"]["execution"].as_str()).collect();
            let mut ended = Vec::new();
            for arn in arns {
                ended.extend(self.execution(arn).await);
            }
            if ended.len() >= count {
                return ended;
            }
            if begun.elapsed() > PATIENCE {
                panic!("{} of {count} rollouts of {digest} have ended: {:#?}", ended.len(), self.runs().await);
            }
            pause().await;
        }
    }

    /// An execution, if it has ended.
    async fn execution(&self, arn: &str) -> Option<Ended> {
        let found = self.rig.aws.sfn().describe_execution().execution_arn(arn).send().await.expect("an execution");
        (*found.status() != ExecutionStatus::Running).then(|| Ended {
            execution: arn.to_owned(),
            status: found.status().clone(),
            output: found.output().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            error: found.error().map(Into::into),
            cause: found.cause().map(Into::into),
        })
    }

    /// All executions of `rollout` so far: name, input, status, output or cause.
    ///
    /// # Panics
    /// Where Step Functions does not answer.
    pub async fn runs(&self) -> Vec<(String, String, String, String)> {
        let machine = format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-rollout");
        let sfn = self.rig.aws.sfn();
        let listed = sfn.list_executions().state_machine_arn(machine).send().await.expect("executions");
        let mut told = Vec::new();
        for run in listed.executions() {
            let found = sfn.describe_execution().execution_arn(run.execution_arn()).send().await.expect("an execution");
            let said = found.output().or(found.cause()).unwrap_or_default().to_owned();
            let input = found.input().unwrap_or_default().to_owned();
            told.push((run.name().to_owned(), input, found.status().as_str().to_owned(), said));
        }
        told
    }

    /// When rollouts of a cause began and ended, in seconds since 1970.
    ///
    /// # Panics
    /// Where Step Functions does not answer.
    pub async fn spans(&self, cause: &str) -> Vec<(f64, f64)> {
        let machine = format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-rollout");
        let sfn = self.rig.aws.sfn();
        let listed = sfn.list_executions().state_machine_arn(machine).send().await.expect("executions");
        let mut spans = Vec::new();
        for run in listed.executions() {
            let found = sfn.describe_execution().execution_arn(run.execution_arn()).send().await.expect("an execution");
            let input: Value = serde_json::from_str(found.input().unwrap_or_default()).unwrap_or_default();
            if input["cause"] == cause {
                let ended = run.stop_date().map_or(f64::MAX, |at| at.as_secs_f64());
                spans.push((run.start_date().as_secs_f64(), ended));
            }
        }
        spans
    }

    /// Waits until no rollout runs any more.
    ///
    /// # Panics
    /// Where one goes on and on.
    pub async fn quiet(&self) {
        let begun = Instant::now();
        while self.runs().await.iter().any(|run| run.2 == "RUNNING") {
            assert!(begun.elapsed() < PATIENCE, "rollouts go on: {:#?}", self.runs().await);
            pause().await;
        }
    }

    /// Lets the sweep's schedule fire, and waits until the sweep has ended.
    ///
    /// # Panics
    /// Where it does not in time.
    pub async fn sweep(&self) {
        let sfn = self.rig.aws.sfn();
        let ended = async || {
            let machine = format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-sweep");
            let listed = sfn.list_executions().state_machine_arn(machine).send().await.expect("executions");
            listed.executions().iter().filter(|run| *run.status() != ExecutionStatus::Running).count()
        };
        let before = ended().await;
        self.rig.sandbox.fire("skydeck-sweep").await.expect("the schedule is there");
        until(async || if ended().await > before { Ok(()) } else { Err("the sweep goes on".to_owned()) }).await;
    }

    /// Skydeck's own events, in order.
    #[must_use]
    pub fn told(&self) -> Vec<Value> {
        let events = self.rig.sandbox.events().into_iter().filter(|event| event.envelope.source == "skydeck");
        events.filter_map(|event| serde_json::to_value(event.envelope).ok()).collect()
    }

    /// The kinds of skydeck's events about a service, in order.
    #[must_use]
    pub fn kinds(&self, service: &str) -> Vec<String> {
        let about = |event: &Value| event["detail"]["service"] == service;
        let kind = |event: Value| event["detail-type"].as_str().map(ToOwned::to_owned);
        self.told().into_iter().filter(about).filter_map(kind).collect()
    }

    /// The digest that all running tasks of a service run; `None` where they differ or there is none.
    ///
    /// # Panics
    /// Where ECS does not answer.
    pub async fn serving(&self, service: &str) -> Option<String> {
        let ecs = self.rig.aws.ecs();
        let listed = ecs.list_tasks().cluster(PREFIX).service_name(service).send().await.expect("tasks").task_arns?;
        if listed.is_empty() {
            return None;
        }
        let tasks = ecs.describe_tasks().cluster(PREFIX).set_tasks(Some(listed)).send().await.expect("tasks");
        let mut digests: Vec<&str> = tasks
            .tasks()
            .iter()
            .flat_map(|task| task.containers())
            .filter_map(|container| container.image()?.split_once('@').map(|(_, digest)| digest))
            .collect();
        digests.dedup();
        match digests[..] {
            [digest] => Some(digest.to_owned()),
            _ => None,
        }
    }

    /// What `Decide` and `Release` called since a call, to the first `UpdateService`.
    #[must_use]
    pub fn calls_until_release(&self, since: u64) -> Vec<Call> {
        let calls = self.rig.sandbox.calls_since(since).into_iter();
        let mut calls: Vec<Call> = calls.filter(|call| call.caller == "decide" || call.caller == "release").collect();
        let last = calls.iter().position(|call| call.action == "UpdateService").map_or(0, |last| last + 1);
        calls.truncate(last);
        calls
    }
}

/// Waits until a condition holds; it says what it sees instead.
///
/// # Panics
/// Where it does not in two minutes of real time.
pub async fn until(holds: impl AsyncFn() -> Result<(), String>) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while let Err(seen) = holds().await {
        assert!(Instant::now() < deadline, "{seen}");
        pause().await;
    }
}

/// Between two looks at a condition that has a deadline.
#[expect(clippy::disallowed_methods, reason = "a test waits for a condition here, and no Lambda")]
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// The most calls of which each began after the one before it had ended.
#[must_use]
pub fn longest_chain(calls: &[Call]) -> usize {
    let mut sorted: Vec<(f64, f64)> =
        calls.iter().map(|call| (call.started, call.started + call.millis / 1000.0)).collect();
    sorted.sort_by(|one, other| one.1.total_cmp(&other.1));
    let (mut length, mut end) = (0, f64::MIN);
    for (started, ended) in sorted {
        if started >= end {
            (length, end) = (length + 1, ended);
        }
    }
    length
}
