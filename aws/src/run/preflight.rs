//! The pre-flight: what a run would be refused for in one layer or another is said before the first one begins.

use futures::join;
use skydeck_core::facts::Facts;
use skydeck_core::obstacle::Obstacle;
use skydeck_core::plan::Refusal;
use skydeck_core::run::{Mode, Run};
use skydeck_core::scope::Scope;

use super::Context;
use crate::client::Clients;
use crate::error::{Error, Result};
use crate::foreign;
use crate::layer::balancer::Balancer;
use crate::layer::cluster::Cluster;
use crate::layer::identity::Identity;
use crate::layer::network::Network;
use crate::layer::registry::Registry;
use crate::layer::secrets::Secrets;
use crate::layer::service::Service;
use crate::layer::storage::Storage;
use crate::layer::{Foreseen, Work, foresee};

/// Refuses what cannot be carried out: names that others have, things of others that would go too, and what of the platform's
/// own is in the way.
///
/// # Errors
/// All refusals together, or what AWS says where it cannot be asked.
pub(super) async fn preflight(context: &Context, run: &Run) -> Result<()> {
    let (clients, scope) = (&context.clients, context.scope(run, Facts::default()).await?);
    let (layers, others) = match run.purpose() {
        // A plan changes nothing, and is refused layer by layer.
        Mode::Plan => return Ok(()),
        Mode::Apply => join!(change(clients, scope.clone()), foreign::refuse_leaving(clients, &scope)),
        Mode::Destroy => join!(leave(clients, &scope), foreign::refuse(clients, &scope)),
    };
    let mut refused = layers?;
    refused.take(others)?;
    refused.told()
}

/// Lets every layer plan, as mode `plan` does, in the order of the state machine: a later one plans by the facts of those before.
async fn change(clients: &Clients, mut scope: Scope) -> Result<Refused> {
    let mut refused = Refused::default();
    let (network, identity, registry, storage, secrets) = join!(
        layer::<Network>(clients, &scope, Mode::Apply),
        layer::<Identity>(clients, &scope, Mode::Apply),
        layer::<Registry>(clients, &scope, Mode::Apply),
        layer::<Storage>(clients, &scope, Mode::Apply),
        layer::<Secrets>(clients, &scope, Mode::Apply),
    );
    for one in [network, identity, registry, storage, secrets] {
        refused.layer(&mut scope, one)?;
    }
    let (balancer, cluster) =
        join!(layer::<Balancer>(clients, &scope, Mode::Apply), layer::<Cluster>(clients, &scope, Mode::Apply));
    for one in [balancer, cluster] {
        refused.layer(&mut scope, one)?;
    }
    let service = layer::<Service>(clients, &scope, Mode::Apply).await;
    refused.layer(&mut scope, service)?;
    Ok(refused)
}

/// Looks at all that is to go.
async fn leave(clients: &Clients, scope: &Scope) -> Result<Refused> {
    let (network, registry, storage, secrets, balancer, cluster, service) = join!(
        layer::<Network>(clients, scope, Mode::Destroy),
        layer::<Registry>(clients, scope, Mode::Destroy),
        layer::<Storage>(clients, scope, Mode::Destroy),
        layer::<Secrets>(clients, scope, Mode::Destroy),
        layer::<Balancer>(clients, scope, Mode::Destroy),
        layer::<Cluster>(clients, scope, Mode::Destroy),
        layer::<Service>(clients, scope, Mode::Destroy),
    );
    let (mut refused, mut scope) = (Refused::default(), scope.clone());
    for one in [network, registry, storage, secrets, balancer, cluster, service] {
        refused.layer(&mut scope, one)?;
    }
    Ok(refused)
}

async fn layer<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> Result<Foreseen> {
    let facts = scope.facts.clone().or_placeholders(scope);
    let scope = Scope { facts, ..scope.clone() };
    Box::pin(foresee::<W>(clients, &scope, mode)).await
}

/// Why a run does not begin.
#[derive(Default)]
struct Refused {
    errors: Vec<Error>,
    obstacles: Vec<Obstacle>,
}

impl Refused {
    /// Keeps a refusal, and passes on what else is wrong.
    fn take<T: Default>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Err(error @ Error::Refused(_)) => {
                self.errors.push(error);
                Ok(T::default())
            }
            result => result,
        }
    }

    /// Keeps a layer's facts, or why it would refuse.
    fn layer(&mut self, scope: &mut Scope, foreseen: Result<Foreseen>) -> Result<()> {
        let Foreseen { facts, obstacles } = self.take(foreseen)?;
        scope.facts = std::mem::take(&mut scope.facts).with(facts);
        self.obstacles.extend(obstacles);
        Ok(())
    }

    fn told(self) -> Result<()> {
        let found = self.obstacles;
        let obstructed = (!found.is_empty()).then(|| Refusal::Obstructed { found }.into());
        // Several lines come last.
        Error::join(self.errors.into_iter().chain(obstructed).collect()).map_or(Ok(()), Err)
    }
}
