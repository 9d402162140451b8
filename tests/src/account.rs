//! An account in a sandbox, and its layers driven without Lambda.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use skydeck_aws::client::Clients;
use skydeck_aws::execute::execute;
use skydeck_aws::layer::balancer::Balancer;
use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::identity::Identity;
use skydeck_aws::layer::network::Network;
use skydeck_aws::layer::registry::Registry;
use skydeck_aws::layer::secrets::Secrets;
use skydeck_aws::layer::service::Service;
use skydeck_aws::layer::storage::Storage;
use skydeck_aws::layer::{Attempt, Work, converge};
use skydeck_core::Scope;
use skydeck_core::run::{Layer, Mode};
use skydeck_sandbox::{ACCOUNT, Options};

use crate::{Watched, acm, probe, root, root_keys, skyfox, worker};

/// How often a layer is tried, and how long apart: in a run the state machine does that.
const ATTEMPTS: usize = 400;
const APART: Duration = Duration::from_millis(50);

/// A platform's account, as far as the platform's layers have been applied.
#[derive(Debug)]
pub struct Account {
    /// Clients of the account's root: what people do.
    pub clients: Clients,
    /// The platform, with what its layers have handed on.
    pub scope: Scope,
    /// Clients of each layer's function, with the rights of its role and no others.
    workers: BTreeMap<Layer, Clients>,
    sandbox: Arc<Watched>,
}

impl Account {
    /// A sandbox for this platform, where the probe's code is uploaded.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start(scope: Scope) -> Self {
        let options = Options { speed: 1000.0, ..Options::new(root().join("target/sandbox")) };
        let sandbox = Watched::start(&options).await;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("ap-south-1"))
            .endpoint_url(sandbox.endpoint())
            .credentials_provider(root_keys(&sandbox));
        let clients = Clients::load(config, "skydeck-tests").await;
        let home = skydeck_bootstrap::Account::of(ACCOUNT, "ap-south-1").bucket();
        let scope = Scope { account: ACCOUNT.into(), home, ..scope };
        skyfox::bound(&clients, &scope).await;
        probe::upload(&clients, &scope.home, "first").await;
        let mut workers = BTreeMap::new();
        for layer in Layer::ALL {
            workers.insert(layer, worker::hire(&sandbox, &clients, layer.name()).await);
        }
        Account { clients, scope, workers, sandbox: Arc::new(sandbox) }
    }

    /// Clients of a layer's function.
    ///
    /// # Panics
    /// Where there is no such function.
    #[must_use]
    pub fn worker(&self, layer: Layer) -> &Clients {
        self.workers.get(&layer).expect("every layer has a function")
    }

    /// Requests a certificate for a name; returns its ARN.
    ///
    /// # Panics
    /// Where ACM refuses.
    pub async fn certificate(&self, name: &str) -> String {
        let request = acm(self.sandbox.endpoint(), root_keys(&self.sandbox)).request_certificate().domain_name(name);
        request.send().await.expect("a certificate").certificate_arn.expect("an ARN")
    }

    /// The requests since it was asked last that AWS would refuse by its own model; without this they fail the test in the end.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.sandbox.expect_refused()
    }

    /// The same account with another platform.
    #[must_use]
    pub fn with(&self, scope: Scope) -> Self {
        let scope = Scope { account: self.scope.account.clone(), home: self.scope.home.clone(), ..scope };
        Account { clients: self.clients.clone(), scope, workers: self.workers.clone(), sandbox: self.sandbox.clone() }
    }

    /// Applies a layer until it is done, and keeps its facts. Says why where it does not get done.
    ///
    /// # Errors
    /// What the layer says.
    pub async fn apply<W: Work>(&mut self) -> Result<(), String> {
        let mut waiting = String::new();
        let mut clock = tokio::time::interval(APART);
        for _ in 0..ATTEMPTS {
            clock.tick().await;
            let attempt = Box::pin(converge::<W>(self.worker(W::LAYER), &self.scope, Mode::Apply)).await;
            match attempt.error {
                None => {
                    let before = std::mem::take(&mut self.scope.facts);
                    self.scope.facts = before.with(attempt.facts);
                    return Ok(());
                }
                Some(error) if error.error_type() == "NotYet" => waiting = error.to_string(),
                Some(error) => return Err(error.to_string()),
            }
        }
        Err(format!("{} does not get done: {waiting}", W::LAYER))
    }

    /// Carries out the first steps of what a layer plans, as an apply that is killed then.
    ///
    /// # Errors
    /// What the layer says.
    pub async fn begin<W: Work>(&self, steps: usize) -> Result<(), String> {
        let world = W::observe(self.worker(W::LAYER), &self.scope).await.map_err(|error| error.to_string())?;
        let mut plan = W::plan(&self.scope, &world).map_err(|refusal| refusal.to_string())?;
        // A step waits for earlier ones only.
        plan.steps.truncate(steps);
        let apply =
            async |change: &W::Change, made: &_| W::apply(self.worker(W::LAYER), &self.scope, change, made).await;
        match Box::pin(execute(&plan, apply)).await.error {
            Some(error) if error.error_type() != "NotYet" => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// What a layer would change.
    pub async fn plan<W: Work>(&self) -> Attempt {
        Box::pin(converge::<W>(self.worker(W::LAYER), &self.scope, Mode::Plan)).await
    }

    /// Applies the layer of this name.
    ///
    /// # Errors
    /// What the layer says.
    pub async fn apply_layer(&mut self, layer: Layer) -> Result<(), String> {
        match layer {
            Layer::Network => self.apply::<Network>().await,
            Layer::Identity => self.apply::<Identity>().await,
            Layer::Registry => self.apply::<Registry>().await,
            Layer::Storage => self.apply::<Storage>().await,
            Layer::Secrets => self.apply::<Secrets>().await,
            Layer::Balancer => self.apply::<Balancer>().await,
            Layer::Cluster => self.apply::<Cluster>().await,
            Layer::Service => self.apply::<Service>().await,
        }
    }

    /// Begins the layer of this name.
    ///
    /// # Errors
    /// What the layer says.
    pub async fn begin_layer(&self, layer: Layer, steps: usize) -> Result<(), String> {
        match layer {
            Layer::Network => self.begin::<Network>(steps).await,
            Layer::Identity => self.begin::<Identity>(steps).await,
            Layer::Registry => self.begin::<Registry>(steps).await,
            Layer::Storage => self.begin::<Storage>(steps).await,
            Layer::Secrets => self.begin::<Secrets>(steps).await,
            Layer::Balancer => self.begin::<Balancer>(steps).await,
            Layer::Cluster => self.begin::<Cluster>(steps).await,
            Layer::Service => self.begin::<Service>(steps).await,
        }
    }

    /// What the layer of this name would change.
    pub async fn plan_layer(&self, layer: Layer) -> Attempt {
        match layer {
            Layer::Network => self.plan::<Network>().await,
            Layer::Identity => self.plan::<Identity>().await,
            Layer::Registry => self.plan::<Registry>().await,
            Layer::Storage => self.plan::<Storage>().await,
            Layer::Secrets => self.plan::<Secrets>().await,
            Layer::Balancer => self.plan::<Balancer>().await,
            Layer::Cluster => self.plan::<Cluster>().await,
            Layer::Service => self.plan::<Service>().await,
        }
    }
}
