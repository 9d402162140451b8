//! Storage: S3 buckets.

use skydeck_core::facts::Facts;
use skydeck_core::layer::storage::{self, Change, World};
use skydeck_core::obstacle::Obstacle;
use skydeck_core::plan::{Plan, Refusal};
use skydeck_core::run::Layer;
use skydeck_core::scope::Scope;

use super::Work;
use crate::client::Clients;
use crate::error::Result;
use crate::execute::Made;

mod apply;
mod empty;
mod observe;

pub use empty::delete_objects;

/// The storage layer.
#[derive(Debug)]
pub struct Storage;

impl Work for Storage {
    const LAYER: Layer = Layer::Storage;
    // The calls' names and the actions' names differ in places: encryption, CORS and versions among them
    // (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>).
    const ACTIONS: &'static [&'static str] = &[
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetBucketCORS",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:ListAllMyBuckets",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutBucketCORS",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:TagResource",
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
        storage::plan(scope, world)
    }

    fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
        storage::teardown(scope, world)
    }

    fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
        storage::obstacles_leaving(scope, world)
    }

    fn facts(scope: &Scope, world: &World) -> Facts {
        storage::facts(scope, world)
    }

    async fn apply(clients: &Clients, scope: &Scope, change: &Change, _made: &Made) -> Result<Option<String>> {
        apply::apply(clients.s3(), &scope.platform.region, change).await.map(|()| None)
    }
}
