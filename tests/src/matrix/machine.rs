//! The state machine's way through a run, in this process: the same functions, the same retries, no waits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use skydeck_aws::home::Home;
use skydeck_aws::layer::balancer::Balancer;
use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::identity::Identity;
use skydeck_aws::layer::network::Network;
use skydeck_aws::layer::registry::Registry;
use skydeck_aws::layer::secrets::Secrets;
use skydeck_aws::layer::service::Service;
use skydeck_aws::layer::storage::Storage;
use skydeck_aws::run::{self, Context};
use skydeck_aws::{Clients, Error, Result};
use skydeck_core::facts::Facts;
use skydeck_core::run::{
    Ending, Failure, Layer, LayerInput, LayerOutput, LayerReport, Look, Mode, Run, Start, spec_key,
};

use crate::probe;

/// How often the state machine tries what is not yet done, and what AWS has slowed down; by `provision.asl.json`.
const NOT_YET: u32 = 60;
const THROTTLED: u32 = 8;
/// How often the layers are walked again for what was left until everything serves.
const PASSES: u32 = 10;
/// Between two attempts. What the sandbox's instances and tasks need is over by then.
const PAUSE: Duration = Duration::from_millis(40);

const HOME: &str = "skydeck-000000000000-ap-south-1";
pub(super) const PLATFORM: &str = "skyfox-devprod";

/// A state of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Prepare,
    Layer(Layer),
    Observe,
    Conclude,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Prepare => "prepare",
            Step::Layer(layer) => layer.name(),
            Step::Observe => "observe",
            Step::Conclude => "conclude",
        }
    }
}

/// Runs one state after the other, as the machine does.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) context: Context,
    runs: Cell<u32>,
    /// Somebody whose calls no fault strikes.
    person: aws_sdk_s3::Client,
}

/// A run on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    /// None before it has begun.
    pub(super) run: Option<Run>,
    pub(super) facts: Facts,
    reports: Vec<LayerReport>,
    /// Whether a layer has left something for when everything serves.
    deferred: bool,
}

impl Way {
    fn run(&self) -> Result<Run> {
        self.run.clone().ok_or_else(|| Error::Broken("a run goes on that has not begun".into()))
    }
}

impl Machine {
    /// With skydeck's bucket, the platform file and the probe's code in it.
    pub(super) async fn install(clients: Clients, person: aws_sdk_s3::Client) -> Self {
        probe::upload(&clients, HOME, "first").await;
        let file = include_str!("../../../platforms/skyfox.toml").as_bytes().to_vec();
        let upload = clients.s3().put_object().bucket(HOME).key(spec_key(PLATFORM)).body(file.into());
        upload.send().await.expect("the platform file");
        let home = Home::new(clients.s3(), HOME);
        Machine { context: Context { clients, home }, runs: Cell::new(0), person }
    }

    /// `Prepare`, under an execution of its own.
    pub(super) async fn prepare(&self, mode: Mode) -> Result<Way> {
        self.prepare_hampered(mode, &|| ()).await
    }

    /// The same, and `between` is called after each attempt that failed.
    pub(super) async fn prepare_hampered(&self, mode: Mode, between: &dyn Fn()) -> Result<Way> {
        self.runs.set(self.runs.get() + 1);
        // The executions are none that Step Functions knows, and one that it does not know yet holds its lock for a while. How a
        // lock is taken over is tried with real ones, in tests/lock.rs and by the cases of the whole machine.
        let lock = self.person.delete_object().bucket(HOME).key(format!("platforms/{PLATFORM}/lock.json"));
        lock.send().await.expect("a lock of one that died");
        let execution = format!("run-{}", self.runs.get());
        let execution_arn = format!("arn:aws:states:ap-south-1:000000000000:execution:skydeck-provision:{execution}");
        let start = Start {
            mode,
            platform: Some(PLATFORM.into()),
            file: None,
            version: None,
            plan: None,
            refresh_ami: false,
            drift: false,
            execution,
            execution_arn,
        };
        let prepared = retried(async || run::prepare(&self.context, start.clone()).await, between).await?;
        Ok(Way { run: Some(prepared.run), ..Way::default() })
    }

    /// The state of a layer.
    pub(super) async fn layer(&self, way: &mut Way, layer: Layer) -> Result<()> {
        self.layer_hampered(way, layer, &|| ()).await
    }

    /// The same, and `between` is called after each attempt that failed.
    pub(super) async fn layer_hampered(&self, way: &mut Way, layer: Layer, between: &dyn Fn()) -> Result<()> {
        let input = LayerInput { run: way.run()?, facts: way.facts.clone() };
        let output = retried(async || self.attempt(layer, input.clone()).await, between).await?;
        merge(&mut way.facts, output.facts);
        way.reports.push(output.report);
        way.deferred |= output.deferred;
        Ok(())
    }

    async fn attempt(&self, layer: Layer, input: LayerInput) -> Result<LayerOutput> {
        let context = &self.context;
        match layer {
            Layer::Network => run::layer::<Network>(context, input).await,
            Layer::Identity => run::layer::<Identity>(context, input).await,
            Layer::Registry => run::layer::<Registry>(context, input).await,
            Layer::Storage => run::layer::<Storage>(context, input).await,
            Layer::Secrets => run::layer::<Secrets>(context, input).await,
            Layer::Balancer => run::layer::<Balancer>(context, input).await,
            Layer::Cluster => run::layer::<Cluster>(context, input).await,
            Layer::Service => run::layer::<Service>(context, input).await,
        }
    }

    /// `Observe`: no service has an image yet, so that one look is enough.
    pub(super) async fn observe(&self, way: &Way, between: &dyn Fn()) -> Result<()> {
        let look = Look { run: way.run()?, facts: way.facts.clone(), round: 0, rollouts: BTreeMap::new() };
        retried(async || run::observe(&self.context, look.clone()).await, between).await.map(drop)
    }

    /// `Conclude`.
    pub(super) async fn conclude(&self, way: &Way, failure: Option<Failure>, between: &dyn Fn()) -> Result<()> {
        let ending = Ending {
            run: way.run()?,
            facts: way.facts.clone(),
            reports: way.reports.clone(),
            verification: None,
            failure,
        };
        retried(async || run::conclude(&self.context, ending.clone()).await, between).await.map(drop)
    }

    /// A whole run.
    pub(super) async fn whole(&self, mode: Mode) -> Result<Way> {
        let mut way = self.prepare(mode).await?;
        let mut layers = Layer::ALL;
        if mode == Mode::Destroy {
            layers.reverse();
        }
        for _ in 0..=PASSES {
            for layer in layers {
                self.layer(&mut way, layer).await?;
            }
            if mode == Mode::Apply {
                self.observe(&way, &|| ()).await?;
            }
            if !std::mem::take(&mut way.deferred) {
                break;
            }
        }
        self.conclude(&way, None, &|| ()).await?;
        Ok(way)
    }
}

/// The failure that `Explain` makes of an error.
pub(super) fn failure(step: Step, error: &str) -> Failure {
    Failure { layer: step.name().into(), error: "AwsError".into(), cause: error.into() }
}

fn merge(all: &mut Facts, new: Facts) {
    all.network = new.network.or(all.network.take());
    all.identity = new.identity.or(all.identity.take());
    all.registry = new.registry.or(all.registry.take());
    all.storage = new.storage.or(all.storage.take());
    all.secrets = new.secrets.or(all.secrets.take());
    all.balancer = new.balancer.or(all.balancer.take());
    all.cluster = new.cluster.or(all.cluster.take());
    all.service = new.service.or(all.service.take());
}

/// The machine's `Retry`.
#[expect(clippy::disallowed_methods, reason = "this is no Lambda: it stands for the state machine, which waits")]
async fn retried<T>(attempt: impl AsyncFn() -> Result<T>, between: &dyn Fn()) -> Result<T> {
    let (mut waits, mut throttles) = (NOT_YET, THROTTLED);
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        between();
        let left = match &error {
            error if error.passes() => &mut waits,
            error if error.error_type() == "Throttled" => &mut throttles,
            _ => return Err(error),
        };
        if *left == 0 {
            return Err(error);
        }
        *left -= 1;
        tokio::time::sleep(PAUSE).await;
    }
}
