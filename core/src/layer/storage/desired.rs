//! What the buckets should be, by the platform file alone; and what they hand on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bucket, Cors, PublicAccessBlock, World};
use crate::facts::{Facts, StorageFacts};
use crate::scope::{Scope, TAG_DELETE};

/// How long a browser may remember a CORS rule.
const CORS_SECONDS: i32 = 3000;

/// All buckets, by name.
#[must_use]
pub fn buckets(scope: &Scope) -> BTreeMap<String, Bucket> {
    let bucket = |(key, bucket): (&String, &crate::spec::Bucket)| {
        let name = scope.bucket_name(key);
        // A bucket that one service uses serves that one.
        let mut users = scope.platform.services.iter().filter(|(_, service)| service.buckets.contains(key));
        let service = match (users.next(), users.next()) {
            (Some((only, _)), None) => Some(only.as_str()),
            _ => None,
        };
        let mut tags = scope.tags(&format!("bucket/{key}"), &name, service);
        tags.insert(TAG_DELETE.into(), bucket.delete_with_objects.to_string());
        let settings = Bucket {
            versioned: true,
            encryption: Some("AES256".into()),
            public_access_block: PublicAccessBlock {
                block_public_acls: true,
                ignore_public_acls: true,
                block_public_policy: true,
                restrict_public_buckets: true,
            },
            cors: cors(&bucket.cors_origins),
            tags,
        };
        (name, settings)
    };
    scope.platform.buckets.iter().map(bucket).collect()
}

fn cors(origins: &[String]) -> Vec<Cors> {
    if origins.is_empty() {
        return Vec::new();
    }
    let set = |values: &[&str]| -> BTreeSet<String> { values.iter().map(|value| (*value).to_owned()).collect() };
    vec![Cors {
        origins: origins.iter().cloned().collect(),
        methods: set(&["DELETE", "GET", "POST", "PUT"]),
        headers: set(&["*"]),
        expose: set(&["ETag"]),
        max_age_seconds: Some(CORS_SECONDS),
    }]
}

/// Names of what was observed.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let keys = scope.platform.buckets.keys();
    let bucket_names = keys
        .map(|key| (key.clone(), scope.bucket_name(key)))
        .filter(|(_, name)| world.buckets.contains_key(name))
        .collect();
    Facts { storage: Some(StorageFacts { bucket_names }), ..Facts::default() }
}
