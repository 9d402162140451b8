//! The local AWS: an emulator (ministack), and in front of it a gateway that records each call, delays it, fails it where
//! asked to, and answers ECS and Auto Scaling itself. See `docs/fidelity.md` for what is simulated and what is assumed.
//!
//! Tests start one in their own process with [`Sandbox::start`]; the command runs one in the background with [`serve`] and
//! finds it again with [`Running::find`].

#![allow(
    clippy::disallowed_methods,
    reason = "the sandbox is no Lambda: it waits for its children, and adds latency on purpose"
)]

mod agent;
mod alb;
mod answer;
mod asg;
mod ask;
mod asked;
mod canary;
mod child;
mod clock;
mod consistency;
mod ecs;
mod emulator;
mod engine;
mod error;
mod events;
mod faults;
mod gateway;
mod glob;
mod guard;
mod ids;
mod model;
mod push;
mod serve;
pub mod venv;
mod xml;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

pub use alb::{TargetCounts, TargetHistory};
pub use ask::Reply;
pub use asked::Asked;
pub use clock::Clock;
pub use consistency::{Lag, names_something};
pub use ecs::Work;
pub use emulator::Moto;
pub use error::Error;
pub use events::{Envelope, Event, EventFault, EventFaultKind};
pub use faults::FunctionFault;
pub use gateway::admin::Status;
pub use gateway::client::Admin;
pub use gateway::fault::{Chance, Fault, FaultKind};
pub use gateway::record::Call;
pub use model::Checked;
pub use push::{Image, Pushed};
pub use serve::{Running, State, serve};

use alb::Certificates;
use emulator::{Emulator, Settings};
use engine::Engine;
use events::Courier;
use faults::FunctionFaults;
use gateway::upstream::Upstream;
use gateway::{Gateway, Shared};
use guard::{Guard, Secret};
use model::Models;

/// The account that everything belongs to.
pub const ACCOUNT: &str = "000000000000";
/// An account of somebody else, for what must not be touched.
pub const FOREIGN_ACCOUNT: &str = "999999999999";

/// Nothing on this machine is reached through a proxy.
const NO_PROXY: &str = "127.0.0.1,localhost";

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its Python environment and its files are, such as `target/sandbox`.
    pub dir: PathBuf,
    /// The Python environment, where it is another than `venv` in `dir`.
    pub venv: Option<PathBuf>,
    /// The region of who names none.
    pub region: String,
    /// How many times as fast as AWS boot times, and waits of Step Functions, pass.
    pub speed: f64,
    /// A delay added to each call.
    pub latency: Duration,
    /// The gateway's port; 0 is any free one.
    pub port: u16,
    /// How long [`serve`] stays up without a call.
    pub idle: Duration,
}

impl Options {
    /// The usual: `ap-south-1`, 20 times as fast as AWS, no added latency, ends after two idle hours.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            venv: None,
            region: "ap-south-1".to_owned(),
            speed: 20.0,
            latency: Duration::ZERO,
            port: 0,
            idle: Duration::from_secs(2 * 60 * 60),
        }
    }
}

/// Keys of an account's root: the account's own number, and a secret that is another in each run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// A running sandbox; it ends, with everything that it started, when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    // In this order: nobody calls any more, nothing runs any more, then the emulator ends, then its files go.
    _gateway: Gateway,
    _engine: Engine,
    _courier: Courier,
    emulator: Emulator,
    shared: Arc<Shared>,
    endpoint: String,
    secret: Secret,
    function_faults: FunctionFaults,
    run: TempDir,
}

impl Sandbox {
    /// Starts one. The first time, this makes a Python environment, which takes half a minute.
    ///
    /// # Errors
    /// When the environment cannot be made, or the emulator does not start.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        Self::start_telling(options, &|text| tracing::info!("{text}")).await
    }

    /// Starts one, and tells what takes time.
    ///
    /// # Errors
    /// When the environment cannot be made, or the emulator does not start.
    pub async fn start_telling(options: &Options, progress: &(dyn Fn(&str) + Sync)) -> Result<Self, Error> {
        let root = options.venv.clone().unwrap_or_else(|| options.dir.join("venv"));
        let venv = venv::Venv::make(&root, venv::MINISTACK, progress).await?;
        let dir = std::path::absolute(&options.dir).map_err(Error::file(&options.dir))?;
        let run = tempfile::Builder::new()
            .prefix(&format!("run-{}-", std::process::id()))
            // What is in it, such as functions and their logs, is nobody else's.
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&dir)
            .map_err(Error::file(&dir))?;
        let (listener, address) = gateway::bind(options.port).await?;
        let endpoint = format!("http://{address}");
        let clock = Clock::new(options.speed);
        let certificates = Certificates::new()?;
        let authority = run.path().join("authority.pem");
        std::fs::write(&authority, certificates.authority()).map_err(Error::file(&authority))?;
        let secret = Secret::new()?;
        let emulator = Emulator::start(&Settings {
            python: &venv.python(),
            dir: run.path(),
            endpoint: &endpoint,
            authority: &authority,
            region: &options.region,
            speed: clock.speed(),
            secret: &secret,
        })
        .await?;
        let upstream = Upstream::new(emulator.port(), &secret);
        let models = Models::new(&venv.package("botocore")?);
        let guard = Guard::new(secret.clone(), address);
        let region = options.region.clone();
        let shared = Shared::new(upstream, models, certificates, clock, region, options.latency, guard);
        let gateway = Gateway::start(listener, Arc::clone(&shared));
        let (engine, courier) = (Engine::start(&shared), Courier::start(&shared));
        Ok(Self {
            _gateway: gateway,
            _engine: engine,
            _courier: courier,
            emulator,
            shared,
            endpoint,
            secret,
            function_faults: FunctionFaults::default(),
            run,
        })
    }

    /// The address of all of AWS, such as `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Keys of the account's root.
    pub fn credentials(&self) -> Credentials {
        self.credentials_of(ACCOUNT)
    }

    /// Keys of any account's root; nothing needs to be made first.
    pub fn credentials_of(&self, account: &str) -> Credentials {
        Credentials { access_key_id: account.to_owned(), secret_access_key: self.secret.text().to_owned() }
    }

    /// Its region.
    pub fn region(&self) -> &str {
        &self.shared.region
    }

    /// Its clock.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// A directory that goes when the sandbox goes; the emulator's log is in it.
    pub fn dir(&self) -> &Path {
        self.run.path()
    }

    /// The port of the emulator, which answers to the gateway alone.
    pub fn emulator_port(&self) -> u16 {
        self.emulator.port()
    }

    /// The emulator's process.
    pub fn emulator_pid(&self) -> Option<u32> {
        self.emulator.pid()
    }

    /// The environment of a client, such as an AWS SDK or the AWS command line.
    pub fn env(&self) -> Vec<(String, String)> {
        client_env(&self.endpoint, self.region(), &self.credentials())
    }

    /// The calls so far, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.calls_since(0)
    }

    /// The calls after number `seq`.
    pub fn calls_since(&self, seq: u64) -> Vec<Call> {
        self.shared.record.since(seq)
    }

    /// What the policies of roles were asked so far, each once.
    pub fn asked(&self) -> Vec<Asked> {
        asked::read(self.run.path())
    }

    /// From now on each call tells whether it or its answer has this text in it, as it is or in Base64. Letters, digits and dashes.
    pub fn look_for(&self, text: &str) {
        self.shared.canary.look_for(text);
    }

    /// How many requests were checked against their service's model, and which were refused.
    pub fn checked(&self) -> Checked {
        self.shared.models.checked().clone()
    }

    /// The requests that were refused so far are what the caller wanted; without this, dropping the sandbox panics.
    pub fn expect_refused(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.models.checked().refused)
    }

    /// The number of the last call.
    pub fn last_call(&self) -> u64 {
        self.shared.record.last()
    }

    /// How much work its scheduler and its load balancers have done.
    pub fn work(&self) -> Work {
        Work { probes: self.shared.alb.probes(), ..self.shared.ecs.work() }
    }

    /// How many targets of a group, by its ARN, were healthy at any time: what a deployment must not have fallen below.
    pub fn target_history(&self, group: &str) -> TargetHistory {
        let place = asg::Place { account: ACCOUNT.to_owned(), region: self.shared.region.clone() };
        self.shared.alb.with(&place, |table| table.history(group))
    }

    /// Waits until no call is under way: those of a killed client are carried through. One that hangs is not waited for.
    pub async fn quiet(&self) {
        while !self.shared.record.is_quiet() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Adds this delay to each call.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.set_latency(latency);
    }

    /// A client of its interface over the network.
    pub fn admin(&self) -> Admin {
        Admin::new(&self.endpoint, self.secret.text())
    }

    /// Pushes an image into a repository under a tag.
    ///
    /// # Errors
    /// When the repository does not exist, or the emulator does not answer.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) -> Result<Pushed, Error> {
        let place = asg::Place { account: ACCOUNT.to_owned(), region: self.shared.region.clone() };
        let request = push::Request { repository: repository.into(), tag: tag.into(), image: image.clone() };
        push::push(&self.shared, &place, &request).await
    }

    /// Moves the image that AWS recommends for container instances.
    ///
    /// # Errors
    /// When it cannot be written down for the emulator.
    pub fn recommend_ami(&self, image: &str) -> Result<(), Error> {
        emulator::recommend_ami(self.run.path(), image)
    }

    /// Takes an instance type out of what a zone offers.
    ///
    /// # Errors
    /// When it cannot be written down for the emulator.
    pub fn take_from_offer(&self, zone: &str, instance_type: &str) -> Result<(), Error> {
        emulator::take_from_offer(self.run.path(), zone, instance_type)
    }

    /// The events so far, of AWS's services and of clients, in the order in which they happened.
    pub fn events(&self) -> Vec<Event> {
        self.events_since(0)
    }

    /// The events after number `seq`.
    pub fn events_since(&self, seq: u64) -> Vec<Event> {
        self.shared.events.since(seq)
    }

    /// Makes a schedule due now: a rule with a rate or a cron expression, or a schedule of EventBridge Scheduler.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn fire(&self, schedule: &str) -> Result<(), Error> {
        events::fire(&self.shared, schedule).await
    }

    /// The proxy through which load balancers are reached by their DNS names, for `HTTP_PROXY`: from outside, or from
    /// inside the VPC, where internal ones are reached too. A function's name instead of the user is where its VPC is.
    pub fn proxy(&self, inside: bool) -> String {
        let user = if inside { "vpc" } else { "outside" };
        // Some clients name no user who has no password.
        self.endpoint.replacen("http://", &format!("http://{user}:none@"), 1)
    }

    /// Asks a load balancer by its DNS name, from outside or from inside the VPC; `None` where there is no way.
    pub async fn ask(&self, inside: bool, method: &str, url: &str, headers: &[(&str, &str)]) -> Option<Reply> {
        ask::ask(&self.endpoint, inside, (method, url), headers).await
    }

    /// Ends it.
    pub fn stop(self) {}
}

impl Drop for Sandbox {
    /// AWS would have refused these requests: whoever made them is wrong, even where the refusal was overlooked.
    fn drop(&mut self) {
        let refused = self.expect_refused();
        assert!(refused.is_empty() || std::thread::panicking(), "AWS would refuse:\n{}", refused.join("\n"));
    }
}

fn client_env(endpoint: &str, region: &str, credentials: &Credentials) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", &credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("NO_PROXY", NO_PROXY),
        ("no_proxy", NO_PROXY),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
