//! Task definitions and services.

use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::layer::service::{
    Change, Definition, Family, Settings, World, facts, plan, teardown, wanted_settings,
};
use skydeck_core::outputs::Outputs;
use skydeck_core::plan::{Describe, Handover, Plan, Refusal};

use crate::fixture::{changed, foreign, lines, scope};
use crate::service_world::{after, arn, backend, container, definition, family, service, standing, task};

/// An attribute and how it gets wrong.
type Spoilt = (&'static str, fn(&mut Settings));
/// How a world drifts.
type Drift = fn(&mut World);

/// The definition that a plan registers.
fn registered(plan: &Plan<Change>) -> Option<&Definition> {
    plan.steps.iter().find_map(|step| match &step.change {
        Change::Register { new, .. } => Some(&**new),
        _ => None,
    })
}

#[test]
fn from_nothing_each_service_gets_a_definition_and_no_tasks() {
    let plan = plan(&scope(), &World::default()).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "0 + task definition skyfox-devprod-backend",
            "1 + service backend after 0",
            "2 + task definition skyfox-devprod-movie",
            "3 + service movie after 2",
        ]
    );
    assert_eq!(registered(&plan), Some(&definition("backend", 8080, "/health")));
}

/// The services that a rollout has to change, with the attributes in question.
fn handed_over(plan: &Plan<Change>) -> Vec<String> {
    let text = |handover: &Handover| {
        let attributes: Vec<&str> =
            handover.description.attributes.iter().map(|changed| changed.name.as_str()).collect();
        format!("{}: {}", handover.service, attributes.join(" "))
    };
    plan.rollouts.iter().map(text).collect()
}

#[test]
fn a_standing_world_needs_nothing() {
    let plan = after(|_| {});
    assert_eq!(lines(&plan), [""; 0]);
    assert!(plan.notes.is_empty() && plan.waits.is_empty() && plan.rollouts.is_empty());
}

fn pushed(world: &mut World) {
    world.images.insert("backend".into(), "sha256:abc".into());
}

/// The service runs an image.
fn runs(world: &mut World) {
    task(world).image = "123456789012.dkr.ecr.ap-south-1.amazonaws.com/skyfox-devprod-backend@sha256:def".into();
    (backend(world).tasks, backend(world).desired) = (2, 2);
}

#[test]
fn the_first_image_is_left_to_a_rollout_with_the_files_count() {
    let plan = after(pushed);
    assert!(plan.is_empty(), "the layer itself has nothing to do");
    assert_eq!(handed_over(&plan), ["backend: desired image"]);
    let text = format!("{:?}", plan.rollouts);
    assert!(text.contains("2") && text.contains("sha256:abc"), "{text}");
}

#[test]
fn a_new_service_whose_repository_has_an_image_stands_without_tasks_and_a_rollout_starts_it() {
    let plan = after(|world| {
        pushed(world);
        world.services.remove("backend");
    });
    assert_eq!(lines(&plan), ["0 + service backend"]);
    assert_eq!(handed_over(&plan), ["backend: desired image"]);
    let described = plan.steps[0].change.describe();
    let desired = described.attributes.iter().find(|attribute| attribute.name == "desired").unwrap();
    assert_eq!(desired.new.as_ref().unwrap(), 0);
    assert!(after(|world| drop(world.services.remove("backend"))).rollouts.is_empty(), "there is no image");
}

#[test]
fn a_revision_registered_twice_is_reaped_while_the_service_awaits_its_image_and_never_later() {
    let twice = |world: &mut World| {
        let definition = task(world).clone();
        world.definitions.insert(arn("backend", 2), definition);
        family(world).active.insert(0, arn("backend", 2));
    };
    let reaped = Change::Deregister { arn: arn("backend", 2) };
    let plan = after(twice);
    assert_eq!((plan.steps.len(), &plan.steps[0].change), (2, &reaped));
    assert!(matches!(&plan.steps[1].change, Change::DeleteDefinitions { arns, .. } if *arns == [arn("backend", 2)]));
    let another = after(|world| {
        twice(world);
        world.definitions.get_mut(&arn("backend", 2)).unwrap().settings.network_mode = "host".into();
    });
    assert!(another.is_empty(), "another revision is no twin");
    let released = after(|world| {
        task(world).image = "123456789012.dkr.ecr.ap-south-1.amazonaws.com/skyfox-devprod-backend@sha256:abc".into();
        twice(world);
    });
    assert!(released.is_empty(), "a rollout may come back to it");
}

#[test]
fn a_service_that_has_an_image_is_not_given_another() {
    for tasks in [0, 2] {
        let plan = after(|world| {
            pushed(world);
            runs(world);
            (backend(world).tasks, backend(world).desired) = (tasks, tasks);
        });
        assert!(plan.is_empty() && plan.rollouts.is_empty());
        let idle = plan.notes.iter().any(|note| note.contains("service backend runs no task"));
        assert_eq!((plan.notes.len(), idle), if tasks == 0 { (1, true) } else { (0, false) });
    }
}

#[test]
fn what_runs_and_how_often_is_the_rollouts_and_no_drift() {
    let plan = after(|world| {
        runs(world);
        (backend(world).tasks, backend(world).desired) = (4, 4);
    });
    assert!(plan.is_empty() && plan.notes.is_empty() && plan.rollouts.is_empty());
}

#[test]
fn drifted_settings_are_set_right_whether_tasks_run_or_not() {
    let spoilt: [Spoilt; 9] = [
        ("maximum_percent", |settings| settings.maximum_percent = 150),
        ("minimum_healthy_percent", |settings| settings.minimum_healthy_percent = 50),
        ("circuit_breaker", |settings| settings.circuit_breaker = false),
        ("circuit_breaker_rollback", |settings| settings.circuit_breaker_rollback = true),
        ("grace_seconds", |settings| settings.grace_seconds = 0),
        ("placement_strategy", |settings| settings.placement_strategy.clear()),
        ("zone_rebalancing", |settings| settings.zone_rebalancing = true),
        ("propagate_tags", |settings| settings.propagate_tags = "NONE".into()),
        ("execute_command", |settings| settings.execute_command = true),
    ];
    for (attribute, spoil) in spoilt {
        for tasks in [0, 2] {
            let plan = after(|world| {
                backend(world).tasks = tasks;
                spoil(&mut backend(world).settings);
            });
            assert_eq!(changed(&plan), [format!("service backend: {attribute}")]);
        }
    }
}

#[test]
fn every_drift_of_a_definition_is_left_to_a_rollout_with_what_differs() {
    let spoilt: [(&str, Drift); 12] = [
        ("network_mode", |world| task(world).settings.network_mode = "host".into()),
        ("runtime", |world| task(world).settings.runtime.1 = "X86_64".into()),
        ("task_role", |world| task(world).settings.task_role.clear()),
        ("execution_role", |world| task(world).settings.execution_role.clear()),
        ("container.cpu", |world| container(world).cpu = 1),
        ("container.memory", |world| container(world).memory = 1),
        ("container.ports", |world| container(world).ports.clear()),
        ("container.environment.PORT", |world| drop(container(world).environment.remove("PORT"))),
        ("container.secrets.JWT_SECRET_KEY", |world| drop(container(world).secrets.remove("JWT_SECRET_KEY"))),
        ("container.log", |world| drop(container(world).log.1.remove("awslogs-group"))),
        ("container.security", |world| container(world).security = ["apparmor:theirs".into()].into()),
        ("container.health.retries", |world| container(world).health.as_mut().unwrap().retries = 9),
    ];
    for (attribute, spoil) in spoilt {
        for tasks in [0, 2] {
            let plan = after(|world| {
                runs(world);
                (backend(world).tasks, backend(world).desired) = (tasks, tasks);
                spoil(world);
            });
            assert!(plan.steps.is_empty(), "{attribute}");
            let told = handed_over(&plan);
            assert!(told.len() == 1 && told[0] == format!("backend: task_definition.{attribute}"), "{told:?}");
        }
    }
}

#[test]
fn no_new_privileges_is_an_option_of_the_container_where_the_file_says_so() {
    let mut scope = scope();
    let security = |scope: &Scope| {
        let (settings, _) = wanted_settings(scope, "backend").unwrap();
        settings.container.unwrap().security.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(security(&scope), [""; 0]);
    scope.platform.services.get_mut("backend").unwrap().no_new_privileges = true;
    assert_eq!(security(&scope), ["no-new-privileges"]);
}

#[test]
fn a_revision_that_was_deregistered_while_it_runs_is_left_to_a_rollout() {
    let plan = after(|world| {
        runs(world);
        world.deregistered.insert(arn("backend", 1));
    });
    assert!(plan.is_empty());
    assert_eq!(handed_over(&plan), ["backend: task_definition_status"]);
}

#[test]
fn a_definition_that_awaits_its_image_is_made_anew_with_it_and_not_before() {
    let plan = after(|world| container(world).cpu = 1);
    assert!(plan.is_empty() && plan.rollouts.is_empty());
    let plan = after(|world| {
        pushed(world);
        container(world).cpu = 1;
    });
    assert_eq!(handed_over(&plan), ["backend: desired image"]);
}

#[test]
fn capacity_and_load_balancers_are_left_to_a_rollout() {
    let plan = after(|world| {
        runs(world);
        backend(world).placement.load_balancers.clear();
    });
    assert!(plan.steps.is_empty());
    assert_eq!(handed_over(&plan), ["backend: placement.load_balancers"]);
}

#[test]
fn a_revision_whose_registration_got_no_answer_is_not_registered_twice() {
    let gone = |world: &mut World| drop(world.services.remove("backend"));
    assert_eq!(lines(&after(gone)), ["0 + service backend"]);
    let older = after(|world| {
        gone(world);
        container(world).cpu = 1;
    });
    assert_eq!(lines(&older), ["0 + task definition skyfox-devprod-backend", "1 + service backend after 0"]);
    assert_eq!(registered(&older), Some(&definition("backend", 8080, "/health")));
}

#[test]
fn a_newest_revision_with_an_image_is_not_what_a_new_service_stands_with() {
    let plan = after(|world| {
        runs(world);
        world.services.remove("backend");
    });
    assert!(registered(&plan).is_some_and(|new| new.image.ends_with("skydeck-awaiting-first-push")));
}

#[test]
fn lost_tags_come_back_on_service_and_definition() {
    let plan = after(|world| {
        backend(world).tags.remove("Service");
        task(world).tags.remove("Project");
    });
    assert_eq!(
        changed(&plan),
        ["service backend: tags.Service", "task definition skyfox-devprod-backend: tags.Project"]
    );
}

#[test]
fn a_service_that_still_drains_is_waited_for() {
    let plan = after(|world| backend(world).draining = true);
    assert_eq!((plan.steps.len(), plan.waits.len()), (0, 1));
}

#[test]
fn a_service_that_left_the_file_goes_and_then_its_definitions() {
    let mut scope = scope();
    scope.platform.services.remove("movie");
    scope.platform.services.get_mut("backend").unwrap().environment.clear();
    let mut world = standing();
    container(&mut world).environment.clear();
    world.services.get_mut("movie").unwrap().desired = 2;
    assert_eq!(lines(&plan(&scope, &world).unwrap()), ["0 ~ service movie", "1 - service movie after 0"]);
    world.services.get_mut("movie").unwrap().draining = true;
    let waiting = plan(&scope, &world).unwrap();
    assert_eq!((waiting.steps.len(), waiting.waits.len()), (0, 1));
    world.services.remove("movie");
    assert_eq!(
        lines(&plan(&scope, &world).unwrap()),
        ["0 ~ task definition skyfox-devprod-movie:1", "1 - task definition skyfox-devprod-movie after 0"]
    );
}

#[test]
fn a_service_that_left_the_file_serves_on_until_what_takes_its_place_does() {
    let mut scope = scope();
    scope.platform.services.remove("movie");
    scope.platform.services.get_mut("backend").unwrap().environment.clear();
    let mut world = standing();
    container(&mut world).environment.clear();
    let behind = world.services["movie"].placement.load_balancers.first().unwrap().target_group.clone();
    scope.facts.balancer.as_mut().unwrap().serving_on = [behind].into();
    let held = plan(&scope, &world).unwrap();
    assert_eq!(lines(&held), [""; 0]);
    let told: Vec<String> = held.deferred.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["the deletion of service movie waits until what takes its place serves"]);
}

#[test]
fn names_that_somebody_else_took_are_refused() {
    let refused = |spoil: fn(&mut World)| {
        let mut world = standing();
        spoil(&mut world);
        match plan(&scope(), &world).unwrap_err() {
            Refusal::Taken { kind, .. } => kind,
            other => panic!("{other}"),
        }
    };
    assert_eq!(refused(|world| backend(world).tags = foreign()), "service");
    let family_taken = |world: &mut World| {
        world.services.remove("backend");
        family(world).tags = foreign();
    };
    assert_eq!(refused(family_taken), "task definition family");
}

#[test]
fn what_an_earlier_layer_has_not_said_is_named() {
    let mut early = scope();
    early.facts.balancer = None;
    let error = plan(&early, &World::default()).unwrap_err();
    assert!(matches!(error, Refusal::MissingFact { ref layer, .. } if layer == "balancer"), "{error}");
}

#[test]
fn teardown_takes_services_and_when_they_are_gone_all_revisions() {
    let scope = scope();
    let mut world = standing();
    backend(&mut world).desired = 2;
    assert_eq!(
        lines(&teardown(&scope, &world)),
        ["0 ~ service backend", "1 - service backend after 0", "2 - service movie"]
    );
    for service in world.services.values_mut() {
        service.draining = true;
    }
    let waiting = teardown(&scope, &world);
    assert_eq!((waiting.steps.len(), waiting.waits.len()), (0, 2));
    world.services.clear();
    world.families.remove("skyfox-devprod-movie");
    family(&mut world).inactive = (2..13).map(|revision| arn("backend", revision)).collect();
    let plan = teardown(&scope, &world);
    assert_eq!(
        lines(&plan),
        [
            "0 ~ task definition skyfox-devprod-backend:1",
            "1 - task definition skyfox-devprod-backend after 0",
            "2 - task definition skyfox-devprod-backend after 0",
        ]
    );
    let Change::DeleteDefinitions { arns, .. } = &plan.steps[1].change else { panic!("{:?}", plan.steps) };
    assert_eq!(arns.len(), 10);
}

#[test]
fn what_is_foreign_is_neither_torn_down_nor_reaped() {
    let mut world = standing();
    for service in world.services.values_mut() {
        service.tags = foreign();
    }
    for family in world.families.values_mut() {
        family.tags = foreign();
    }
    assert!(teardown(&scope(), &world).is_empty());
    let plan = after(|world| {
        let mut stranger = service("legacy", 80);
        stranger.tags = foreign();
        world.services.insert("legacy".into(), stranger);
        let family = Family { active: vec![arn("legacy", 1)], inactive: Vec::new(), tags: foreign() };
        world.families.insert("skyfox-devprod-legacy".into(), family);
    });
    assert!(plan.is_empty());
}

#[test]
fn facts_give_arns_and_the_environment_without_secrets() {
    let found = facts(&scope(), &standing()).service.unwrap();
    assert_eq!(found.service_arns["movie"], "arn:service/movie");
    assert_eq!(found.task_definition_arns["backend"], arn("backend", 1));
    let facts_of_all = Facts { service: Some(found), ..scope().facts };
    let environment = &Outputs::of(&Scope { facts: facts_of_all, ..scope() }).environments["backend"];
    assert_eq!(environment["S3_BUCKET"], "skyfox-devprod-images");
    assert!(!environment.contains_key("JWT_SECRET_KEY"));
    assert_eq!(facts(&scope(), &World::default()).service, None);
}
