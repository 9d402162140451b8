//! Identity: roles, the instance profile, service-linked roles.

use skydeck_core::facts::Facts;
use skydeck_core::layer::identity::{self, Change, World};
use skydeck_core::plan::{Plan, Refusal};
use skydeck_core::run::Layer;
use skydeck_core::scope::Scope;

use super::Work;
use crate::client::Clients;
use crate::error::Result;
use crate::execute::Made;

mod apply;
mod observe;

/// The identity layer.
#[derive(Debug)]
pub struct Identity;

impl Work for Identity {
    const LAYER: Layer = Layer::Identity;
    const ACTIONS: &'static [&'static str] = &[
        "iam:AddRoleToInstanceProfile",
        "iam:AttachRolePolicy",
        "iam:CreateInstanceProfile",
        "iam:CreateRole",
        "iam:CreateServiceLinkedRole",
        "iam:DeleteInstanceProfile",
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetInstanceProfile",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:ListRoles",
        // AWS asks for it when a role is put into a profile.
        "iam:PassRole",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:TagInstanceProfile",
        "iam:TagRole",
        "iam:UpdateAssumeRolePolicy",
    ];
    type World = World;
    type Change = Change;

    async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
        observe::observe(clients, scope).await
    }

    fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
        identity::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        identity::teardown(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        identity::facts(scope, world)
    }

    async fn apply(clients: &Clients, scope: &Scope, change: &Change, _made: &Made) -> Result<Option<String>> {
        apply::apply(clients.iam(), scope, change).await
    }
}
