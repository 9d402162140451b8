//! The pre-flight: what a run would be refused for in one layer or another is said before the first one begins.

use futures::try_join;
use skydeck_core::facts::Facts;
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
use crate::layer::{Work, converge};

/// Refuses what cannot be carried out: names that others have, and things of others that would go too.
///
/// # Errors
/// All refusals together, or what AWS says where it cannot be asked.
pub(super) async fn preflight(context: &Context, run: &Run) -> Result<()> {
    let scope = context.scope(run, Facts::default()).await?;
    match run.mode {
        // A plan changes nothing, and is refused layer by layer.
        Mode::Plan => Ok(()),
        Mode::Apply => {
            try_join!(layers(&context.clients, scope.clone()), foreign::refuse_leaving(&context.clients, &scope))?;
            Ok(())
        }
        Mode::Destroy => foreign::refuse(&context.clients, &scope).await,
    }
}

/// Lets every layer plan, as mode `plan` does, in the order of the state machine: a later one plans by the facts of those before.
async fn layers(clients: &Clients, mut scope: Scope) -> Result<()> {
    let mut refused = Vec::new();
    let (network, identity, registry, storage, secrets) = futures::join!(
        plan::<Network>(clients, &scope),
        plan::<Identity>(clients, &scope),
        plan::<Registry>(clients, &scope),
        plan::<Storage>(clients, &scope),
        plan::<Secrets>(clients, &scope),
    );
    for one in [network, identity, registry, storage, secrets] {
        take(&mut scope, &mut refused, one)?;
    }
    let (balancer, cluster) = futures::join!(plan::<Balancer>(clients, &scope), plan::<Cluster>(clients, &scope));
    for one in [balancer, cluster] {
        take(&mut scope, &mut refused, one)?;
    }
    let service = plan::<Service>(clients, &scope).await;
    take(&mut scope, &mut refused, service)?;
    Error::join(refused).map_or(Ok(()), Err)
}

async fn plan<W: Work>(clients: &Clients, scope: &Scope) -> Result<Facts> {
    let facts = scope.facts.clone().or_placeholders(scope);
    let scope = Scope { facts, ..scope.clone() };
    let attempt = Box::pin(converge::<W>(clients, &scope, Mode::Plan)).await;
    attempt.error.map_or(Ok(attempt.facts), Err)
}

/// Keeps a layer's facts, or why it would refuse.
fn take(scope: &mut Scope, refused: &mut Vec<Error>, planned: Result<Facts>) -> Result<()> {
    match planned {
        Ok(facts) => scope.facts = std::mem::take(&mut scope.facts).with(facts),
        Err(error @ Error::Refused(_)) => refused.push(error),
        Err(error) => return Err(error),
    }
    Ok(())
}
