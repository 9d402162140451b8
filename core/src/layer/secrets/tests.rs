use super::{Change, Parameter, SECURE, World, facts, obstacles, plan, teardown, value, withheld};
use crate::layer::fixtures::{last_first, lines, scope};
use crate::plan::{Found, Plan, Refusal};
use crate::scope::{Scope, TAG_INSTALLATION, Tags};
use crate::spec::{Part, Template};

const BUCKET: &str = "/skyfox-backend/s3-bucket";
const JWT: &str = "/skyfox-backend/jwt-secret";
const KEY: &str = "/skyfox-backend/movie-service-api-key";
/// What a person gives.
const GIVEN: [&str; 4] = ["/skyfox-backend/database-url", JWT, KEY, "/skyfox-backend/payment-gateway-api-key"];

/// The world after a plan was carried out.
fn after(mut world: World, plan: &Plan<Change>) -> World {
    for change in last_first(plan) {
        match change {
            Change::CreateParameter { name, tags, .. } => {
                let settings = Parameter { kind: SECURE.into(), right: Some(true), tags };
                world.parameters.insert(name.clone(), Found { id: arn(&name), settings });
            }
            Change::OverwriteParameter { name, .. } => {
                let found = settings(&mut world, &name);
                (found.kind, found.right) = (SECURE.into(), Some(true));
            }
            Change::SetTags { name, new, .. } => settings(&mut world, &name).tags.extend(new),
            Change::DeleteParameter { name } => drop(world.parameters.remove(&name)),
        }
    }
    world
}

fn arn(name: &str) -> String {
    scope().arn("ssm", &format!("parameter{name}"))
}

fn settings<'a>(world: &'a mut World, name: &str) -> &'a mut Parameter {
    &mut world.parameters.get_mut(name).unwrap().settings
}

/// A world in which a person has given every value.
fn given() -> World {
    let parameter = |name: &str| {
        let tags = Tags::from([(TAG_INSTALLATION.into(), scope().platform.region)]);
        let settings = Parameter { kind: SECURE.into(), right: None, tags };
        (name.to_owned(), Found { id: arn(name), settings })
    };
    World { parameters: GIVEN.map(parameter).into() }
}

fn converged(scope: &Scope) -> World {
    after(given(), &plan(scope, &given()).unwrap())
}

#[test]
fn from_nothing_our_own_parameter_is_written_and_the_missing_ones_are_told() {
    let scope = scope();
    let first = plan(&scope, &World::default()).unwrap();
    assert_eq!(lines(&first), [format!("+ parameter {BUCKET}")]);
    let readers = ["backend", "backend", "backend, movie", "backend, payment"];
    let told = |(name, services)| {
        format!(
            "parameter {name} is missing: give it a value with `skydeck secret set {name}`. Until then no image of {services} \
             is released"
        )
    };
    assert_eq!(first.notes, GIVEN.into_iter().zip(readers).map(told).collect::<Vec<_>>());
    let world = after(World::default(), &first);
    assert!(plan(&scope, &world).unwrap().is_empty());
    let facts = facts(&scope, &world).secrets.unwrap();
    assert_eq!(facts.missing, GIVEN);
    assert_eq!(facts.parameter_arns["jwt-secret"], arn(JWT));
}

#[test]
fn where_a_person_has_given_every_value_nothing_is_missing_and_a_second_plan_is_empty() {
    let scope = scope();
    let world = converged(&scope);
    assert_eq!(plan(&scope, &world).unwrap(), Plan::default());
    assert_eq!(facts(&scope, &world).secrets.unwrap().missing, [""; 0]);
}

#[test]
fn no_value_is_in_a_plan() {
    let scope = scope();
    let mut world = converged(&scope);
    settings(&mut world, BUCKET).right = Some(false);
    let secret = value(&scope, "s3-bucket").unwrap().unwrap();
    assert_eq!(secret, "skyfox-devprod-profile-images");
    for world in [World::default(), world] {
        let plan = plan(&scope, &world).unwrap();
        assert!(!plan.is_empty());
        for text in [serde_json::to_string(&plan).unwrap(), serde_json::to_string(&plan.describe()).unwrap()] {
            assert!(!text.contains(&secret), "{text}");
        }
    }
}

#[test]
fn every_drift_of_our_own_parameter_is_found_and_repaired() {
    let scope = scope();
    let drifts: [fn(&mut Parameter); 3] = [
        |found| found.right = Some(false),
        |found| found.kind = "String".into(),
        |found| drop(found.tags.remove("Name")),
    ];
    for drift in drifts {
        let mut world = converged(&scope);
        drift(settings(&mut world, BUCKET));
        let repair = plan(&scope, &world).unwrap();
        assert_eq!(lines(&repair), [format!("~ parameter {BUCKET}")]);
        assert_eq!(after(world, &repair), converged(&scope));
    }
}

#[test]
fn a_persons_parameter_in_clear_text_is_refused_with_all_of_its_kind() {
    let scope = scope();
    let mut world = converged(&scope);
    settings(&mut world, JWT).kind = "String".into();
    settings(&mut world, KEY).kind = "StringList".into();
    let refusal = plan(&scope, &world).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Impossible { what, .. } if what.ends_with(&format!("{JWT} (String), {KEY} (StringList)"))),
        "{refusal}"
    );
}

#[test]
fn what_services_read_and_a_person_has_not_tagged_is_in_the_way_and_what_skydeck_writes_is_tagged_again() {
    let mut scope = scope();
    scope.platform.services.get_mut("backend").unwrap().secrets.insert("BUCKET".into(), "s3-bucket".into());
    let mut world = converged(&scope);
    assert_eq!(obstacles(&scope, &world), []);
    for name in [BUCKET, JWT, KEY] {
        settings(&mut world, name).tags.remove(TAG_INSTALLATION);
    }
    settings(&mut world, KEY).tags.insert(TAG_INSTALLATION.into(), "us-east-1".into());
    assert_eq!(obstacles(&scope, &world), [withheld(&scope, JWT), withheld(&scope, KEY)]);
    assert_eq!(lines(&plan(&scope, &world).unwrap()), [format!("~ parameter {BUCKET}")]);
    // Somebody else wrote it, right.
    settings(&mut world, BUCKET).tags.clear();
    assert_eq!(obstacles(&scope, &world).len(), 3);
    for service in scope.platform.services.values_mut() {
        service.secrets.clear();
    }
    assert_eq!(obstacles(&scope, &world), [], "nothing reads them");
}

#[test]
fn a_parameter_that_somebody_else_wrote_serves_only_with_the_right_value() {
    let scope = scope();
    let mut world = converged(&scope);
    settings(&mut world, BUCKET).tags.clear();
    assert_eq!(plan(&scope, &world).unwrap(), Plan::default());
    settings(&mut world, BUCKET).right = Some(false);
    assert!(matches!(plan(&scope, &world), Err(Refusal::Taken { name, .. }) if name == BUCKET));
    assert!(teardown(&scope, &world).is_empty());
}

#[test]
fn teardown_deletes_what_skydeck_wrote_and_nothing_that_a_person_did() {
    let mut scope = scope();
    let world = converged(&scope);
    assert_eq!(lines(&teardown(&scope, &world)), [format!("- parameter {BUCKET}")]);
    assert_eq!(after(world.clone(), &teardown(&scope, &world)), given());
    scope.platform.secrets.get_mut("s3-bucket").unwrap().value = None;
    assert!(teardown(&scope, &world).is_empty(), "it is a person's now");
    scope.platform.secrets.remove("s3-bucket");
    // Somebody has copied it with its tags.
    let mut world = world;
    let copied = world.parameters[BUCKET].clone();
    world.parameters.insert("/somebody/bucket".into(), copied);
    assert_eq!(plan(&scope, &world).unwrap().notes.len(), 1);
    assert_eq!(lines(&teardown(&scope, &world)), [format!("- parameter {BUCKET}")]);
}

#[test]
fn a_value_that_is_not_known_in_time_is_refused() {
    let mut scope = scope();
    let url = Template(vec![Part::Text("at ".into()), Part::ServiceUrl("movie".into())]);
    scope.platform.secrets.get_mut("s3-bucket").unwrap().value = Some(url);
    assert!(matches!(plan(&scope, &World::default()), Err(Refusal::Impossible { what, .. }) if what.contains("movie")));
}
