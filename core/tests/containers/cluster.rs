//! Cluster, launch template, Auto Scaling group, capacity provider, log group.

use std::collections::{BTreeMap, BTreeSet};

use skydeck_core::layer::cluster::{
    Capacity, Change, Cluster, Group, GroupSettings, Instance, Launch, Provider, Scaling, Template, World, facts, plan,
    teardown,
};
use skydeck_core::logs::LogGroup;
use skydeck_core::plan::{Found, Plan, Ref, Refusal};

use crate::fixture::{changed, foreign, lines, scope, tags};

pub(crate) const NAME: &str = "skyfox-devprod-instances";

fn set<const N: usize>(items: [&str; N]) -> BTreeSet<String> {
    items.map(ToOwned::to_owned).into()
}

fn attached() -> Capacity {
    Capacity { providers: set([NAME]), strategy: BTreeMap::from([(NAME.into(), (0, 1))]) }
}

fn template() -> Template {
    Template {
        id: "lt-1".into(),
        latest: 3,
        default: 3,
        settings: Launch {
            ami: "ami-pinned".into(),
            instance_type: "t4g.small".into(),
            profile: "arn:profile/instances".into(),
            groups: set(["sg-instances"]),
            user_data: "#!/bin/bash\necho ECS_CLUSTER=skyfox-devprod >> /etc/ecs/ecs.config\n\
                        echo ECS_ENABLE_CONTAINER_METADATA=true >> /etc/ecs/ecs.config\n\
                        echo ECS_AWSVPC_BLOCK_IMDS=true >> /etc/ecs/ecs.config\n"
                .into(),
            http_tokens: "required".into(),
            hop_limit: 1,
            encrypted: true,
            instance_tags: tags("instance", NAME, None),
            volume_tags: tags("volume", NAME, None),
        },
        tags: tags("launch-template", NAME, None),
    }
}

pub(crate) fn instance(version: &str, ending: bool) -> Instance {
    Instance { template: ("lt-1".into(), version.into()), instance_type: "t4g.small".into(), ending }
}

fn group() -> Group {
    let mut tags = tags("auto-scaling-group", NAME, None);
    tags.insert("AmazonECSManaged".into(), String::new());
    Group {
        arn: "arn:asg/1".into(),
        desired: 2,
        instances: vec![instance("3", false), instance("3", false)],
        refresh: None,
        going: false,
        template: ("lt-1".into(), "3".into()),
        settings: GroupSettings {
            min: 2,
            max: 4,
            subnets: set(["subnet-a", "subnet-b"]),
            health: "EC2".into(),
            grace_seconds: 300,
            termination: vec!["OldestInstance".into()],
        },
        propagated: tags.keys().cloned().collect(),
        tags,
    }
}

/// The world as the reference describes it.
pub(crate) fn standing() -> World {
    World {
        recommended_ami: Some("ami-pinned".into()),
        cluster: Some(Cluster {
            arn: "arn:cluster/skyfox-devprod".into(),
            insights: "enabled".into(),
            capacity: attached(),
            busy: false,
            services: 0,
            tags: tags("cluster", "skyfox-devprod", None),
        }),
        template: Some(template()),
        group: Some(group()),
        provider: Some(Provider {
            arn: "arn:provider/1".into(),
            group: "arn:asg/1".into(),
            busy: false,
            settings: Scaling {
                managed: true,
                target_percent: 100,
                min_step: 1,
                max_step: 4,
                warmup_seconds: 120,
                draining: true,
                protection: false,
            },
            tags: tags("capacity-provider", NAME, None),
        }),
        logs: Some(Found {
            id: "arn:log/ecs".into(),
            settings: LogGroup {
                retention_days: Some(7),
                tags: tags("log-group/containers", "/ecs/skyfox-devprod", None),
            },
        }),
    }
}

pub(crate) fn after(spoil: impl FnOnce(&mut World)) -> Plan<Change> {
    let mut world = standing();
    spoil(&mut world);
    plan(&scope(), &world).unwrap()
}

/// The attributes that change after this happened.
pub(crate) fn drift(spoil: impl FnOnce(&mut World)) -> Vec<String> {
    let plan = after(spoil);
    assert!(plan.waits.is_empty(), "{:?}", plan.waits);
    changed(&plan)
}

fn cluster(world: &mut World) -> &mut Cluster {
    world.cluster.as_mut().unwrap()
}

pub(crate) fn asg(world: &mut World) -> &mut Group {
    world.group.as_mut().unwrap()
}

fn provider(world: &mut World) -> &mut Provider {
    world.provider.as_mut().unwrap()
}

#[test]
fn from_nothing_everything_is_made_in_the_order_of_its_dependencies() {
    let nothing = World { recommended_ami: Some("ami-new".into()), ..World::default() };
    let plan = plan(&scope(), &nothing).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "0 + log group /ecs/skyfox-devprod",
            "1 ~ log group /ecs/skyfox-devprod after 0",
            "2 + cluster skyfox-devprod",
            "3 + launch template skyfox-devprod-instances",
            "4 + Auto Scaling group skyfox-devprod-instances after 3",
            "5 + capacity provider skyfox-devprod-instances after 4",
            "6 ~ cluster skyfox-devprod after 2 5",
        ]
    );
    let group = plan.steps.iter().find_map(|step| match &step.change {
        Change::CreateGroup { desired, version, .. } => Some((*desired, version.clone())),
        _ => None,
    });
    assert_eq!(group, Some((3, Ref::from("1"))));
}

#[test]
fn a_standing_world_needs_nothing() {
    assert_eq!(drift(|_| {}), [""; 0]);
}

#[test]
fn the_desired_size_is_managed_scalings_after_creation() {
    assert_eq!(drift(|world| asg(world).desired = 4), [""; 0]);
}

#[test]
fn a_drifted_cluster_is_set_right() {
    assert_eq!(
        drift(|world| cluster(world).insights = "disabled".into()),
        ["cluster skyfox-devprod: container_insights"]
    );
    assert_eq!(drift(|world| drop(cluster(world).tags.remove("Name"))), ["cluster skyfox-devprod: tags.Name"]);
    assert_eq!(
        drift(|world| cluster(world).capacity = Capacity::default()),
        ["cluster skyfox-devprod: providers".to_owned(), format!("cluster skyfox-devprod: strategy.{NAME}")]
    );
}

#[test]
fn a_capacity_provider_that_somebody_attached_stays_attached() {
    let plan = after(|world| {
        cluster(world).capacity.providers = set(["FARGATE"]);
        cluster(world).capacity.strategy.clear();
    });
    let Change::SetCapacity { new, .. } = &plan.steps[0].change else { panic!("{:?}", plan.steps) };
    assert_eq!(new.providers, set(["FARGATE", NAME]));
}

#[test]
fn a_drifted_log_group_is_set_right() {
    let retention = drift(|world| world.logs.as_mut().unwrap().settings.retention_days = None);
    assert_eq!(retention, ["log group /ecs/skyfox-devprod: retention_days"]);
}

#[test]
fn a_drifted_launch_template_gets_a_new_version_that_the_group_then_uses_and_its_instances_get() {
    let spoilt: [fn(&mut Launch); 8] = [
        |launch| launch.instance_type = "t4g.micro".into(),
        |launch| launch.profile = "arn:other".into(),
        |launch| launch.groups.clear(),
        |launch| launch.user_data.clear(),
        |launch| launch.http_tokens = "optional".into(),
        |launch| launch.hop_limit = 2,
        |launch| launch.encrypted = false,
        |launch| launch.volume_tags.clear(),
    ];
    for spoil in spoilt {
        let plan = after(|world| spoil(&mut world.template.as_mut().unwrap().settings));
        assert_eq!(
            lines(&plan),
            [
                format!("0 ~ launch template {NAME}"),
                format!("1 ~ launch template {NAME} after 0"),
                format!("2 ~ Auto Scaling group {NAME} after 0"),
                format!("3 ~ Auto Scaling group {NAME} after 0 2"),
            ]
        );
    }
}

#[test]
fn a_version_whose_answer_was_lost_is_taken_up() {
    let plan = after(|world| world.template.as_mut().unwrap().latest = 4);
    assert_eq!(
        lines(&plan),
        [
            format!("0 ~ launch template {NAME}"),
            format!("1 ~ Auto Scaling group {NAME}"),
            format!("2 ~ Auto Scaling group {NAME} after 1"),
        ]
    );
}

#[test]
fn a_newer_image_is_a_note_and_the_one_in_use_stays() {
    let plan = after(|world| world.recommended_ami = Some("ami-newer".into()));
    assert!(plan.is_empty());
    let note = "keeps ami-pinned; AWS now recommends ami-newer: `skydeck apply --refresh-ami` takes it";
    assert_eq!(plan.notes, [format!("launch template {NAME} {note}")]);
}

#[test]
fn a_region_without_an_image_is_refused() {
    assert!(matches!(plan(&scope(), &World::default()), Err(Refusal::Impossible { .. })));
}

#[test]
fn a_drifted_group_is_set_right_in_place() {
    let at = |attribute: &str| [format!("Auto Scaling group {NAME}: {attribute}")];
    let settings = |spoil: fn(&mut GroupSettings)| drift(|world| spoil(&mut asg(world).settings));
    assert_eq!(settings(|settings| settings.min = 0), at("min"));
    assert_eq!(settings(|settings| settings.max = 9), at("max"));
    assert_eq!(settings(|settings| settings.subnets.clear()), at("subnets"));
    assert_eq!(settings(|settings| settings.health = "ELB".into()), at("health"));
    assert_eq!(settings(|settings| settings.grace_seconds = 0), at("grace_seconds"));
    assert_eq!(settings(|settings| settings.termination.clear()), at("termination"));
    assert_eq!(drift(|world| asg(world).template.1 = "1".into()), at("version"));
    assert_eq!(drift(|world| drop(asg(world).tags.remove("AmazonECSManaged"))), at("tags.AmazonECSManaged"));
    assert_eq!(drift(|world| asg(world).propagated.retain(|key| key != "Project")), at("tags.Project"));
}

#[test]
fn a_drifted_capacity_provider_is_set_right_in_place() {
    let at = |attribute: &str| [format!("capacity provider {NAME}: {attribute}")];
    let settings = |spoil: fn(&mut Scaling)| drift(|world| spoil(&mut provider(world).settings));
    assert_eq!(settings(|scaling| scaling.managed = false), at("managed"));
    assert_eq!(settings(|scaling| scaling.target_percent = 50), at("target_percent"));
    assert_eq!(settings(|scaling| scaling.min_step = 2), at("min_step"));
    assert_eq!(settings(|scaling| scaling.max_step = 9), at("max_step"));
    assert_eq!(settings(|scaling| scaling.warmup_seconds = 300), at("warmup_seconds"));
    assert_eq!(settings(|scaling| scaling.draining = false), at("draining"));
    assert_eq!(settings(|scaling| scaling.protection = true), at("protection"));
    assert_eq!(drift(|world| drop(provider(world).tags.remove("Name"))), at("tags.Name"));
}

#[test]
fn a_provider_whose_group_was_deleted_is_detached_then_deleted_then_made_anew() {
    let lost = |world: &mut World| world.group = None;
    let first = after(lost);
    assert_eq!(lines(&first), [format!("0 + Auto Scaling group {NAME}"), "1 ~ cluster skyfox-devprod".into()]);
    assert_eq!(first.waits.len(), 1);
    let detached = |world: &mut World| {
        asg(world).arn = "arn:asg/2".into();
        cluster(world).capacity = Capacity::default();
    };
    let second = after(detached);
    assert_eq!(lines(&second), [format!("0 - capacity provider {NAME}")]);
    assert_eq!(second.waits.len(), 1);
    let third = after(|world| {
        detached(world);
        world.provider = None;
    });
    assert_eq!(lines(&third), [format!("0 + capacity provider {NAME}"), "1 ~ cluster skyfox-devprod after 0".into()]);
    assert!(third.waits.is_empty());
}

#[test]
fn what_aws_is_still_at_is_waited_for() {
    let waits = |spoil: fn(&mut World)| {
        let plan = after(spoil);
        (plan.steps.len(), plan.waits.len())
    };
    assert_eq!(waits(|world| asg(world).going = true), (0, 1));
    assert_eq!(waits(|world| provider(world).busy = true), (0, 1));
    let attaching = |world: &mut World| {
        cluster(world).busy = true;
        cluster(world).capacity = Capacity::default();
    };
    assert_eq!(waits(attaching), (0, 1));
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
    assert_eq!(refused(|world| cluster(world).tags = foreign()), "cluster");
    assert_eq!(refused(|world| world.template.as_mut().unwrap().tags = foreign()), "launch template");
    assert_eq!(refused(|world| asg(world).tags = foreign()), "Auto Scaling group");
    assert_eq!(refused(|world| provider(world).tags = foreign()), "capacity provider");
    assert_eq!(refused(|world| world.logs.as_mut().unwrap().settings.tags = foreign()), "log group");
}

#[test]
fn teardown_goes_one_stage_after_the_other() {
    let mut world = standing();
    let mut stage = |spoil: fn(&mut World)| {
        spoil(&mut world);
        let plan = teardown(&scope(), &world);
        (lines(&plan), plan.waits.len())
    };
    let waiting: (Vec<String>, usize) = (Vec::new(), 1);
    assert_eq!(stage(|world| cluster(world).services = 1), waiting);
    let emptied = vec![format!("0 ~ Auto Scaling group {NAME}")];
    assert_eq!(stage(|world| cluster(world).services = 0), (emptied, 1));
    let zero = |world: &mut World| {
        let group = asg(world);
        (group.settings.min, group.desired, group.settings.max) = (0, 0, 0);
    };
    assert_eq!(stage(zero), waiting);
    let detached = vec!["0 ~ cluster skyfox-devprod".to_owned()];
    assert_eq!(stage(|world| asg(world).instances.clear()), (detached, 0));
    assert_eq!(stage(|world| cluster(world).busy = true), waiting);
    let deleted = vec![format!("0 - capacity provider {NAME}")];
    let let_go = |world: &mut World| {
        cluster(world).busy = false;
        cluster(world).capacity = Capacity::default();
    };
    assert_eq!(stage(let_go), (deleted, 0));
    assert_eq!(stage(|world| provider(world).busy = true), waiting);
    let rest = [
        format!("0 - Auto Scaling group {NAME}"),
        format!("1 - launch template {NAME} after 0"),
        "2 - cluster skyfox-devprod".into(),
        "3 - log group /ecs/skyfox-devprod".into(),
    ];
    assert_eq!(stage(|world| world.provider = None), (rest.to_vec(), 0));
    let going = |world: &mut World| {
        *world = World { group: world.group.take(), ..World::default() };
        asg(world).going = true;
    };
    assert_eq!(stage(going), waiting);
    assert_eq!(stage(|world| world.group = None), (Vec::new(), 0));
}

#[test]
fn teardown_says_that_the_log_group_of_container_insights_stays() {
    let mut world = standing();
    (world.group, world.provider) = (None, None);
    cluster(&mut world).capacity = Capacity::default();
    let notes = teardown(&scope(), &world).notes;
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("/aws/ecs/containerinsights/skyfox-devprod/performance"));
}

#[test]
fn what_is_foreign_is_not_torn_down() {
    let mut world = standing();
    cluster(&mut world).tags = foreign();
    world.template.as_mut().unwrap().tags = foreign();
    asg(&mut world).tags = foreign();
    provider(&mut world).tags = foreign();
    world.logs.as_mut().unwrap().settings.tags = foreign();
    let plan = teardown(&scope(), &world);
    assert!(plan.is_empty() && plan.waits.is_empty());
}

#[test]
fn facts_name_cluster_and_group() {
    let found = facts(&scope(), &standing()).cluster.unwrap();
    assert_eq!(Some(found), scope().facts.cluster);
    assert_eq!(facts(&scope(), &World::default()).cluster, None);
}
