//! What the repositories should be, by the platform file alone; and what they hand on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Lifecycle, Repository, World};
use crate::facts::{Facts, RegistryFacts};
use crate::scope::{Scope, TAG_DELETE};

/// Tags that begin so are skydeck's own: they hold an image that runs or that a rollback needs.
pub const KEEP_PREFIX: &str = "skydeck-keep-";

/// More images than a repository ever has kept ones: "keep them all" cannot be said in another way.
const ALL: u32 = 9999;

/// All repositories, by name. Services may share one.
#[must_use]
pub fn repositories(scope: &Scope) -> BTreeMap<String, Repository> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, service) in &scope.platform.services {
        users.entry(&service.repository).or_default().push(name);
    }
    let repository = |(key, services): (&str, Vec<&str>)| {
        let name = scope.name(key);
        // The tag `Service` is for what serves one service.
        let service = if let [only] = services[..] { Some(only) } else { None };
        let mut tags = scope.tags(&format!("repository/{key}"), &name, service);
        let given_up = services.iter().all(|service| scope.platform.services[*service].delete_with_images);
        tags.insert(TAG_DELETE.into(), given_up.to_string());
        let settings = Repository {
            tag_mutability: "MUTABLE".into(),
            scan_on_push: true,
            encryption: "AES256".into(),
            lifecycle: Some(lifecycle(scope)),
            tags,
        };
        (name, settings)
    };
    users.into_iter().map(repository).collect()
}

/// "An image that matches the tagging requirements of a rule cannot be expired by a rule with a lower priority", and is counted
/// by it all the same: what runs and what a rollback needs is named first, and any other tag expires, whatever a team calls
/// its images. A rule for `any` would count the parts of indexes, which have no tag
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>).
fn lifecycle(scope: &Scope) -> Lifecycle {
    let registry = &scope.platform.registry;
    let tagged = |pattern: &str, keep: u32| json!({ "tagStatus": "tagged", "tagPatternList": [pattern], "countType": "imageCountMoreThan", "countNumber": keep });
    let untagged = json!({
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": registry.expire_untagged_days,
    });
    let rules = [
        ("Keep what runs and what a rollback needs", tagged(&format!("{KEEP_PREFIX}*"), ALL)),
        ("Keep the last tagged images", tagged("*", registry.keep_images)),
        ("Expire what has no tag", untagged),
    ];
    let rule = |(index, (description, selection)): (usize, (&str, Value))| {
        json!({
            "rulePriority": index + 1,
            "description": description,
            "selection": selection,
            "action": { "type": "expire" },
        })
    };
    Lifecycle::new(json!({ "rules": rules.into_iter().enumerate().map(rule).collect::<Vec<_>>() }))
}

/// URIs of what was observed.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let services = scope.platform.services.iter();
    let uris: BTreeMap<String, String> = services
        .filter_map(|(name, service)| Some((name.clone(), world.uris.get(&scope.name(&service.repository))?.clone())))
        .collect();
    Facts { registry: (!uris.is_empty()).then_some(RegistryFacts { repository_uris: uris }), ..Facts::default() }
}
