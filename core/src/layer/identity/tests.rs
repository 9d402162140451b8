use std::collections::BTreeSet;

use serde_json::json;

use super::{Change, LINKED_SERVICES, Policy, Profile, Role, World, facts, plan, teardown};
use crate::layer::fixtures::{last_first, lines, scope};
use crate::plan::{Found, Plan, Refusal};
use crate::scope::{Scope, Tags};

/// The attribute that a change behind our back shows in, and that change.
type Drift<'a> = (&'static str, &'a dyn Fn(&mut World));

/// The world after a plan was carried out.
fn after(scope: &Scope, mut world: World, plan: &Plan<Change>) -> World {
    for change in last_first(plan) {
        carry_out(scope, &mut world, change);
    }
    world
}

fn carry_out(scope: &Scope, world: &mut World, change: Change) {
    match change {
        Change::CreateLinkedRole { service } => drop(world.linked.insert(service)),
        Change::CreateRole { name, settings } => {
            let bare = Role { managed: BTreeSet::new(), inline: [].into(), ..settings };
            world.roles.insert(name.clone(), Found { id: scope.iam_arn("role", &name), settings: bare });
        }
        Change::SetTrust { role, new, .. } => role_of(world, &role).trust = new,
        Change::AttachPolicy { role, policy } => drop(role_of(world, &role).managed.insert(policy)),
        Change::DetachPolicy { role, policy } => assert!(role_of(world, &role).managed.remove(&policy)),
        Change::PutPolicy { role, name, new, .. } => drop(role_of(world, &role).inline.insert(name, new)),
        Change::DeletePolicy { role, name, .. } => drop(role_of(world, &role).inline.remove(&name)),
        Change::SetBoundary { role, new, .. } => role_of(world, &role).boundary = Some(new),
        Change::TagRole { role, new, .. } => role_of(world, &role).tags.extend(new),
        Change::CreateProfile { name, tags } => {
            let settings = Profile { roles: vec![], tags };
            world.profile = Some(Found { id: scope.iam_arn("instance-profile", &name), settings });
        }
        Change::AddToProfile { role, .. } => {
            assert!(role_of(world, &role).tags.contains_key("Name"), "AWS takes no role that is not there");
            let roles = &mut world.profile.as_mut().unwrap().settings.roles;
            assert!(roles.is_empty(), "a profile holds one role");
            roles.push(role);
        }
        Change::RemoveFromProfile { role, .. } => {
            world.profile.as_mut().unwrap().settings.roles.retain(|other| *other != role);
        }
        Change::TagProfile { new, .. } => world.profile.as_mut().unwrap().settings.tags.extend(new),
        Change::DeleteRole { name } => {
            let role = role_of(world, &name);
            assert!(role.managed.is_empty() && role.inline.is_empty(), "AWS keeps a role that has policies");
            assert!(world.profile.as_ref().is_none_or(|profile| !profile.settings.roles.contains(&name)));
            world.roles.remove(&name);
        }
        Change::DeleteProfile { .. } => {
            assert!(world.profile.take().unwrap().settings.roles.is_empty(), "AWS keeps a profile that has a role");
        }
    }
}

fn role_of<'a>(world: &'a mut World, name: &str) -> &'a mut Role {
    &mut world.roles.get_mut(name).unwrap().settings
}

fn converged(scope: &Scope) -> World {
    after(scope, World::default(), &plan(scope, &World::default()).unwrap())
}

#[test]
fn in_china_instances_have_a_principal_of_their_own_and_every_arn_its_partition() {
    let mut scope = scope();
    scope.partition = "aws-cn".into();
    let world = after(&scope, World::default(), &plan(&scope, &World::default()).unwrap());
    let of = |name: &str| serde_json::to_string(&world.roles[name].settings.trust).unwrap();
    assert!(of("skyfox-devprod-instance-ap-south-1").contains(r#""ec2.amazonaws.com.cn""#));
    assert!(of("skyfox-devprod-movie-task-ap-south-1").contains(r#""ecs-tasks.amazonaws.com""#));
    let all = serde_json::to_string(&world).unwrap();
    assert!(all.contains("arn:aws-cn:") && !all.contains("arn:aws:"), "{all}");
}

#[test]
fn from_nothing_every_role_is_made_and_a_second_plan_is_empty() {
    let scope = scope();
    let first = plan(&scope, &World::default()).unwrap();
    let created: Vec<String> = lines(&first).into_iter().filter(|line| line.starts_with('+')).collect();
    assert_eq!(
        created,
        [
            "+ service-linked role autoscaling.amazonaws.com",
            "+ service-linked role ecs.amazonaws.com",
            "+ service-linked role elasticloadbalancing.amazonaws.com",
            "+ IAM role skyfox-devprod-backend-execution-ap-south-1",
            "+ IAM role skyfox-devprod-backend-task-ap-south-1",
            "+ IAM role skyfox-devprod-instance-ap-south-1",
            "+ IAM role skyfox-devprod-movie-execution-ap-south-1",
            "+ IAM role skyfox-devprod-movie-task-ap-south-1",
            "+ IAM role skyfox-devprod-payment-execution-ap-south-1",
            "+ IAM role skyfox-devprod-payment-task-ap-south-1",
            "+ IAM role skyfox-devprod-probe-ap-south-1",
            "+ instance profile skyfox-devprod-instance-ap-south-1",
        ]
    );
    let world = converged(&scope);
    assert_eq!(plan(&scope, &world).unwrap(), Plan::default());
    assert_eq!(world.profile.as_ref().unwrap().settings.roles, ["skyfox-devprod-instance-ap-south-1"]);
    let facts = facts(&scope, &world).identity.unwrap();
    assert_eq!(facts.instance_role_arn, "arn:aws:iam::123456789012:role/skyfox-devprod-instance-ap-south-1");
    assert_eq!(facts.probe_role_arn, "arn:aws:iam::123456789012:role/skyfox-devprod-probe-ap-south-1");
    assert_eq!(facts.execution_role_arns.len(), 3);
    assert_eq!(facts.task_role_arns["movie"], "arn:aws:iam::123456789012:role/skyfox-devprod-movie-task-ap-south-1");
}

#[test]
fn a_service_may_touch_only_its_own_parameters_and_buckets() {
    let world = converged(&scope());
    let inline = |role: &str, policy: &str| world.roles[role].settings.inline.get(policy).cloned();
    let parameters = inline("skyfox-devprod-backend-execution-ap-south-1", "parameters").unwrap().text();
    assert!(parameters.contains("arn:aws:ssm:ap-south-1:123456789012:parameter/skyfox-backend/jwt-secret"));
    assert!(!parameters.contains("s3-bucket"), "{parameters}");
    let parameters = inline("skyfox-devprod-movie-execution-ap-south-1", "parameters").unwrap().text();
    assert!(parameters.contains("arn:aws:ssm:ap-south-1:123456789012:parameter/skyfox-backend/movie-service-api-key"));
    assert!(!parameters.contains("jwt-secret") && !parameters.contains("payment-gateway"), "{parameters}");
    let buckets = inline("skyfox-devprod-backend-task-ap-south-1", "buckets").unwrap().text();
    assert!(buckets.contains("arn:aws:s3:::skyfox-devprod-profile-images/*"), "{buckets}");
    assert_eq!(inline("skyfox-devprod-movie-task-ap-south-1", "buckets"), None);
}

#[test]
fn documents_that_mean_the_same_are_equal() {
    let found = r#"{"Statement":{"Action":["b","a"],"Effect":"Allow","Resource":["x"]},"Version":"2012-10-17"}"#;
    let wanted =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": ["a", "b"], "Resource": "x" }] });
    assert_eq!(Policy::parse(found), Policy::new(wanted.clone()));
    let mut other = wanted;
    other["Statement"][0]["Effect"] = "Deny".into();
    assert_ne!(Policy::parse(found), Policy::new(other));
}

#[test]
fn every_drift_of_a_role_is_found_and_repaired() {
    let scope = scope();
    let name = "skyfox-devprod-backend-task-ap-south-1";
    let foreign = Policy::new(json!({ "Statement": [] }));
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let drifts: [Drift; 12] = [
        ("trust", &|world| role_of(world, name).trust = foreign.clone()),
        ("managed", &|world| role_of(world, name).managed = [admin.into()].into()),
        ("managed", &|world| role_of(world, "skyfox-devprod-instance-ap-south-1").managed.clear()),
        ("inline.buckets", &|world| drop(role_of(world, name).inline.insert("buckets".into(), foreign.clone()))),
        ("inline.buckets", &|world| role_of(world, name).inline.clear()),
        ("inline.extra", &|world| drop(role_of(world, name).inline.insert("extra".into(), foreign.clone()))),
        ("boundary", &|world| role_of(world, name).boundary = None),
        ("boundary", &|world| role_of(world, name).boundary = Some("arn:aws:iam::123456789012:policy/theirs".into())),
        ("tags.Service", &|world| drop(role_of(world, name).tags.remove("Service"))),
        ("tags.Name", &|world| drop(world.profile.as_mut().unwrap().settings.tags.insert("Name".into(), "x".into()))),
        ("role", &|world| world.profile.as_mut().unwrap().settings.roles.clear()),
        ("role", &|world| world.profile.as_mut().unwrap().settings.roles = vec!["other".into()]),
    ];
    for (attribute, drift) in drifts {
        let mut world = converged(&scope);
        drift(&mut world);
        let repair = plan(&scope, &world).unwrap();
        let named: BTreeSet<String> =
            repair.describe().iter().flat_map(|change| change.attributes.clone()).map(|found| found.name).collect();
        assert!(!named.is_empty() && named.iter().all(|name| name.starts_with(attribute)), "{attribute}: {named:?}");
        assert_eq!(after(&scope, world, &repair), converged(&scope));
    }
}

#[test]
fn a_role_deleted_behind_our_back_comes_back_and_into_its_profile() {
    let scope = scope();
    let mut world = converged(&scope);
    world.roles.remove("skyfox-devprod-instance-ap-south-1");
    world.profile.as_mut().unwrap().settings.roles.clear();
    let repair = plan(&scope, &world).unwrap();
    assert_eq!(after(&scope, world, &repair), converged(&scope));
}

#[test]
fn a_name_that_somebody_else_has_is_refused() {
    let scope = scope();
    let mut world = converged(&scope);
    role_of(&mut world, "skyfox-devprod-movie-task-ap-south-1").tags = Tags::from([("team".into(), "other".into())]);
    let refusal = plan(&scope, &world).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Taken { name, .. } if name == "skyfox-devprod-movie-task-ap-south-1"),
        "{refusal}"
    );
    let mut world = converged(&scope);
    world.profile.as_mut().unwrap().settings.tags.clear();
    assert!(matches!(plan(&scope, &world), Err(Refusal::Taken { kind, .. }) if kind == "instance profile"));
}

#[test]
fn teardown_leaves_nothing_of_ours_and_all_that_is_not() {
    let scope = scope();
    let mut world = converged(&scope);
    // One was copied with its tags, for somebody's own use.
    let copied = world.roles["skyfox-devprod-probe-ap-south-1"].clone();
    world.roles.insert("our-probe".into(), copied);
    role_of(&mut world, "skyfox-devprod-probe-ap-south-1").tags.clear();
    assert!(
        matches!(plan(&scope, &world), Err(Refusal::Taken { name, .. }) if name == "skyfox-devprod-probe-ap-south-1")
    );
    let left = after(&scope, world.clone(), &teardown(&scope, &world));
    assert_eq!(left.roles.keys().collect::<Vec<_>>(), ["our-probe", "skyfox-devprod-probe-ap-south-1"]);
    assert_eq!(left.profile, None);
    assert_eq!(left.linked.len(), LINKED_SERVICES.len(), "service-linked roles stay");
    assert!(teardown(&scope, &left).is_empty());
}

#[test]
fn a_role_that_the_file_no_longer_needs_is_told_and_goes_only_with_the_platform() {
    let mut scope = scope();
    let world = converged(&scope);
    scope.platform.services.remove("movie");
    let later = plan(&scope, &world).unwrap();
    assert!(later.is_empty());
    assert_eq!(later.notes.len(), 2, "{:?}", later.notes);
    let left = after(&scope, world.clone(), &teardown(&scope, &world));
    assert!(left.roles.is_empty());
}
