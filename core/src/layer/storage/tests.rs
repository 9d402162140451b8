use super::{Bucket, Change, PublicAccessBlock, World, facts, plan, teardown};
use crate::layer::fixtures::{last_first, lines, scope};
use crate::plan::{Found, Plan, Refusal};
use crate::scope::Scope;

const IMAGES: &str = "skyfox-devprod-profile-images";

/// The attribute that a change behind our back shows in, and that change.
type Drift = (&'static str, fn(&mut Bucket));

/// The world after a plan was carried out.
fn after(mut world: World, plan: &Plan<Change>) -> World {
    for change in last_first(plan) {
        match change {
            Change::CreateBucket { name, settings } => {
                let bare = Bucket {
                    versioned: false,
                    encryption: None,
                    public_access_block: PublicAccessBlock::default(),
                    cors: vec![],
                    tags: settings.tags,
                };
                world.buckets.insert(name.clone(), Found { id: name, settings: bare });
            }
            Change::EnableVersioning { name } => settings(&mut world, &name).versioned = true,
            Change::SetEncryption { name, new, .. } => settings(&mut world, &name).encryption = Some(new),
            Change::SetPublicAccessBlock { name, new, .. } => settings(&mut world, &name).public_access_block = new,
            Change::SetCors { name, new, .. } => settings(&mut world, &name).cors = new,
            Change::DeleteCors { name, .. } => settings(&mut world, &name).cors.clear(),
            Change::SetTags { name, all, .. } => settings(&mut world, &name).tags = all,
            Change::DeleteObjects { .. } => {}
            Change::DeleteBucket { name } => drop(world.buckets.remove(&name)),
        }
    }
    let one_by_one = plan.steps.iter().skip(1).all(|step| step.after.len() == 1);
    assert!(one_by_one, "S3 takes one change of a bucket after another");
    world
}

fn settings<'a>(world: &'a mut World, name: &str) -> &'a mut Bucket {
    &mut world.buckets.get_mut(name).unwrap().settings
}

fn converged(scope: &Scope) -> World {
    after(World::default(), &plan(scope, &World::default()).unwrap())
}

#[test]
fn from_nothing_the_bucket_is_made_and_a_second_plan_is_empty() {
    let scope = scope();
    let world = converged(&scope);
    assert_eq!(plan(&scope, &world).unwrap(), Plan::default());
    assert_eq!(facts(&scope, &world).storage.unwrap().bucket_names["profile-images"], IMAGES);
    let settings = &world.buckets[IMAGES].settings;
    assert_eq!(settings.tags["Service"], "backend");
    assert_eq!(settings.cors[0].origins.iter().collect::<Vec<_>>(), ["https://skyfox.example"]);
    assert_eq!(settings.cors[0].max_age_seconds, Some(3000));
}

#[test]
fn every_drift_of_a_bucket_is_found_and_repaired() {
    let scope = scope();
    let drifts: [Drift; 8] = [
        ("versioned", |found| found.versioned = false),
        ("encryption", |found| found.encryption = Some("aws:kms".into())),
        ("public_access_block.block_public_acls", |found| found.public_access_block.block_public_acls = false),
        ("public_access_block.ignore_public_acls", |found| found.public_access_block.ignore_public_acls = false),
        ("public_access_block.block_public_policy", |found| found.public_access_block.block_public_policy = false),
        ("public_access_block.restrict", |found| found.public_access_block.restrict_public_buckets = false),
        ("cors", |found| found.cors[0].origins = ["*".into()].into()),
        ("tags.Name", |found| drop(found.tags.remove("Name"))),
    ];
    for (attribute, drift) in drifts {
        let mut world = converged(&scope);
        drift(settings(&mut world, IMAGES));
        let repair = plan(&scope, &world).unwrap();
        let changed = repair.describe();
        assert_eq!(changed.len(), 1, "{attribute}: {changed:?}");
        assert!(changed[0].attributes.iter().all(|found| found.name.starts_with(attribute)), "{changed:?}");
        assert_eq!(after(world, &repair), converged(&scope));
    }
}

#[test]
fn tags_that_others_gave_a_bucket_stay() {
    let scope = scope();
    let mut world = converged(&scope);
    settings(&mut world, IMAGES).tags.insert("cost-centre".into(), "7".into());
    settings(&mut world, IMAGES).tags.remove("Project");
    let left = after(world.clone(), &plan(&scope, &world).unwrap());
    assert_eq!(left.buckets[IMAGES].settings.tags["cost-centre"], "7");
    assert_eq!(left.buckets[IMAGES].settings.tags["Project"], "skyfox");
}

#[test]
fn without_origins_there_is_no_cors_configuration() {
    let mut scope = scope();
    let world = converged(&scope);
    scope.platform.buckets.get_mut("profile-images").unwrap().cors_origins.clear();
    let later = plan(&scope, &world).unwrap();
    assert!(matches!(later.steps[..], [ref step] if matches!(step.change, Change::DeleteCors { .. })));
    assert_eq!(after(world, &later), converged(&scope));
}

#[test]
fn a_name_that_somebody_else_has_is_refused_with_the_way_out() {
    let mut scope = scope();
    let mut untagged = converged(&scope);
    settings(&mut untagged, IMAGES).tags.clear();
    let elsewhere = World { elsewhere: [IMAGES.to_owned()].into(), ..World::default() };
    for world in [untagged, elsewhere] {
        let refusal = plan(&scope, &world).unwrap_err();
        assert!(matches!(&refusal, Refusal::Taken { name, advice, .. } if name == IMAGES && advice.contains("suffix")));
        assert!(teardown(&scope, &world).is_empty(), "what is not ours stays");
    }
    scope.platform.buckets.get_mut("profile-images").unwrap().suffix = Some("2".into());
    let elsewhere = World { elsewhere: [IMAGES.to_owned()].into(), ..World::default() };
    assert_eq!(lines(&plan(&scope, &elsewhere).unwrap())[0], format!("+ S3 bucket {IMAGES}-2"));
}

#[test]
fn objects_go_with_the_bucket_only_where_the_file_says_so() {
    let mut scope = scope();
    let world = converged(&scope);
    assert_eq!(lines(&teardown(&scope, &world)), [format!("- S3 bucket {IMAGES}")]);
    scope.platform.buckets.get_mut("profile-images").unwrap().delete_with_objects = true;
    let plan = teardown(&scope, &world);
    assert_eq!(lines(&plan), [format!("~ S3 bucket {IMAGES}"), format!("- S3 bucket {IMAGES}")]);
    assert_eq!(after(world, &plan), World::default());
}

#[test]
fn a_bucket_that_leaves_the_file_goes_and_its_objects_only_where_the_file_had_given_them_up() {
    let mut kept = scope();
    let mut world = converged(&kept);
    kept.platform.buckets.clear();
    assert_eq!(lines(&plan(&kept, &world).unwrap()), [format!("- S3 bucket {IMAGES}")], "nothing is lost with it");
    world.holding.insert(IMAGES.into());
    let refusal = plan(&kept, &world).unwrap_err().to_string();
    assert!(refusal.contains(IMAGES) && refusal.contains("delete-with-objects"), "{refusal}");
    assert_eq!(lines(&teardown(&kept, &world)), [format!("- S3 bucket {IMAGES}")], "S3 refuses where it holds any");

    let mut given_up = scope();
    given_up.platform.buckets.get_mut("profile-images").unwrap().delete_with_objects = true;
    let mut world = after(world, &plan(&given_up, &converged(&scope())).unwrap());
    world.holding.insert(IMAGES.into());
    given_up.platform.buckets.clear();
    let both = [format!("~ S3 bucket {IMAGES}"), format!("- S3 bucket {IMAGES}")];
    assert_eq!(lines(&plan(&given_up, &world).unwrap()), both);
    assert_eq!(lines(&teardown(&given_up, &world)), both);
}
