//! The registry: ECR repositories and their lifecycle policies.

use skydeck_core::facts::Facts;
use skydeck_core::layer::registry::{self, Change, World};
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

/// The registry layer.
#[derive(Debug)]
pub struct Registry;

impl Work for Registry {
    const LAYER: Layer = Layer::Registry;
    const ACTIONS: &'static [&'static str] = &[
        "ecr:CreateRepository",
        "ecr:DeleteRepository",
        "ecr:DescribeRepositories",
        "ecr:GetLifecyclePolicy",
        "ecr:ListImages",
        "ecr:ListTagsForResource",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy",
        "ecr:TagResource",
    ];
    type World = World;
    type Change = Change;

    async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
        observe::observe(clients, scope).await
    }

    async fn observe_leaving(clients: &Clients, scope: &Scope) -> Result<World> {
        observe::observe_leaving(clients, scope).await
    }

    fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
        registry::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        registry::teardown(scope, world)
    }

    fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
        registry::obstacles_leaving(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        registry::facts(scope, world)
    }

    async fn apply(clients: &Clients, _scope: &Scope, change: &Change, _made: &Made) -> Result<Option<String>> {
        apply::apply(clients.ecr(), change).await
    }
}
