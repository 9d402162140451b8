//! The drift matrix: everything that the platform file determines is changed behind skydeck's back, one thing at a time;
//! each must be found by a plan, repaired by an apply, and not be found again.
//!
//! What there is to change is read off the worlds that the layers observe ([`spot`]), and the way to change it is the
//! product's own: a plan of a world in which it is otherwise, turned round ([`invert`]). Where the product only ever goes the
//! other way, [`hands`] does it. What is neither compared nor an exception with a reason makes the matrix fail.

pub mod exceptions;
mod hands;
mod invert;
mod layer;
mod rollout;
pub mod spot;

use serde::Serialize;
use skydeck_aws::layer::{balancer, cluster, identity, network, registry, secrets, service, storage};
use skydeck_core::run::Layer;

use exceptions::{EXCEPTIONS, Exception};
use layer::Matrix;

use crate::account::Account;
use crate::skyfox;

/// The load balancers, and the names that their certificates are for.
const HOSTS: [(&str, &str); 2] = [("external", "www.example.com"), ("internal", "internal.example.com")];

/// What is to be run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only these layers; all where there is none.
    pub layers: Vec<Layer>,
    /// Only so many spots of each layer, chosen by the seed.
    pub sample: Option<usize>,
    /// Chooses the sample.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Attributes, elements and resources that were changed.
    pub attributes: usize,
    /// Of which a plan found.
    pub found: usize,
    /// Of which an apply repaired, so that the next plan was empty.
    pub repaired: usize,
    /// What was not changed, and why.
    pub exceptions: Vec<Excepted>,
    /// What was not found, not repaired, or could not be changed.
    pub failures: Vec<Told>,
    /// The seed of the sample.
    pub seed: u64,
}

/// One spot with what there is to say of it.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// Which layer.
    pub layer: Layer,
    /// Where.
    pub spot: String,
    /// What.
    pub what: String,
}

/// One spot that is an exception.
#[derive(Debug, Clone, Serialize)]
pub struct Excepted {
    /// Which layer.
    pub layer: Layer,
    /// Where.
    pub spot: String,
    /// By which pattern.
    pub pattern: &'static str,
    /// Why.
    pub reason: &'static str,
}

impl Report {
    /// Whether all that was changed was found and repaired, and everything could be changed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && self.attributes == self.found && self.attributes == self.repaired
    }

    /// Patterns of exceptions that nothing fell under.
    #[must_use]
    pub fn unused_exceptions(&self) -> Vec<&'static str> {
        let used = |exception: &&Exception| self.exceptions.iter().any(|told| told.pattern == exception.pattern);
        EXCEPTIONS.iter().filter(|exception| !used(exception)).map(|exception| exception.pattern).collect()
    }
}

/// SkyFox with HTTPS: with a certificate there is more to get wrong.
async fn subject() -> Account {
    let mut account = Account::start(skyfox::scope("drift")).await;
    for (key, host) in HOSTS {
        let certificate = account.certificate(host).await;
        let balancer = account.scope.platform.load_balancers.get_mut(key).expect("SkyFox has it");
        (balancer.certificate, balancer.host) = (Some(certificate), Some(host.into()));
    }
    account
}

/// Runs the matrix in a sandbox of its own. `tell` gets a line of progress.
///
/// # Panics
/// Where the sandbox does not start or the platform does not come up.
pub async fn run(options: &Options, tell: &dyn Fn(&str)) -> Report {
    let mut account = subject().await;
    let mut matrix = Matrix { options, tell, report: Report { seed: options.seed, ..Report::default() } };
    matrix.layer::<network::Network>(&mut account).await;
    matrix.layer::<identity::Identity>(&mut account).await;
    matrix.layer::<registry::Registry>(&mut account).await;
    matrix.layer::<storage::Storage>(&mut account).await;
    matrix.layer::<secrets::Secrets>(&mut account).await;
    matrix.layer::<balancer::Balancer>(&mut account).await;
    matrix.layer::<cluster::Cluster>(&mut account).await;
    matrix.layer::<service::Service>(&mut account).await;
    matrix.report
}
