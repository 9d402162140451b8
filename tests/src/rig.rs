//! The end-to-end tests' rig: a sandbox of their own, and the `skydeck` command as people use it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use skydeck_aws::Clients;
use skydeck_bootstrap::cli::Architecture;
use skydeck_bootstrap::{install, package};
use skydeck_sandbox::{ACCOUNT, Call, FOREIGN_ACCOUNT, Options, Sandbox};
use tokio::process::Command;

use crate::Watched;

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The directory of the binaries that this program was built beside; tests are built in a directory of it.
#[must_use]
pub fn binaries() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let directory = program.parent().unwrap_or(Path::new("target/debug"));
    directory.ancestors().find(|found| !found.ends_with("deps")).unwrap_or(directory).to_owned()
}

/// Builds the functions that are missing; the directory in which they are.
///
/// # Panics
/// Where they cannot be built.
pub async fn built() -> PathBuf {
    let built = package::build_here(&root(), &install::binaries()).await.expect("the functions can be built");
    built.values().find_map(|path| path.parent()).expect("there are functions").to_owned()
}

/// A sandbox of a test's own, and the command beside it.
#[derive(Debug)]
pub struct Rig {
    /// The sandbox.
    pub sandbox: Watched,
    /// Clients of the team's account.
    pub aws: Clients,
    /// Clients of somebody else's account.
    pub foreign: Clients,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it told.
    pub stderr: String,
}

impl Ended {
    /// What it printed, as JSON.
    ///
    /// # Panics
    /// Where that is no JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:#?}"))
    }

    /// This, where the command succeeded.
    ///
    /// # Panics
    /// Where it did not.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Rig {
    /// Builds what is missing, starts a sandbox and installs skydeck in it.
    ///
    /// # Panics
    /// Where one of these fails.
    pub async fn installed() -> Self {
        Self::installed_at(None).await
    }

    /// The same, in a sandbox of another speed than usual.
    ///
    /// # Panics
    /// Where one of these fails.
    pub async fn installed_at(speed: Option<f64>) -> Self {
        let rig = Self::start_at(speed).await;
        rig.install().await;
        rig
    }

    /// Builds what is missing, and installs skydeck; again, where something of it was lost.
    ///
    /// # Panics
    /// Where one of these fails.
    pub async fn install(&self) {
        self.bootstrap(&built().await).await;
    }

    /// Installs the functions of a directory.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn bootstrap(&self, directory: &Path) {
        let arguments = ["bootstrap", "--yes", "--architecture", Architecture::HOST.name(), "--from"];
        let installed = self.command(arguments).arg(directory).output().await.expect("skydeck can be started");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    }

    /// Starts a sandbox.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn start() -> Self {
        Self::start_at(None).await
    }

    /// The same, of another speed than usual.
    ///
    /// # Panics
    /// Where that fails.
    pub async fn start_at(speed: Option<f64>) -> Self {
        let usual = Options::new(root().join("target/sandbox"));
        let options = Options { speed: speed.unwrap_or(usual.speed), ..usual };
        let sandbox = Watched::start(&options).await;
        let aws = clients(&sandbox, ACCOUNT).await;
        let foreign = clients(&sandbox, FOREIGN_ACCOUNT).await;
        Rig { sandbox, aws, foreign }
    }

    /// Runs `skydeck` to its end.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub async fn skydeck<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        let output = self.command(arguments).output().await.expect("skydeck can be started");
        let Output { status, stdout, stderr } = output;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// The command `skydeck`, ready to be started with this sandbox's environment and nothing else of AWS.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.program("skydeck", arguments)
    }

    /// The same with another program of this workspace.
    pub fn program<S: AsRef<OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(binaries().join(name));
        command.args(arguments).current_dir(root()).stdin(Stdio::null()).kill_on_drop(true);
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(key);
        }
        command.envs(self.sandbox.env());
        command
    }

    /// Calls since number `seq` that wrote something outside skydeck's own bucket, by skydeck's functions.
    #[must_use]
    pub fn writes_since(&self, seq: u64) -> Vec<Call> {
        let own = |call: &Call| {
            call.service == "s3" && call.resource.as_deref().is_some_and(|resource| resource.starts_with("skydeck-"))
        };
        let start = |call: &Call| call.action == "StartExecution";
        self.sandbox.calls_since(seq).into_iter().filter(|call| call.write && !own(call) && !start(call)).collect()
    }
}

/// A client of the team's certificates, which skydeck itself never looks at, in an emulator.
#[must_use]
pub fn acm(endpoint: &str, keys: Credentials) -> aws_sdk_acm::Client {
    let config = aws_sdk_acm::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("ap-south-1"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(keys);
    aws_sdk_acm::Client::from_conf(config.build())
}

/// The keys of the root of a sandbox's account, for a client of an SDK.
#[must_use]
pub fn root_keys(sandbox: &Sandbox) -> Credentials {
    keys_of(sandbox, ACCOUNT)
}

/// The keys of the root of any account in a sandbox.
#[must_use]
pub fn keys_of(sandbox: &Sandbox, account: &str) -> Credentials {
    let keys = sandbox.credentials_of(account);
    Credentials::new(keys.access_key_id, keys.secret_access_key, None, None, "tests")
}

async fn clients(sandbox: &Sandbox, account: &str) -> Clients {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(sandbox.endpoint())
        .region(Region::new(sandbox.region().to_owned()))
        .credentials_provider(keys_of(sandbox, account));
    Clients::load(config, "test").await
}
