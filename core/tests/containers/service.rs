//! Task definitions and services.

use skydeck_core::layer::service::{Change, Definition, Family, Service, Settings, World, facts, plan, teardown};
use skydeck_core::plan::{Plan, Refusal};

use crate::fixture::{changed, foreign, lines, scope};
use crate::service_world::{after, arn, backend, container, definition, family, service, standing, task};

/// An attribute and how it gets wrong.
type Spoilt = (&'static str, fn(&mut Settings));

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

#[test]
fn a_standing_world_needs_nothing() {
    let plan = after(|_| {});
    assert_eq!(lines(&plan), [""; 0]);
    assert!(plan.notes.is_empty() && plan.waits.is_empty());
}

fn pushed(world: &mut World) {
    world.images.insert("backend".into(), "sha256:abc".into());
}

/// How many tasks a plan wants of the services that it makes or starts.
fn wanted(plan: &Plan<Change>) -> Vec<u32> {
    let desired = |change: &Change| match change {
        Change::CreateService { desired, .. } | Change::Start { desired, .. } => Some(*desired),
        _ => None,
    };
    plan.steps.iter().filter_map(|step| desired(&step.change)).collect()
}

#[test]
fn the_first_image_starts_a_service_by_its_digest_with_the_files_count() {
    let plan = after(pushed);
    assert_eq!(lines(&plan), ["0 ~ task definition skyfox-devprod-backend", "1 ~ service backend after 0"]);
    assert_eq!(registered(&plan).map(|new| new.image.as_str()), Some("ecr/skyfox-devprod-backend@sha256:abc"));
    assert_eq!(wanted(&plan), [2]);
    let newer = after(|world| {
        pushed(world);
        let mut definition = task(world).clone();
        definition.image = "ecr/skyfox-devprod-backend@sha256:abc".into();
        world.definitions.insert(arn("backend", 2), definition);
        family(world).active.insert(0, arn("backend", 2));
    });
    assert_eq!(lines(&newer), ["0 ~ service backend"], "a registration without an answer is not repeated");
}

#[test]
fn a_new_service_whose_repository_has_an_image_begins_with_it() {
    let plan = after(|world| {
        pushed(world);
        world.services.remove("backend");
    });
    assert_eq!(lines(&plan), ["0 ~ task definition skyfox-devprod-backend", "1 + service backend after 0"]);
    assert_eq!(wanted(&plan), [2]);
    assert_eq!(wanted(&after(|world| drop(world.services.remove("backend")))), [0]);
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
        task(world).image = "ecr/skyfox-devprod-backend@sha256:abc".into();
        twice(world);
    });
    assert!(released.is_empty(), "a rollout may come back to it");
}

#[test]
fn a_service_that_has_an_image_is_not_given_another() {
    for tasks in [0, 2] {
        let plan = after(|world| {
            pushed(world);
            task(world).image = "ecr/skyfox-devprod-backend@sha256:def".into();
            (backend(world).tasks, backend(world).desired) = (tasks, tasks);
        });
        assert!(plan.is_empty() && plan.notes.is_empty());
    }
}

#[test]
fn what_runs_is_the_rollouts_and_no_drift() {
    let plan = after(|world| {
        task(world).image = "ecr/skyfox-devprod-backend@sha256:abc".into();
        (backend(world).tasks, backend(world).desired) = (4, 4);
    });
    assert!(plan.is_empty() && plan.notes.is_empty());
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
fn every_drift_of_a_definition_registers_a_revision_that_an_idle_service_then_uses() {
    let spoilt: [fn(&mut World); 12] = [
        |world| task(world).settings.network_mode = "host".into(),
        |world| task(world).settings.runtime.1 = "X86_64".into(),
        |world| task(world).settings.task_role.clear(),
        |world| task(world).settings.execution_role.clear(),
        |world| task(world).settings.container = None,
        |world| container(world).cpu = 1,
        |world| container(world).memory = 1,
        |world| container(world).ports.clear(),
        |world| drop(container(world).environment.remove("PORT")),
        |world| drop(container(world).secrets.remove("JWT_SECRET_KEY")),
        |world| drop(container(world).log.1.remove("awslogs-group")),
        |world| container(world).health = None,
    ];
    for spoil in spoilt {
        let plan = after(|world| {
            task(world).image = "kept".into();
            spoil(world);
        });
        assert_eq!(lines(&plan), ["0 ~ task definition skyfox-devprod-backend", "1 ~ service backend after 0"]);
        assert_eq!(registered(&plan).map(|new| new.image.as_str()), Some("kept"));
    }
}

#[test]
fn a_service_with_tasks_keeps_its_definition_and_a_note_says_so() {
    for count in [|service: &mut Service| service.tasks = 1, |service: &mut Service| service.tasks = 2] {
        let plan = after(|world| {
            count(backend(world));
            container(world).cpu = 1;
        });
        assert!(plan.is_empty());
        assert_eq!(plan.notes, ["service backend runs an older definition; a rollout will release the new one"]);
    }
}

#[test]
fn capacity_and_load_balancers_change_while_a_service_is_idle_only() {
    let moved = |world: &mut World| backend(world).placement.load_balancers.clear();
    assert_eq!(changed(&after(moved)), ["service backend: load_balancers"]);
    let busy = after(|world| {
        moved(world);
        backend(world).tasks = 1;
    });
    assert!(busy.is_empty());
    assert_eq!(busy.notes.len(), 1);
}

#[test]
fn a_revision_whose_registration_got_no_answer_is_not_registered_twice() {
    let fresh = after(|world| drop(world.services.remove("backend")));
    assert_eq!(lines(&fresh), ["0 + service backend"]);
    let changed = after(|world| {
        let newer = task(world).clone();
        container(world).cpu = 1;
        world.definitions.insert(arn("backend", 2), newer);
        family(world).active.insert(0, arn("backend", 2));
    });
    assert_eq!(lines(&changed), ["0 ~ service backend"]);
}

#[test]
fn a_newest_revision_with_another_image_is_not_taken_for_the_lost_one() {
    let plan = after(|world| {
        let mut newer = task(world).clone();
        newer.image = "rejected".into();
        container(world).cpu = 1;
        world.definitions.insert(arn("backend", 2), newer);
        family(world).active.insert(0, arn("backend", 2));
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
    let environment = &found.environments["backend"];
    assert_eq!(environment["S3_BUCKET"], "skyfox-devprod-images");
    assert!(!environment.contains_key("JWT_SECRET_KEY"));
    assert_eq!(facts(&scope(), &World::default()).service, None);
}
