//! The services as the reference describes them, without tasks yet.

use std::collections::{BTreeMap, BTreeSet};

use skydeck_core::layer::service::{
    Behind, Change, Container, ContainerHealth, Definition, Family, Placement, Service, Settings, TaskSettings, World,
    plan,
};
use skydeck_core::plan::Plan;

use crate::fixture::{map, scope, tags};

/// ARN of a role of the platform, by its names alone.
fn role(thing: &str) -> String {
    let path = "skydeck/ap-south-1/skyfox-devprod";
    format!("arn:aws:iam::123456789012:role/{path}/skyfox-devprod-{thing}-ap-south-1")
}

pub(crate) fn definition(name: &str, port: u16, health: &str) -> Definition {
    let environment = [
        ("MOVIE_SERVICE_URL", "http://internal.elb.amazonaws.com/movie-service"),
        ("PORT", "8080"),
        ("S3_BUCKET", "skyfox-devprod-images"),
    ];
    let secrets = [("JWT_SECRET_KEY", "arn:aws:ssm:ap-south-1:123456789012:parameter/skyfox-backend/jwt-secret")];
    let is_backend = name == "backend";
    Definition {
        image: format!(
            "123456789012.dkr.ecr.ap-south-1.amazonaws.com/skyfox-devprod-{name}:skydeck-awaiting-first-push"
        ),
        settings: TaskSettings {
            network_mode: "bridge".into(),
            compatibilities: BTreeSet::from(["EC2".into()]),
            runtime: ("LINUX".into(), "ARM64".into()),
            execution_role: role(&format!("{name}-execution")),
            task_role: role(&format!("{name}-task")),
            others: BTreeSet::new(),
            container: Some(Container {
                name: name.into(),
                cpu: 475,
                memory: 819,
                essential: true,
                ports: BTreeSet::from([(port, 0, "tcp".into())]),
                environment: if is_backend { map(environment) } else { BTreeMap::new() },
                secrets: if is_backend { map(secrets) } else { BTreeMap::new() },
                log: (
                    "awslogs".into(),
                    map([
                        ("awslogs-group", "/ecs/skyfox-devprod"),
                        ("awslogs-region", "ap-south-1"),
                        ("awslogs-stream-prefix", name),
                    ]),
                ),
                health: Some(ContainerHealth {
                    command: vec!["CMD-SHELL".into(), format!("wget -qO- http://localhost:{port}{health} || exit 1")],
                    interval_seconds: 30,
                    timeout_seconds: 5,
                    retries: 3,
                    start_seconds: 60,
                }),
                security: BTreeSet::new(),
            }),
        },
        tags: tags(&format!("task-definition/{name}"), &format!("skyfox-devprod-{name}"), Some(name)),
    }
}

pub(crate) fn arn(name: &str, revision: u32) -> String {
    format!("arn:aws:ecs:ap-south-1:123456789012:task-definition/skyfox-devprod-{name}:{revision}")
}

pub(crate) fn service(name: &str, port: u16) -> Service {
    let pair = |kind: &str, field: &str| (kind.to_owned(), field.to_owned());
    Service {
        arn: format!("arn:service/{name}"),
        draining: false,
        tasks: 0,
        desired: 0,
        definition: arn(name, 1),
        settings: Settings {
            maximum_percent: 200,
            minimum_healthy_percent: 100,
            circuit_breaker: true,
            circuit_breaker_rollback: false,
            grace_seconds: 300,
            placement_strategy: vec![pair("spread", "attribute:ecs.availability-zone"), pair("binpack", "memory")],
            zone_rebalancing: false,
            managed_tags: true,
            propagate_tags: "SERVICE".into(),
            execute_command: false,
        },
        placement: Placement {
            capacity: BTreeMap::from([("skyfox-devprod-instances".into(), (0, 1))]),
            load_balancers: BTreeSet::from([Behind {
                target_group: format!("arn:tg/{name}"),
                container: name.into(),
                port,
            }]),
        },
        tags: tags(&format!("service/{name}"), name, Some(name)),
    }
}

pub(crate) fn standing() -> World {
    let mut world = World::default();
    for (name, port, health) in [("backend", 8080, "/health"), ("movie", 4567, "/mshealth")] {
        let definition = definition(name, port, health);
        let family = Family { active: vec![arn(name, 1)], inactive: Vec::new(), tags: definition.tags.clone() };
        world.services.insert(name.into(), service(name, port));
        world.families.insert(format!("skyfox-devprod-{name}"), family);
        world.definitions.insert(arn(name, 1), definition);
    }
    world
}

pub(crate) fn after(spoil: impl FnOnce(&mut World)) -> Plan<Change> {
    let mut world = standing();
    spoil(&mut world);
    plan(&scope(), &world).unwrap()
}

pub(crate) fn backend(world: &mut World) -> &mut Service {
    world.services.get_mut("backend").unwrap()
}

pub(crate) fn family(world: &mut World) -> &mut Family {
    world.families.get_mut("skyfox-devprod-backend").unwrap()
}

pub(crate) fn task(world: &mut World) -> &mut Definition {
    world.definitions.get_mut(&arn("backend", 1)).unwrap()
}

pub(crate) fn container(world: &mut World) -> &mut Container {
    task(world).settings.container.as_mut().unwrap()
}
