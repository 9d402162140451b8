//! A service takes another's place: nobody who asks meets a target group without a target.

use skydeck_core::Scope;
use skydeck_core::layer::balancer::{Change, Target, Targets, World, facts, moving, plan};

use crate::balancer_world::{group_name, standing, target_group};
use crate::fixture::{lines, scope};

/// The platform with `film` in the place of `movie`, and `web` in that of `backend`.
fn renamed() -> Scope {
    let mut scope = scope();
    for (old, new) in [("movie", "film"), ("backend", "web")] {
        let service = scope.platform.services.remove(old).unwrap();
        scope.platform.services.insert(new.into(), service);
    }
    scope.platform.load_balancers.get_mut("external").unwrap().default_service = Some("web".into());
    scope
}

/// The world in which the old services serve, and of the new ones the target groups are there.
fn serving(old: usize, new: usize) -> World {
    let (before, after) = (scope(), renamed());
    let mut world = standing(&before);
    let targets = |count| Targets { all: count, healthy: count };
    for (service, health) in [("film", "/mshealth"), ("web", "/health")] {
        world.target_groups.extend([target_group(&after, service, health)]);
        world.targets.insert(group_name(&after, service), targets(new));
    }
    for service in ["movie", "backend"] {
        world.targets.insert(group_name(&before, service), targets(old));
    }
    world
}

/// Does what the plan says to rules and listeners.
fn carry_out(world: &mut World) {
    for step in plan(&renamed(), world).unwrap().steps {
        let mut listeners = world.load_balancers.values_mut().flat_map(|found| found.listeners.values_mut());
        match step.change {
            Change::SetListener { arn, new, .. } => {
                listeners.find(|found| found.arn == arn).unwrap().settings.default = new.default;
            }
            Change::SetRule { arn, new, .. } => {
                let mut rules = listeners.flat_map(|found| &mut found.rules);
                rules.find(|found| found.id == arn).unwrap().settings.target = new.target;
            }
            Change::SetTags { arn, new, .. } => {
                for listener in listeners {
                    let own = (listener.arn == arn).then_some(&mut listener.settings.tags);
                    let rules = listener.rules.iter_mut().filter(|rule| rule.id == arn);
                    own.into_iter().chain(rules.map(|rule| &mut rule.settings.tags)).for_each(|tags| {
                        tags.extend(new.clone());
                    });
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_listener_and_a_rule_send_to_the_old_service_until_the_new_one_is_healthy() {
    let mut world = serving(2, 0);
    let first = plan(&renamed(), &world).unwrap();
    let told = [
        "0 ~ listener skyfox-devprod-external-80",
        "1 ~ listener skyfox-devprod-external-80",
        "2 ~ listener rule skyfox-devprod-film",
        "3 ~ listener rule skyfox-devprod-film",
    ];
    assert_eq!(lines(&first), told, "the rule goes over to the new service, and is never gone");
    let deferred: Vec<String> = first.deferred.iter().map(|deferred| deferred.description.to_string()).collect();
    let (backend, movie) = (group_name(&scope(), "backend"), group_name(&scope(), "movie"));
    let expected = [
        "~ listener skyfox-devprod-external-80".into(),
        "~ listener rule skyfox-devprod-film".into(),
        format!("- target group {backend}"),
        format!("- target group {movie}"),
    ];
    assert_eq!(deferred, expected);
    carry_out(&mut world);
    let film = group_name(&renamed(), "film");
    let rule = |world: &World| {
        let listener = &world.load_balancers["skyfox-devprod-internal"].listeners[&80];
        listener.rules.iter().map(|rule| rule.settings.target.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rule(&world), [Target::Until(movie.clone(), film.clone())]);
    let waiting = plan(&renamed(), &world).unwrap();
    assert_eq!((lines(&waiting), waiting.deferred.len()), (Vec::new(), 4), "nothing to do until then");
    let served = facts(&renamed(), &world).balancer.unwrap().serving_on;
    assert_eq!(served, ["arn:tg/backend".to_owned(), "arn:tg/movie".to_owned()].into());

    world.targets = serving(2, 1).targets;
    carry_out(&mut world);
    assert_eq!(rule(&world), [Target::Group(film)]);
    assert!(facts(&renamed(), &world).balancer.unwrap().serving_on.is_empty());
    let draining = plan(&renamed(), &world).unwrap();
    assert_eq!((lines(&draining), draining.deferred.len()), (Vec::new(), 2), "requests that are under way end");
    world.targets = serving(0, 1).targets;
    let last = plan(&renamed(), &world).unwrap();
    assert_eq!(lines(&last), [format!("0 - target group {backend}"), format!("1 - target group {movie}")]);
}

#[test]
fn what_serves_nobody_is_not_waited_for() {
    let world = serving(0, 0);
    let plan = plan(&renamed(), &world).unwrap();
    assert!(plan.deferred.is_empty(), "{:#?}", plan.deferred);
}

#[test]
fn targets_are_looked_at_only_where_something_moves() {
    assert!(moving(&scope(), &standing(&scope())).unwrap().is_empty());
    let world = serving(2, 0);
    assert_eq!(moving(&renamed(), &world).unwrap().len(), 4);
}

#[test]
fn a_load_balancer_stays_in_a_zone_as_long_as_instances_do() {
    let mut scope = scope();
    let mut world = standing(&scope);
    let external = world.load_balancers.get_mut("skyfox-devprod-external").unwrap();
    external.settings.subnets.insert("subnet-c".into());
    let network = scope.facts.network.as_mut().unwrap();
    network.leaving_subnet_ids = ["subnet-c".to_owned()].into();
    let held = plan(&scope, &world).unwrap();
    assert_eq!((lines(&held), held.deferred.len()), (Vec::new(), 1));
    scope.facts.network.as_mut().unwrap().leaving_subnet_ids.clear();
    let free = plan(&scope, &world).unwrap();
    assert_eq!((lines(&free), free.deferred.len()), (vec!["0 ~ load balancer skyfox-devprod-external".into()], 0));
}
