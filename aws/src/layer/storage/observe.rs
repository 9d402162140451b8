//! Reads the buckets: one list of those that bear the platform's prefix, and each one's settings, for which S3 has no
//! bulk call.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, CorsRule};
use futures::try_join;
use skydeck_core::layer::storage::{Bucket, Cors, PublicAccessBlock, World, buckets};
use skydeck_core::plan::Found;
use skydeck_core::scope::{Scope, Tags};

use super::empty;
use crate::client::Clients;
use crate::error::{Explain, Result};
use crate::execute::all;
use crate::tag::from_s3;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let wanted = buckets(scope);
    world(clients, scope, |name| !wanted.contains_key(name)).await
}

/// The teardown wants to know of all of them whether they hold objects.
pub(super) async fn observe_leaving(clients: &Clients, scope: &Scope) -> Result<World> {
    world(clients, scope, |_| true).await
}

async fn world(clients: &Clients, scope: &Scope, leaves: impl Fn(&str) -> bool) -> Result<World> {
    let s3 = clients.s3();
    let wanted = buckets(scope);
    let names = names(s3, scope).await?;
    let missing = wanted.keys().filter(|name| !names.contains(*name));
    let (found, elsewhere): (Vec<_>, Vec<_>) = try_join!(
        all(names.iter().map(async |name| {
            // Somebody else's bucket may have such a name too, and is none of our business beyond its tags.
            let ours = wanted.contains_key(name) || is_ours(s3, scope, name).await?;
            if ours { describe(s3, name).await } else { Ok(None) }
        })),
        all(missing.map(async |name| Ok(is_elsewhere(s3, name).await?.then(|| name.clone())))),
    )?;
    let buckets: BTreeMap<_, _> = found.into_iter().flatten().map(|found| (found.id.clone(), found)).collect();
    let leaving = buckets.keys().filter(|name| leaves(name));
    let holding = all(leaving.map(async |name| Ok((!empty::is_empty(s3, name).await?).then(|| name.clone())))).await?;
    let (elsewhere, holding) = (elsewhere.into_iter().flatten().collect(), holding.into_iter().flatten().collect());
    Ok(World { buckets, elsewhere, holding })
}

/// Names of the account's buckets in the platform's region that begin as all of its buckets do, those that an older
/// platform file asked for too.
async fn names(s3: &Client, scope: &Scope) -> Result<BTreeSet<String>> {
    let request = s3.list_buckets().prefix(scope.name("")).bucket_region(&scope.platform.region).max_buckets(1000);
    let mut pages = request.into_paginator().send();
    let mut names = BTreeSet::new();
    while let Some(page) = pages.next().await {
        names.extend(page.during("list", "S3 buckets")?.buckets().iter().filter_map(|one| one.name()).map(Into::into));
    }
    // Skydeck's own bucket may begin so too, and is the installer's.
    names.remove(&scope.home);
    Ok(names)
}

/// Whether a name that is not among the region's buckets is taken: 403 is another account's, 301 lies in another
/// region. The answer has no body, so there is no error code to go by.
async fn is_elsewhere(s3: &Client, name: &str) -> Result<bool> {
    match s3.head_bucket().bucket(name).send().await {
        // Made since the list was read, or the list is behind: the creation finds out.
        Ok(_) => Ok(false),
        Err(error) => match error.raw_response().map(|answer| answer.status().as_u16()) {
            Some(404) => Ok(false),
            Some(301 | 403) => Ok(true),
            _ => Err(error).during("look for S3 bucket", name),
        },
    }
}

/// Whether a bucket carries the platform's tags. One whose own policy hides them does not.
async fn is_ours(s3: &Client, scope: &Scope, name: &str) -> Result<bool> {
    match tags(s3, name).await {
        Err(error) if error.error_type() == "AccessDenied" => Ok(false),
        found => Ok(scope.owns(&found?)),
    }
}

/// A bucket's settings; `None` where it was deleted since it was listed.
async fn describe(s3: &Client, name: &str) -> Result<Option<Found<Bucket>>> {
    let (tags, versioned, encryption, public_access_block, cors) = try_join!(
        tags(s3, name),
        versioned(s3, name),
        encryption(s3, name),
        public_access_block(s3, name),
        cors(s3, name),
    )?;
    Ok(versioned.map(|versioned| Found {
        id: name.to_owned(),
        settings: Bucket { versioned, encryption, public_access_block, cors, tags },
    }))
}

const GONE: &str = "NoSuchBucket";

async fn tags(s3: &Client, name: &str) -> Result<Tags> {
    let answer = s3.get_bucket_tagging().bucket(name).send().await;
    let answer = answer.find(&["NoSuchTagSet", GONE], "read the tags of S3 bucket", name)?;
    Ok(answer.map(|answer| from_s3(answer.tag_set())).unwrap_or_default())
}

async fn versioned(s3: &Client, name: &str) -> Result<Option<bool>> {
    let answer = s3.get_bucket_versioning().bucket(name).send().await;
    let answer = answer.find(&[GONE], "read the versioning of S3 bucket", name)?;
    Ok(answer.map(|answer| answer.status() == Some(&BucketVersioningStatus::Enabled)))
}

async fn encryption(s3: &Client, name: &str) -> Result<Option<String>> {
    let none = ["ServerSideEncryptionConfigurationNotFoundError", GONE];
    let answer = s3.get_bucket_encryption().bucket(name).send().await;
    let answer = answer.find(&none, "read the encryption of S3 bucket", name)?;
    let configuration = answer.and_then(|answer| answer.server_side_encryption_configuration);
    let mut rules = configuration.iter().flat_map(|configuration| configuration.rules());
    let default = rules.find_map(|rule| rule.apply_server_side_encryption_by_default());
    Ok(default.map(|default| default.sse_algorithm().as_str().to_owned()))
}

async fn public_access_block(s3: &Client, name: &str) -> Result<PublicAccessBlock> {
    let none = ["NoSuchPublicAccessBlockConfiguration", GONE];
    let answer = s3.get_public_access_block().bucket(name).send().await;
    let answer = answer.find(&none, "read the public access block of S3 bucket", name)?;
    let found = answer.and_then(|answer| answer.public_access_block_configuration);
    Ok(found.map_or_else(PublicAccessBlock::default, |found| PublicAccessBlock {
        block_public_acls: found.block_public_acls().unwrap_or_default(),
        ignore_public_acls: found.ignore_public_acls().unwrap_or_default(),
        block_public_policy: found.block_public_policy().unwrap_or_default(),
        restrict_public_buckets: found.restrict_public_buckets().unwrap_or_default(),
    }))
}

async fn cors(s3: &Client, name: &str) -> Result<Vec<Cors>> {
    let answer = s3.get_bucket_cors().bucket(name).send().await;
    let answer = answer.find(&["NoSuchCORSConfiguration", GONE], "read the CORS rules of S3 bucket", name)?;
    let rule = |rule: &CorsRule| Cors {
        origins: rule.allowed_origins().iter().cloned().collect(),
        methods: rule.allowed_methods().iter().cloned().collect(),
        headers: rule.allowed_headers().iter().cloned().collect(),
        expose: rule.expose_headers().iter().cloned().collect(),
        max_age_seconds: rule.max_age_seconds(),
    };
    Ok(answer.map(|answer| answer.cors_rules().iter().map(rule).collect()).unwrap_or_default())
}
