//! What every verb has at hand: the terminal, and clients of the account that is meant.

use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::result::SdkError;
use miette::IntoDiagnostic;
use skydeck_aws::error::Explain;
use skydeck_aws::function::ALIAS;
use skydeck_aws::{Clients, Error};
use skydeck_core::scope::boundary_name;
use skydeck_sandbox::Running;

use crate::error::{NotInstalled, Usage};
use crate::patience::patiently;
use crate::project;
use crate::terminal::Terminal;

/// The code of a call that could not be signed.
const NO_CREDENTIALS: &str = "NoCredentials";

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
    /// The region that was named, where it is another than the environment's.
    pub(crate) region: Option<String>,
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
        let mut config = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &self.region {
            config = config.region(Region::new(region.clone()));
        }
        let config = if self.sandbox {
            let running = self.running().await?;
            let (state, keys) = (running.state(), running.credentials());
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

    /// Asks AWS until there is an answer, and tells of trouble that passes.
    pub(crate) async fn patiently<T>(&self, ask: impl AsyncFn() -> skydeck_aws::Result<T>) -> skydeck_aws::Result<T> {
        patiently(&|text| self.terminal.note(text), ask).await
    }

    /// The same error; of skydeck not being here, with the region that was asked and those where it is.
    pub(crate) async fn elsewhere(&self, report: miette::Report) -> miette::Report {
        let Some(NotInstalled(why)) = report.downcast_ref() else { return report };
        let Ok((clients, account)) = self.connect().await else { return report };
        let help = match account.installed_regions(&clients).await {
            Ok(regions) if !regions.is_empty() => {
                format!("it is installed in {}: set AWS_REGION, or the profile's region", regions.join(", "))
            }
            Ok(_) => "this account has no bucket of skydeck in any region. Install it: `skydeck bootstrap`".to_owned(),
            // Who may not list the account's buckets is told what was asked.
            Err(_) => "if it is installed in another region, set AWS_REGION; or install it here: `skydeck bootstrap`"
                .to_owned(),
        };
        miette::miette!(help = help, "skydeck is not installed in {} of account {}: {why}", account.region, account.id)
    }

    /// Clients, and the account that they reach.
    pub(crate) async fn connect(&self) -> miette::Result<(Clients, Account)> {
        let clients = self.clients().await?;
        let account = self.patiently(async || Account::find(&clients).await).await;
        let account = account.map_err(|error| match error.code() {
            Some("NoAnswer" | NO_CREDENTIALS | "BadRequest") => miette::miette!(
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
        let caller = clients.sts().get_caller_identity().send().await;
        // Nothing was sent: waiting does not help.
        if let Err(SdkError::DispatchFailure(failure)) = &caller
            && failure.is_other()
            && failure.as_other().is_none()
        {
            let (verb, resource) = ("ask STS who calls:".to_owned(), "credentials".to_owned());
            let message = "none were found, or they cannot be used".to_owned();
            return Err(Error::Aws { verb, resource, code: NO_CREDENTIALS.to_owned(), message });
        }
        let caller = caller.during("ask STS who calls:", "credentials")?;
        let arn = caller.arn().unwrap_or_default();
        let mut parts = arn.split(':');
        match (parts.nth(1), parts.nth(2)) {
            (Some(partition), Some(id)) => {
                Ok(Account { id: id.into(), partition: partition.into(), region: clients.region.clone() })
            }
            _ => Err(Error::Broken(format!("STS answered with `{arn}`, which is no ARN"))),
        }
    }

    /// An account that nobody is asked for, in the partition that its region lies in.
    #[must_use]
    pub fn of(id: &str, region: &str) -> Self {
        let partition = match region.split_once('-') {
            Some(("cn", _)) => "aws-cn",
            Some(("us", rest)) if rest.starts_with("gov-") => "aws-us-gov",
            _ => "aws",
        };
        Account { id: id.into(), partition: partition.into(), region: region.into() }
    }

    /// Skydeck's own bucket.
    #[must_use]
    pub fn bucket(&self) -> String {
        format!("skydeck-{}-{}", self.id, self.region)
    }

    /// The regions in which this account has a bucket of skydeck.
    async fn installed_regions(&self, clients: &Clients) -> skydeck_aws::Result<Vec<String>> {
        let ours = format!("skydeck-{}-", self.id);
        let listed = clients.s3().list_buckets().prefix(&ours).send().await.during("list buckets", &ours)?;
        let names = listed.buckets().iter().filter_map(|bucket| bucket.name()?.strip_prefix(&ours));
        Ok(names.map(str::to_owned).collect())
    }

    /// An ARN of this account and region.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.region, self.id)
    }

    /// The name of the role of a function, or of what else has one here. The regions of an account share IAM's names.
    #[must_use]
    pub fn role_name(&self, thing: &str) -> String {
        format!("skydeck-{thing}-{}", self.region)
    }

    /// The ARN of that role.
    #[must_use]
    pub fn role(&self, thing: &str) -> String {
        self.iam("role", &self.role_name(thing))
    }

    /// The ARN of the policy that bounds the roles of platforms.
    #[must_use]
    pub fn boundary(&self) -> String {
        self.iam("policy", &boundary_name(&self.region))
    }

    /// An ARN of IAM's in this account: `kind` is `role`, `policy` or `instance-profile`.
    #[must_use]
    pub fn iam(&self, kind: &str, path: &str) -> String {
        format!("arn:{}:iam::{}:{kind}/{path}", self.partition, self.id)
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
