//! The planner of the buckets.

use super::{BUCKET, Bucket, Change, PublicAccessBlock, World, desired};
use crate::obstacle::Obstacle;
use crate::plan::{Plan, Ref, Refusal};
use crate::scope::{Scope, Tags, may_be_lost, retag};

/// What has to change for the buckets to be what the platform file says.
///
/// # Errors
/// Where a name belongs to somebody else's bucket, or objects would be lost that the platform file never gave up.
pub fn plan(scope: &Scope, world: &World) -> Result<Plan<Change>, Refusal> {
    let mut plan = Plan::default();
    let wanted = desired::buckets(scope);
    for (name, found) in world.buckets.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        let with_objects = world.holding.contains(name);
        if with_objects && !may_be_lost(&found.settings.tags) {
            return Err(Refusal::Impossible {
                what: format!("{BUCKET} {name} is no longer in the platform file, and holds objects"),
                advice: "Empty it; or name it again with `delete-with-objects = true`, apply, and take it out then"
                    .into(),
            });
        }
        plan_away(&mut plan, name, with_objects);
    }
    for (name, settings) in wanted {
        let found = world.buckets.get(&name).map(|found| &found.settings);
        if world.elsewhere.contains(&name) || found.is_some_and(|found| !scope.owns(&found.tags)) {
            return Err(Refusal::Taken {
                kind: BUCKET.into(),
                name,
                advice: "Bucket names are unique in all of AWS: set `suffix` for the bucket in the platform file"
                    .into(),
            });
        }
        plan_bucket(&mut plan, &name, found, settings);
    }
    Ok(plan)
}

/// One write after another: S3 refuses a second one that comes while it works on a bucket's configuration
/// (`OperationAborted`).
fn plan_bucket(plan: &mut Plan<Change>, name: &str, found: Option<&Bucket>, wanted: Bucket) {
    let name = || name.to_owned();
    let mut last: Option<Ref> = None;
    let mut then = |change| last = Some(plan.add(change, &last.iter().collect::<Vec<_>>()));
    if found.is_none() {
        then(Change::CreateBucket { name: name(), settings: wanted.clone() });
    }
    if found.is_none_or(|found| found.public_access_block != wanted.public_access_block) {
        let old = found.map_or_else(PublicAccessBlock::default, |found| found.public_access_block);
        then(Change::SetPublicAccessBlock { name: name(), old, new: wanted.public_access_block });
    }
    if wanted.versioned && found.is_none_or(|found| !found.versioned) {
        then(Change::EnableVersioning { name: name() });
    }
    if let Some(new) = wanted.encryption.filter(|new| found.is_none_or(|found| found.encryption.as_ref() != Some(new)))
    {
        then(Change::SetEncryption { name: name(), old: found.and_then(|found| found.encryption.clone()), new });
    }
    let old = found.map(|found| found.cors.clone()).unwrap_or_default();
    if wanted.cors.is_empty() && !old.is_empty() {
        then(Change::DeleteCors { name: name(), old });
    } else if old != wanted.cors {
        then(Change::SetCors { name: name(), old, new: wanted.cors });
    }
    if let Some(found) = found
        && let Some((old, new)) = retag(&found.tags, &wanted.tags)
    {
        let mut all: Tags = found.tags.clone();
        all.extend(wanted.tags);
        then(Change::SetTags { name: name(), old, new, all });
    }
}

/// Every bucket of ours. Objects go only where the platform file says so; S3 itself refuses to delete a bucket that
/// holds any, and without a gap between looking and deleting.
#[must_use]
pub fn teardown(scope: &Scope, world: &World) -> Plan<Change> {
    let mut plan = Plan::default();
    for (name, with_objects) in leaving(scope, world) {
        plan_away(&mut plan, name, with_objects);
    }
    plan
}

/// Buckets that hold objects which nobody has given up.
#[must_use]
pub fn obstacles_leaving(scope: &Scope, world: &World) -> Vec<Obstacle> {
    let holding = leaving(scope, world).filter(|(name, with_objects)| !with_objects && world.holding.contains(*name));
    holding
        .map(|(name, _)| Obstacle::Holds {
            kind: BUCKET,
            name: name.clone(),
            what: "objects, or older versions of them",
            key: "delete-with-objects",
        })
        .collect()
}

/// The platform's buckets, and whether their objects may go with them.
fn leaving<'a>(scope: &'a Scope, world: &'a World) -> impl Iterator<Item = (&'a String, bool)> {
    let wanted = desired::buckets(scope);
    let ours = world.buckets.iter().filter(|(_, found)| scope.owns(&found.settings.tags));
    ours.map(move |(name, found)| (name, may_be_lost(&wanted.get(name).unwrap_or(&found.settings).tags)))
}

fn plan_away(plan: &mut Plan<Change>, name: &str, with_objects: bool) {
    let empty = with_objects.then(|| plan.add(Change::DeleteObjects { name: name.into() }, &[]));
    plan.add(Change::DeleteBucket { name: name.into() }, &empty.iter().collect::<Vec<_>>());
}
