//! What every verb has at hand: the terminal, and clients of the account that is meant.

use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use miette::IntoDiagnostic;
use skydeck_aws::error::Explain;
use skydeck_aws::function::ALIAS;
use skydeck_aws::{Clients, Error};
use skydeck_sandbox::Running;

use crate::error::Usage;
use crate::project;
use crate::terminal::Terminal;

/// How the command names itself to AWS.
const APP: &str = "skydeck-command";

/// What every verb has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where lines go.
    pub(crate) terminal: Terminal,
    /// Whether the sandbox is meant.
    pub(crate) sandbox: bool,
    /// This program, as it was called: Cargo may put a newer one in its place while it runs.
    pub(crate) program: PathBuf,
}

impl Context {
    /// How this command was called, for advice that can be pasted.
    pub(crate) fn invocation(&self) -> String {
        let command = self.invocation_without_sandbox();
        if self.sandbox { format!("{command} --sandbox") } else { command.to_owned() }
    }

    /// The same where it does not matter which account is meant.
    pub(crate) fn invocation_without_sandbox(&self) -> &'static str {
        // `cargo run` says so to what it runs.
        if std::env::var_os("CARGO_MANIFEST_DIR").is_some() { "cargo run -q --" } else { "skydeck" }
    }

    /// The sandbox that runs.
    pub(crate) async fn running(&self) -> miette::Result<Running> {
        let dir = project::sandbox()?;
        let found = Running::find(&dir).await;
        found.map_err(|error| Usage::new(error.to_string(), "start one: `skydeck sandbox up`").into())
    }

    /// Clients of the sandbox where it is meant, or else as the environment says.
    pub(crate) async fn clients(&self) -> miette::Result<Clients> {
        let config = aws_config::defaults(BehaviorVersion::latest());
        let config = if self.sandbox {
            let running = self.running().await?;
            let state = running.state();
            let keys = &state.credentials;
            let keys = Credentials::new(&keys.access_key_id, &keys.secret_access_key, None, None, "sandbox");
            config
                .endpoint_url(&state.endpoint)
                .region(Region::new(state.region.clone()))
                .credentials_provider(SharedCredentialsProvider::new(keys))
        } else {
            config
        };
        let clients = Clients::load(config, APP).await;
        if clients.region.is_empty() {
            let help = "set AWS_REGION, or a region for the profile that AWS_PROFILE names; `--sandbox` needs neither";
            return Err(Usage::new("no region is configured", help).into());
        }
        Ok(clients)
    }

    /// Clients, and the account that they reach.
    pub(crate) async fn connect(&self) -> miette::Result<(Clients, Account)> {
        let clients = self.clients().await?;
        let account = Account::find(&clients).await.map_err(|error| match error.code() {
            Some("NoAnswer" | "BadRequest") => miette::miette!(
                help = "credentials come from the environment, as for every AWS tool (AWS_PROFILE, AWS_ACCESS_KEY_ID)",
                "{error}"
            ),
            _ => miette::miette!("{error}"),
        })?;
        Ok((clients, account))
    }
}

/// An account and region, and what skydeck's own things are called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's twelve digits.
    pub id: String,
    /// The partition: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The region.
    pub region: String,
}

impl Account {
    /// The account that the clients' credentials belong to.
    ///
    /// # Errors
    /// Where STS does not know the credentials.
    pub async fn find(clients: &Clients) -> skydeck_aws::Result<Self> {
        let caller = clients.sts.get_caller_identity().send().await.during("ask STS who calls:", "credentials")?;
        let arn = caller.arn().unwrap_or_default();
        let mut parts = arn.split(':');
        match (parts.nth(1), parts.nth(2)) {
            (Some(partition), Some(id)) => {
                Ok(Account { id: id.into(), partition: partition.into(), region: clients.region.clone() })
            }
            _ => Err(Error::Broken(format!("STS answered with `{arn}`, which is no ARN"))),
        }
    }

    /// Skydeck's own bucket.
    #[must_use]
    pub fn bucket(&self) -> String {
        format!("skydeck-{}-{}", self.id, self.region)
    }

    /// An ARN of this account and region.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.id)
    }

    /// The ARN of a role.
    #[must_use]
    pub fn role(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role/{name}", self.partition, self.id)
    }

    /// The ARN of an S3 bucket, or of objects in it.
    #[must_use]
    pub fn s3(&self, path: &str) -> String {
        format!("arn:{}:s3:::{path}", self.partition)
    }

    /// The alias by which a function is called.
    #[must_use]
    pub fn live(&self, function: &str) -> String {
        self.arn("lambda", &format!("function:skydeck-{function}:{ALIAS}"))
    }

    /// A state machine.
    #[must_use]
    pub fn machine(&self, name: &str) -> String {
        self.arn("states", &format!("stateMachine:skydeck-{name}"))
    }

    /// An execution, from its name or its ARN.
    #[must_use]
    pub fn execution(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        self.arn("states", &format!("execution:skydeck-provision:{name}"))
    }
}

/// An error of the sandbox, as a report.
pub(crate) fn sandbox_error<T>(result: Result<T, skydeck_sandbox::Error>) -> miette::Result<T> {
    result.into_diagnostic()
}
