//! The states of `provision`, one function each: what a Lambda does between its input and its output.

mod approve;
mod conclude;
mod dispatch;
mod drift;
mod group;
mod layer;
mod observe;
mod preflight;
mod prepare;

pub use approve::approve;
pub use conclude::conclude;
pub use dispatch::dispatch;
pub(crate) use group::{failed_launch, group};
pub use layer::layer;
pub use observe::observe;
pub(crate) use observe::{stop, targets, tasks};
pub(crate) use prepare::only_platform;
pub use prepare::prepare;

use futures::future::try_join_all;
use skydeck_core::facts::Facts;
use skydeck_core::preview::{LayerPlan, Preview, part_key, plan_key};
use skydeck_core::run::{Layer, Run};
use skydeck_core::scope::Scope;
use skydeck_core::spec;

use crate::client::Clients;
use crate::error::{Error, Result};
use crate::home::Home;

/// What every function has at hand, made once at its start.
#[derive(Debug, Clone)]
pub struct Context {
    /// The SDK clients.
    pub clients: Clients,
    /// Skydeck's own bucket.
    pub home: Home,
}

impl Context {
    /// Clients as the environment says, and skydeck's bucket of that name.
    pub async fn new(app: &'static str, bucket: &str) -> Self {
        let clients = Clients::from_env(app).await;
        let home = Home::new(clients.s3(), bucket);
        Context { clients, home }
    }

    /// The scope of a run, by the version of the platform file that the run works by.
    async fn scope(&self, run: &Run, facts: Facts) -> Result<Scope> {
        let version = Some(run.spec_version.as_str()).filter(|version| !version.is_empty());
        let key = run.spec_key();
        let object = self.home.read(&key, version).await?.ok_or_else(|| {
            Error::Input(format!("s3://{}/{key} is not there: upload it with `skydeck apply FILE`", self.home.bucket))
        })?;
        let platform = spec::parse(&key, &object.text).map_err(|problems| Error::Input(problems.to_string()))?;
        let (partition, account) =
            run.home().ok_or_else(|| Error::Input(format!("`{}` is not the ARN of an execution", run.execution)))?;
        Ok(Scope {
            platform,
            account: account.to_owned(),
            partition: partition.to_owned(),
            home: self.home.bucket.clone(),
            facts,
            refresh_ami: run.refresh_ami,
            done: Vec::new(),
        })
    }

    /// A plan of a platform.
    async fn plan(&self, platform: &str, id: &str) -> Result<Preview> {
        let found: Option<Preview> = self.home.read_json(&plan_key(platform, id)).await?;
        found.ok_or_else(|| Error::Input(format!("{platform} has no plan `{id}`: `skydeck plan` makes one")))
    }

    /// What the layers of a run have planned, as far as they have.
    async fn parts(&self, run: &Run) -> Result<Vec<LayerPlan>> {
        let keys = Layer::ALL.map(|layer| part_key(run, layer));
        let parts = try_join_all(keys.iter().map(|key| self.home.read_json::<Option<LayerPlan>>(key))).await?;
        Ok(parts.into_iter().flatten().collect())
    }
}
