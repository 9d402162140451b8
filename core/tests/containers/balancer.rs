//! Load balancers, target groups, rules, the probe function.

use skydeck_core::layer::balancer::{
    Balancer, Change, Code, HealthCheck, Listening, Rule, Target, TargetGroup, World, facts, plan, target_group_name,
    teardown,
};
use skydeck_core::plan::{Action, Description, Found, Refusal, by_resource};
use skydeck_core::spec::{self, Scheme};

use crate::balancer_world::{group_name, set, standing, target_group};
use crate::fixture::{changed, foreign, lines, map, scope, tags};

fn nothing() -> World {
    World { probe_code: Some(Code { sha256: "hash".into(), architecture: "arm64".into() }), ..World::default() }
}

/// The change that a standing world needs after this happened to it.
fn drift(spoil: impl FnOnce(&mut World)) -> Vec<String> {
    let scope = scope();
    let mut world = standing(&scope);
    spoil(&mut world);
    let plan = plan(&scope, &world).unwrap();
    assert!(plan.waits.is_empty(), "{:?}", plan.waits);
    changed(&plan)
}

fn external(world: &mut World) -> &mut Balancer {
    world.load_balancers.get_mut("skyfox-devprod-external").unwrap()
}

fn internal(world: &mut World) -> &mut Balancer {
    world.load_balancers.get_mut("skyfox-devprod-internal").unwrap()
}

fn listener(balancer: &mut Balancer) -> &mut Listening {
    balancer.listeners.get_mut(&80).unwrap()
}

fn backend_group(world: &mut World) -> &mut TargetGroup {
    &mut world.target_groups.values_mut().find(|found| found.id == "arn:tg/backend").unwrap().settings
}

#[test]
fn from_nothing_everything_is_made_in_the_order_of_its_dependencies() {
    let scope = scope();
    let (backend, movie) = (group_name(&scope, "backend"), group_name(&scope, "movie"));
    let expected = [
        format!("0 + target group {backend}"),
        format!("1 ~ target group {backend} after 0"),
        format!("2 + target group {movie}"),
        format!("3 ~ target group {movie} after 2"),
        "4 + load balancer skyfox-devprod-external".into(),
        "5 ~ load balancer skyfox-devprod-external after 4".into(),
        "6 + listener skyfox-devprod-external-80 after 0 4".into(),
        "7 + load balancer skyfox-devprod-internal".into(),
        "8 ~ load balancer skyfox-devprod-internal after 7".into(),
        "9 + listener skyfox-devprod-internal-80 after 7".into(),
        "10 + listener rule skyfox-devprod-movie after 2 9".into(),
        "11 + log group /aws/lambda/skydeck-skyfox-devprod-probe".into(),
        "12 ~ log group /aws/lambda/skydeck-skyfox-devprod-probe after 11".into(),
        "13 + function skydeck-skyfox-devprod-probe after 12".into(),
    ];
    assert_eq!(lines(&plan(&scope, &nothing()).unwrap()), expected);
}

#[test]
fn a_standing_world_needs_nothing() {
    assert_eq!(drift(|_| {}), [""; 0]);
}

#[test]
fn a_drifted_load_balancer_is_set_right_in_place() {
    let at = |attribute: &str| [format!("load balancer skyfox-devprod-external: {attribute}")];
    assert_eq!(drift(|world| external(world).settings.attributes.http2 = false), at("attributes.http2"));
    assert_eq!(
        drift(|world| external(world).settings.attributes.drop_invalid_headers = false),
        at("attributes.drop_invalid_headers")
    );
    assert_eq!(drift(|world| external(world).settings.subnets.clear()), at("subnets"));
    assert_eq!(drift(|world| external(world).settings.groups.clear()), at("groups"));
    assert_eq!(drift(|world| drop(external(world).settings.tags.remove("Project"))), at("tags.Project"));
}

#[test]
fn a_drifted_target_group_is_set_right_in_place() {
    let name = group_name(&scope(), "backend");
    let at = |attribute: &str| [format!("target group {name}: {attribute}")];
    let health = |spoil: fn(&mut HealthCheck)| drift(|world| spoil(&mut backend_group(world).health));
    assert_eq!(health(|health| health.path = "/".into()), at("health.path"));
    assert_eq!(health(|health| health.matcher = "200-299".into()), at("health.matcher"));
    assert_eq!(health(|health| health.port = "80".into()), at("health.port"));
    assert_eq!(health(|health| health.interval_seconds = 5), at("health.interval_seconds"));
    assert_eq!(health(|health| health.timeout_seconds = 6), at("health.timeout_seconds"));
    assert_eq!(health(|health| health.healthy_threshold = 5), at("health.healthy_threshold"));
    assert_eq!(health(|health| health.unhealthy_threshold = 5), at("health.unhealthy_threshold"));
    let delay = drift(|world| backend_group(world).deregistration_delay_seconds = 300);
    assert_eq!(delay, at("deregistration_delay_seconds"));
    assert_eq!(drift(|world| drop(backend_group(world).tags.remove("Service"))), at("tags.Service"));
}

#[test]
fn drifted_listeners_and_rules_are_set_right_in_place() {
    let default = |world: &mut World| {
        listener(external(world)).settings.default = Target::Other("redirect".into());
    };
    assert_eq!(
        drift(default),
        ["listener skyfox-devprod-external-80: default.group", "listener skyfox-devprod-external-80: default.other"]
    );
    let rule = |spoil: fn(&mut Rule)| drift(|world| spoil(&mut listener(internal(world)).rules[0].settings));
    assert_eq!(rule(|rule| rule.priority = 7), ["listener rules skyfox-devprod-internal: movie"]);
    assert_eq!(rule(|rule| rule.paths = set(["/*"])), ["listener rule skyfox-devprod-movie: paths"]);
    assert_eq!(rule(|rule| rule.target = Target::NotFound), ["listener rule skyfox-devprod-movie: target"]);
}

#[test]
fn what_was_deleted_behind_our_back_comes_back() {
    let scope = scope();
    let mut world = standing(&scope);
    listener(internal(&mut world)).rules.clear();
    external(&mut world).listeners.clear();
    assert_eq!(
        lines(&plan(&scope, &world).unwrap()),
        ["0 + listener skyfox-devprod-external-80", "1 + listener rule skyfox-devprod-movie"]
    );
}

#[test]
fn a_changed_port_is_no_matter_of_load_balancers_since_each_task_is_registered_with_its_own() {
    let mut scope = scope();
    let world = standing(&scope);
    scope.platform.services.get_mut("backend").unwrap().port = 9090;
    assert_eq!(lines(&plan(&scope, &world).unwrap()), [""; 0]);
}

/// The attributes that AWS cannot change in place.
fn forcing(told: &Description) -> Vec<&str> {
    told.attributes.iter().filter(|found| found.forces_replacement).map(|found| found.name.as_str()).collect()
}

#[test]
fn a_service_that_moves_to_another_load_balancer_gets_a_new_target_group_since_one_belongs_to_one() {
    let mut scope = scope();
    let world = standing(&scope);
    scope.platform.services.get_mut("movie").unwrap().load_balancer = "external".into();
    let told = by_resource(&plan(&scope, &world).unwrap().describe());
    let groups: Vec<_> = told.iter().filter(|told| told.kind == "target group").collect();
    let [group] = groups[..] else { panic!("what goes is said by what takes its place: {told:#?}") };
    assert_eq!(group.action, Action::Replace);
    assert_eq!(forcing(group), ["load_balancer"]);
    let moved = group.attributes.iter().find(|found| found.forces_replacement).unwrap();
    assert_eq!(
        (moved.old.clone(), moved.new.clone()),
        (Some("skyfox-devprod-internal".into()), Some("skyfox-devprod-external".into()))
    );
}

#[test]
fn a_target_group_of_a_vpc_that_is_no_more_is_made_anew_under_its_name_which_a_plan_knows_without_a_vpc() {
    let mut scope = scope();
    let mut world = standing(&scope);
    world.load_balancers.clear();
    scope.facts.network.as_mut().unwrap().vpc_id = "vpc-2".into();
    let name = group_name(&scope, "backend");
    let plan = plan(&scope, &world).unwrap();
    assert_eq!(lines(&plan)[..2], [format!("0 - target group {name}"), format!("1 -/+ target group {name} after 0")]);
    let told = by_resource(&plan.describe());
    assert_eq!((told[0].action, forcing(&told[0])), (Action::Replace, vec!["fixed.vpc"]));
}

#[test]
fn target_groups_of_names_that_are_cut_alike_stay_apart() {
    let scope = scope();
    let service = &scope.platform.services["backend"];
    let name = |name: &str| target_group_name(&scope, name, service);
    assert_ne!(name("payment-service-one"), name("payment-service-two"));
    assert!(name("payment-service-one").len() <= 32);
}

#[test]
fn rules_that_change_places_do_so_in_one_call_and_after_old_rules_are_gone() {
    let mut scope = scope();
    let mut other = scope.platform.services["movie"].clone();
    other.rule = Some(spec::Rule { path: "/payment-service*".into(), priority: 200 });
    scope.platform.services.insert("payment".into(), other);
    scope.platform.services.get_mut("movie").unwrap().rule.as_mut().unwrap().priority = 100;
    let mut world = standing(&scope);
    world.target_groups.extend([target_group(&scope, "payment", "/mshealth")]);
    let rule = |service: &str, priority: u16, path: &str| Found {
        id: format!("arn:rule/{service}"),
        settings: Rule {
            priority,
            paths: set([path]),
            target: Target::Group(target_group_name(&scope, service, &scope.platform.services["movie"])),
            tags: tags(&format!("rule/{service}"), &format!("skyfox-devprod-{service}"), Some(service)),
        },
    };
    listener(internal(&mut world)).rules = vec![
        rule("movie", 200, "/movie-service*"),
        rule("payment", 300, "/payment-service*"),
        rule("gone", 100, "/gone*"),
    ];
    assert_eq!(
        lines(&plan(&scope, &world).unwrap()),
        ["0 - listener rule skyfox-devprod-gone", "1 ~ listener rules skyfox-devprod-internal after 0"]
    );
}

#[test]
fn a_load_balancer_that_left_the_file_goes_with_its_target_groups() {
    let mut scope = scope();
    let world = standing(&scope);
    let movie = group_name(&scope, "movie");
    scope.platform.load_balancers.remove("internal");
    scope.platform.services.remove("movie");
    let expected = [
        "0 - listener skyfox-devprod-internal-80".into(),
        "1 - load balancer skyfox-devprod-internal after 0".into(),
        format!("2 - target group {movie} after 1"),
        "3 - function skydeck-skyfox-devprod-probe".into(),
        "4 - log group /aws/lambda/skydeck-skyfox-devprod-probe after 3".into(),
    ];
    assert_eq!(lines(&plan(&scope, &world).unwrap()), expected);
}

#[test]
fn the_probe_function_takes_one_change_at_a_time() {
    let scope = scope();
    let mut world = standing(&scope);
    let probe = &mut world.probe.as_mut().unwrap().settings;
    probe.code.sha256 = "older".into();
    probe.configuration.memory_mib = 256;
    let first = plan(&scope, &world).unwrap();
    assert_eq!(changed(&first), ["function skydeck-skyfox-devprod-probe: memory_mib"]);
    assert_eq!(first.waits.len(), 1);
    world.probe.as_mut().unwrap().settings.configuration.memory_mib = 128;
    world.probe_busy = true;
    let waiting = plan(&scope, &world).unwrap();
    assert_eq!((waiting.steps.len(), waiting.waits.len()), (0, 1));
    world.probe_busy = false;
    let second = plan(&scope, &world).unwrap();
    assert_eq!(changed(&second), ["function skydeck-skyfox-devprod-probe: code.sha256"]);
    assert!(second.waits.is_empty());
}

#[test]
fn without_an_internal_load_balancer_there_is_no_probe_function() {
    let mut scope = scope();
    scope.platform.load_balancers.remove("internal");
    scope.platform.services.remove("movie");
    let plan = plan(&scope, &World::default()).unwrap();
    assert!(!lines(&plan).iter().any(|line| line.contains("probe")));
}

#[test]
fn names_that_somebody_else_took_are_refused() {
    let refused = |spoil: &dyn Fn(&mut World)| {
        let scope = scope();
        let mut world = standing(&scope);
        spoil(&mut world);
        match plan(&scope, &world).unwrap_err() {
            Refusal::Taken { kind, .. } => kind,
            other => panic!("{other}"),
        }
    };
    assert_eq!(refused(&|world| external(world).settings.tags = foreign()), "load balancer");
    assert_eq!(refused(&|world| backend_group(world).tags = foreign()), "target group");
    assert_eq!(refused(&|world| listener(external(world)).settings.tags = foreign()), "listener");
    assert_eq!(refused(&|world| listener(internal(world)).rules[0].settings.tags = foreign()), "listener rule");
    assert_eq!(refused(&|world| world.probe.as_mut().unwrap().settings.tags = foreign()), "function");
    assert_eq!(refused(&|world| world.probe_logs.as_mut().unwrap().settings.tags = foreign()), "log group");
}

#[test]
fn another_scheme_is_refused_since_aws_cannot_change_it() {
    let scope = scope();
    let mut world = standing(&scope);
    external(&mut world).settings.scheme = Scheme::Internal;
    assert!(matches!(plan(&scope, &world), Err(Refusal::Impossible { .. })));
}

#[test]
fn missing_probe_code_and_missing_facts_are_told() {
    let scope = scope();
    let error = plan(&scope, &World::default()).unwrap_err().to_string();
    assert!(error.contains("s3://skydeck-home/functions/probe.zip"), "{error}");
    let mut early = scope.clone();
    early.facts.network = None;
    assert!(matches!(plan(&early, &nothing()), Err(Refusal::MissingFact { layer, .. }) if layer == "network"));
}

#[test]
fn teardown_takes_listeners_then_load_balancers_then_target_groups() {
    let scope = scope();
    let (backend, movie) = (group_name(&scope, "backend"), group_name(&scope, "movie"));
    let expected = [
        "0 - function skydeck-skyfox-devprod-probe".into(),
        "1 - log group /aws/lambda/skydeck-skyfox-devprod-probe after 0".into(),
        "2 - listener skyfox-devprod-external-80".into(),
        "3 - load balancer skyfox-devprod-external after 2".into(),
        "4 - listener skyfox-devprod-internal-80".into(),
        "5 - load balancer skyfox-devprod-internal after 4".into(),
        format!("6 - target group {backend} after 3 5"),
        format!("7 - target group {movie} after 3 5"),
    ];
    assert_eq!(lines(&teardown(&scope, &standing(&scope))), expected);
}

#[test]
fn what_is_foreign_is_neither_torn_down_nor_reaped() {
    let scope = scope();
    let mut world = standing(&scope);
    for balancer in world.load_balancers.values_mut() {
        balancer.settings.tags = foreign();
    }
    for group in world.target_groups.values_mut() {
        group.settings.tags = foreign();
    }
    world.probe.as_mut().unwrap().settings.tags = foreign();
    world.probe_logs.as_mut().unwrap().settings.tags = foreign();
    assert!(teardown(&scope, &world).is_empty());

    let mut world = standing(&scope);
    let mut stranger = world.target_groups.values().next().unwrap().clone();
    stranger.settings.tags = foreign();
    world.target_groups.insert("skyfox-devprod-legacy".into(), stranger);
    let mut rule = listener(internal(&mut world)).rules[0].clone();
    (rule.settings.priority, rule.settings.tags) = (9, foreign());
    listener(internal(&mut world)).rules.push(rule);
    assert!(plan(&scope, &world).unwrap().is_empty());
}

#[test]
fn facts_give_addresses_and_arns() {
    let scope = scope();
    let found = facts(&scope, &standing(&scope)).balancer.unwrap();
    assert_eq!(found.load_balancers["external"].url, "http://external-1.ap-south-1.elb.amazonaws.com");
    assert_eq!(found.target_group_arns, map([("backend", "arn:tg/backend"), ("movie", "arn:tg/movie")]));
    assert_eq!(found.probe_function.as_deref(), Some("skydeck-skyfox-devprod-probe"));
    assert_eq!(facts(&scope, &nothing()).balancer, None);
}

#[test]
fn a_creation_is_described_with_all_its_settings() {
    let plan = plan(&scope(), &nothing()).unwrap();
    let probe = plan.steps.iter().find(|step| matches!(step.change, Change::CreateProbe { .. })).unwrap();
    let told = skydeck_core::plan::Describe::describe(&probe.change).attributes;
    let names: Vec<&str> = told.iter().map(|attribute| attribute.name.as_str()).collect();
    assert!(names.contains(&"configuration.runtime") && names.contains(&"code.architecture"), "{names:?}");
}
