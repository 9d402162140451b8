//! Secrets: Parameter Store parameters.

use skydeck_core::facts::Facts;
use skydeck_core::layer::secrets::{self, Change, World};
use skydeck_core::obstacle::Obstacle;
use skydeck_core::plan::{Plan, Refusal};
use skydeck_core::run::Layer;
use skydeck_core::scope::Scope;

use super::Work;
use crate::client::Clients;
use crate::error::Result;
use crate::execute::Made;

mod apply;
mod observe;

pub(crate) use observe::tags;

/// The secrets layer.
#[derive(Debug)]
pub struct Secrets;

impl Work for Secrets {
    const LAYER: Layer = Layer::Secrets;
    // No `kms:Decrypt`: the policy of the account's default key `aws/ssm` lets everyone in the account decrypt through
    // Systems Manager.
    const ACTIONS: &'static [&'static str] = &[
        "ssm:AddTagsToResource",
        "ssm:DeleteParameter",
        "ssm:DescribeParameters",
        "ssm:GetParameters",
        "ssm:ListTagsForResource",
        "ssm:PutParameter",
    ];
    type World = World;
    type Change = Change;

    async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
        observe::observe(clients, scope).await
    }

    fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
        secrets::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        secrets::teardown(scope, world)
    }

    fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
        secrets::obstacles(scope, world)
    }

    fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
        secrets::obstacles_leaving(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        secrets::facts(scope, world)
    }

    async fn apply(clients: &Clients, scope: &Scope, change: &Change, _made: &Made) -> Result<Option<String>> {
        apply::apply(clients.ssm(), scope, change).await.map(|()| None)
    }
}
