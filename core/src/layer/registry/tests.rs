use serde_json::{Value, json};

use super::{Change, Lifecycle, Repository, World, facts, plan, teardown};
use crate::layer::fixtures::{last_first, lines, scope};
use crate::plan::{Found, Plan, Refusal};
use crate::scope::Scope;

const BACKEND: &str = "skyfox-devprod-backend";

/// The attribute that a change behind our back shows in, and that change.
type Drift = (&'static str, fn(&mut Repository));

/// The world after a plan was carried out.
fn after(scope: &Scope, mut world: World, plan: &Plan<Change>) -> World {
    for change in last_first(plan) {
        match change {
            Change::CreateRepository { name, settings } => {
                let id = scope.arn("ecr", &format!("repository/{name}"));
                world
                    .repositories
                    .insert(name.clone(), Found { id, settings: Repository { lifecycle: None, ..settings } });
                world.uris.insert(name.clone(), format!("registry.example/{name}"));
            }
            Change::SetMutability { name, new, .. } => settings(&mut world, &name).tag_mutability = new,
            Change::SetScanning { name, on } => settings(&mut world, &name).scan_on_push = on,
            Change::SetLifecycle { name, new, .. } => settings(&mut world, &name).lifecycle = Some(new),
            Change::SetTags { name, new, .. } => settings(&mut world, &name).tags.extend(new),
            Change::DeleteRepository { name, .. } => {
                world.repositories.remove(&name);
                world.uris.remove(&name);
            }
        }
    }
    world
}

fn settings<'a>(world: &'a mut World, name: &str) -> &'a mut Repository {
    &mut world.repositories.get_mut(name).unwrap().settings
}

fn converged(scope: &Scope) -> World {
    after(scope, World::default(), &plan(scope, &World::default()).unwrap())
}

#[test]
fn from_nothing_every_repository_is_made_and_a_second_plan_is_empty() {
    let scope = scope();
    let first = plan(&scope, &World::default()).unwrap();
    assert_eq!(
        lines(&first),
        [
            "+ ECR repository skyfox-devprod-backend",
            "~ ECR repository skyfox-devprod-backend",
            "+ ECR repository skyfox-devprod-movie-service",
            "~ ECR repository skyfox-devprod-movie-service",
            "+ ECR repository skyfox-devprod-payment-service",
            "~ ECR repository skyfox-devprod-payment-service",
        ]
    );
    let world = converged(&scope);
    assert_eq!(plan(&scope, &world).unwrap(), Plan::default());
    let facts = facts(&scope, &world).registry.unwrap();
    assert_eq!(facts.repository_uris["movie"], "registry.example/skyfox-devprod-movie-service");
}

#[test]
fn the_lifecycle_keeps_what_runs_first_and_lets_every_other_tag_expire() {
    let policy = converged(&scope()).repositories[BACKEND].settings.lifecycle.clone().unwrap();
    let policy: Value = serde_json::from_str(&policy.text()).unwrap();
    let rules: Vec<(u64, &Value, u64)> = policy["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let selection = &rule["selection"];
            (
                rule["rulePriority"].as_u64().unwrap(),
                &selection["tagPatternList"],
                selection["countNumber"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(rules, [(1, &json!(["skydeck-keep-*"]), 9999), (2, &json!(["*"]), 4), (3, &Value::Null, 3),]);
}

#[test]
fn the_order_in_which_a_lifecycle_is_written_does_not_matter() {
    let policy = |rules: [u64; 2]| json!({ "rules": rules.map(|priority| json!({ "rulePriority": priority, "action": { "type": "expire" } })) });
    assert_eq!(Lifecycle::parse(&policy([2, 1]).to_string()), Lifecycle::new(policy([1, 2])));
    assert_ne!(Lifecycle::new(policy([1, 3])), Lifecycle::new(policy([1, 2])));
}

#[test]
fn every_drift_of_a_repository_is_found_and_repaired() {
    let scope = scope();
    let drifts: [Drift; 5] = [
        ("tag_mutability", |found| found.tag_mutability = "IMMUTABLE".into()),
        ("scan_on_push", |found| found.scan_on_push = false),
        ("lifecycle", |found| found.lifecycle = None),
        ("lifecycle", |found| found.lifecycle = Some(Lifecycle::parse(r#"{"rules":[]}"#))),
        ("tags.Service", |found| drop(found.tags.remove("Service"))),
    ];
    for (attribute, drift) in drifts {
        let mut world = converged(&scope);
        drift(settings(&mut world, BACKEND));
        let repair = plan(&scope, &world).unwrap();
        let changed = repair.describe();
        assert_eq!(changed.len(), 1, "{attribute}: {changed:?}");
        assert!(changed[0].attributes.iter().all(|found| found.name.starts_with(attribute)), "{changed:?}");
        assert_eq!(after(&scope, world, &repair), converged(&scope));
    }
}

#[test]
fn what_aws_cannot_change_is_refused() {
    let scope = scope();
    let mut world = converged(&scope);
    settings(&mut world, BACKEND).encryption = "KMS".into();
    assert!(matches!(plan(&scope, &world), Err(Refusal::Impossible { what, .. }) if what.contains("KMS")));
}

#[test]
fn a_name_that_somebody_else_has_is_refused_and_left_alone() {
    let scope = scope();
    let mut world = converged(&scope);
    settings(&mut world, BACKEND).tags.clear();
    assert!(matches!(plan(&scope, &world), Err(Refusal::Taken { name, .. }) if name == BACKEND));
    let left = after(&scope, world.clone(), &teardown(&scope, &world));
    assert_eq!(left.repositories.keys().collect::<Vec<_>>(), [BACKEND]);
}

#[test]
fn services_may_share_a_repository_which_is_then_no_single_services() {
    let mut scope = scope();
    scope.platform.services.get_mut("movie").unwrap().repository = "backend".into();
    let world = converged(&scope);
    assert_eq!(world.repositories.keys().collect::<Vec<_>>(), [BACKEND, "skyfox-devprod-payment-service"]);
    assert_eq!(world.repositories[BACKEND].settings.tags.get("Service"), None);
    let uris = facts(&scope, &world).registry.unwrap().repository_uris;
    assert_eq!((uris.len(), &uris["movie"]), (3, &uris["backend"]));
}

#[test]
fn a_repository_that_no_service_uses_goes_and_its_images_only_where_the_file_had_given_them_up() {
    const MOVIE: &str = "skyfox-devprod-movie-service";
    let away = |with_images| [Change::DeleteRepository { name: MOVIE.into(), with_images }];
    let changes = |plan: Plan<Change>| plan.steps.into_iter().map(|step| step.change).collect::<Vec<_>>();
    for given_up in [false, true] {
        let mut scope = scope();
        scope.platform.services.get_mut("movie").unwrap().delete_with_images = given_up;
        let mut world = converged(&scope);
        scope.platform.services.remove("movie");
        assert_eq!(changes(plan(&scope, &world).unwrap()), away(false), "nothing is lost with it");
        world.holding.insert(MOVIE.into());
        match plan(&scope, &world) {
            Ok(later) => assert_eq!((changes(later), given_up), (away(true).into(), true)),
            Err(refusal) => assert!(!given_up && refusal.to_string().contains("delete-with-images"), "{refusal}"),
        }
        let torn = changes(teardown(&scope, &world));
        assert!(torn.contains(&away(given_up)[0]), "{torn:?}");
    }
}
