//! A platform with a service for each case, and what happens to all of them.

use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use skydeck_sandbox::ACCOUNT;

use super::case::{Case, Size, Step};
use super::watch::{Run, watch};
use crate::rollouts::Stage;
use crate::secret::give;
use crate::{Rig, canary};

/// Role by which EventBridge starts the state machines, and the queue for what it could not start.
const ROLE: &str = "skydeck-events-ap-south-1";
const DEAD_LETTERS: &str = "skydeck-dead-letters";

/// What all services share. Each service has some tasks more while it rolls out.
const PLATFORM: &str = r#"
[platform]
name = "skyfox"
environment = "devprod"
region = "ap-south-1"

[network]
cidr = "10.0.0.0/16"
zones = 2

[cluster.instances]
type = "t4g.large"
min = 3
desired = 3
max = 3

[load-balancers.external]
scheme = "internet-facing"

[load-balancers.internal]
scheme = "internal"
"#;

/// A platform that stands.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) stage: Stage,
    pub(super) runs: Arc<Mutex<Vec<Run>>>,
    cases: Vec<Case>,
}

/// The name of the service that a case has.
pub(super) fn service(number: usize) -> String {
    format!("s{number:02}")
}

/// Its repository.
pub(super) fn repository(service: &str) -> String {
    format!("skyfox-devprod-{service}-service")
}

/// Its parameter.
pub(super) fn parameter(service: &str) -> String {
    format!("/table/{service}")
}

impl Field {
    /// Installs skydeck, and applies a platform with a service for each case.
    pub(super) async fn standing(cases: &[Case]) -> Self {
        let rig = Rig::installed().await;
        let runs = Arc::default();
        let field = Field { stage: Stage { rig }, runs, cases: cases.to_vec() };
        for number in 0..cases.len() {
            field.give(&service(number), "first").await.expect("a parameter");
        }
        field.apply(1).await.expect("the platform stands");
        field
    }

    /// Gives a service's parameter a value.
    pub(super) async fn give(&self, service: &str, value: &str) -> Result<(), String> {
        give(&self.stage.rig.aws, &parameter(service), &format!("{}-{value}", canary())).await
    }

    /// Deletes it.
    pub(super) async fn forget(&self, service: &str) -> Result<(), String> {
        let request = self.stage.rig.aws.ssm().delete_parameter().name(parameter(service));
        request.send().await.map(drop).map_err(|error| format!("{error:?}"))
    }

    /// Applies the platform file; each version of it sets every service otherwise.
    async fn apply(&self, version: u32) -> Result<(), String> {
        let mut text = PLATFORM.to_owned();
        for (number, case) in self.cases.iter().enumerate() {
            text += &section(number, case, version);
        }
        let path = self.stage.rig.sandbox.dir().join("table.toml");
        fs::write(&path, text).map_err(|error| error.to_string())?;
        let ended = self.stage.rig.skydeck(["apply".as_ref(), path.as_os_str()]).await;
        if ended.code == Some(0) { Ok(()) } else { Err(format!("apply: {}\n{}", ended.stdout, ended.stderr)) }
    }

    /// Does what a step says of all services.
    pub(super) async fn act(&self, step: &Step) -> Result<(), String> {
        match step {
            Step::Apply => self.apply(2).await,
            Step::Forbid => self.set_policy(None).await,
            Step::Allow => {
                let letters = self.dead_letters().await?;
                let wanted = self.cases.len();
                if letters < wanted {
                    return Err(format!("{letters} of {wanted} events are in the dead-letter queue"));
                }
                self.set_policy(Some(())).await
            }
            _ => Ok(()),
        }
    }

    async fn set_policy(&self, allowed: Option<()>) -> Result<(), String> {
        let iam = self.stage.rig.aws.iam();
        let told = |error: &dyn std::fmt::Debug| format!("{error:?}");
        if allowed.is_some() {
            // Installing again puts back what is missing.
            self.stage.rig.install().await;
            return Ok(());
        }
        let listed = iam.list_role_policies().role_name(ROLE).send().await.map_err(|error| told(&error))?;
        for name in listed.policy_names() {
            let request = iam.delete_role_policy().role_name(ROLE).policy_name(name);
            request.send().await.map_err(|error| told(&error))?;
        }
        Ok(())
    }

    /// How many pushes ended in the dead-letter queue.
    async fn dead_letters(&self) -> Result<usize, String> {
        let sqs = self.stage.rig.aws.sqs();
        let url = sqs.get_queue_url().queue_name(DEAD_LETTERS).send().await.map_err(|error| format!("{error:?}"))?;
        let mut count = 0;
        loop {
            let request =
                sqs.receive_message().set_queue_url(url.queue_url().map(Into::into)).max_number_of_messages(10);
            let found = request.send().await.map_err(|error| format!("{error:?}"))?;
            let bodies: Vec<&str> = found.messages().iter().filter_map(|message| message.body()).collect();
            if bodies.is_empty() {
                return Ok(count);
            }
            count += bodies.iter().filter(|body| body.contains("aws.ecr")).count();
        }
    }

    /// Watches the state machines for as long as something else is done.
    pub(super) async fn watching<T>(&self, work: impl Future<Output = T>) -> T {
        // A sweep that is seen to have ended has started by then what it starts.
        let machines =
            ["sweep", "rollout"].map(|name| format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-{name}"));
        tokio::select! {
            done = work => done,
            never = watch(self.stage.rig.aws.sfn(), &machines, &self.runs) => match never {},
        }
    }

    /// The executions so far.
    pub(super) fn runs(&self) -> Vec<Run> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A service. Every second one is behind the internal load balancer, where the function inside the VPC asks.
fn section(number: usize, case: &Case, version: u32) -> String {
    let name = service(number);
    let Size { desired, minimum, maximum } = case.size;
    let balancer = if number.is_multiple_of(2) { "external" } else { "internal" };
    let policy = case.policy.replace("SERVICE", &name);
    let usual = if case.settings.contains("deregistration-delay") { "" } else { "deregistration-delay-seconds = 10\n" };
    let settings =
        usual.to_owned() + &case.settings.replace("SERVICE", &name).replace("PORT", &(8000 + number).to_string());
    let (priority, port) = (number + 1, 8000 + number);
    let mut text = String::new();
    let _ = write!(
        text,
        r#"
[secrets.{name}]
parameter = "{parameter}"

[services.{name}]
load-balancer = "{balancer}"
path = "/{name}*"
priority = {priority}
repository = "{name}-service"
image = {{ {policy} }}
port = {port}
cpu = 32
memory = 64
desired = {desired}
minimum-healthy-percent = {minimum}
maximum-percent = {maximum}
grace-seconds = 60
{settings}
health = {{ path = "/{name}/health", interval-seconds = 15, timeout-seconds = 10, matcher = "{status}" }}
probe = {{ path = "/{name}/health" }}
environment = {{ VERSION = "{version}" }}
secrets = {{ KEY = "${{secrets.{name}}}" }}
"#,
        parameter = parameter(&name),
        status = case.status,
    );
    text
}
