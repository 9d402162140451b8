//! Task definitions and ECS services.

use skydeck_core::facts::Facts;
use skydeck_core::layer::service::{self, Change, World};
use skydeck_core::obstacle::Obstacle;
use skydeck_core::plan::{Plan, Refusal};
use skydeck_core::run::Layer;
use skydeck_core::scope::Scope;

use super::Work;
use crate::client::Clients;
use crate::error::Result;
use crate::execute::Made;

mod apply;
mod definition;
mod observe;
mod others;

pub(crate) use apply::{capacity, delete_definitions, load_balancers};
pub(crate) use definition::register;
pub(crate) use observe::{Revision, alive, describe, described, read};

/// The service layer.
#[derive(Debug)]
pub struct Service;

impl Work for Service {
    const LAYER: Layer = Layer::Service;
    // PassRole lets a task definition name its two roles.
    const ACTIONS: &'static [&'static str] = &[
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecs:CreateService",
        "ecs:DeleteService",
        "ecs:DeleteTaskDefinitions",
        "ecs:DeregisterTaskDefinition",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:RegisterTaskDefinition",
        "ecs:TagResource",
        "ecs:UpdateService",
        "iam:PassRole",
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
        service::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        service::teardown(scope, world)
    }

    fn obstacles(scope: &Scope, world: &World) -> Vec<Obstacle> {
        service::obstacles(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        service::facts(scope, world)
    }

    async fn apply(clients: &Clients, scope: &Scope, change: &Change, made: &Made) -> Result<Option<String>> {
        apply::apply(clients.ecs(), scope, change, made).await
    }
}
