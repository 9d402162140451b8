//! HTTPS on a standing platform: switched on and off while somebody asks, and interrupted anywhere.

use std::collections::BTreeMap;

use skydeck_core::Scope;
use skydeck_core::layer::balancer::{
    Balancer, Change, HTTP, HTTPS, Listening, POLICY, Rule, Target, Tls, World, facts, plan, teardown,
};
use skydeck_core::plan::{Found, Plan, Ref, Refusal, StepId};

use crate::balancer_world::{group_name, standing};
use crate::fixture::{changed, foreign, lines, scope};

const CERTIFICATE: &str = "arn:aws:acm:ap-south-1:123456789012:certificate/1";

/// The platform with a certificate on both of its load balancers.
fn secure() -> Scope {
    let mut scope = scope();
    for (key, balancer) in &mut scope.platform.load_balancers {
        balancer.certificate = Some(CERTIFICATE.into());
        balancer.host = Some(format!("{key}.example.com"));
    }
    scope
}

/// What somebody gets who asks for a path on a port and does as he is told.
fn answer(balancer: &Balancer, port: u16, path: &str) -> Option<Target> {
    let listener = balancer.listeners.get(&port)?;
    let matches =
        |rule: &&Found<Rule>| rule.settings.paths.iter().any(|pattern| path.starts_with(pattern.trim_end_matches('*')));
    let rule = listener.rules.iter().filter(matches).min_by_key(|rule| rule.settings.priority);
    match rule.map_or(&listener.settings.default, |rule| &rule.settings.target) {
        Target::Secure(_) if port == HTTP => answer(balancer, HTTPS, path),
        target => Some(target.clone()),
    }
}

/// What the platform's users ask for, and get.
fn assert_serves(scope: &Scope, world: &World, when: &str) {
    let backend = Target::Group(group_name(scope, "backend"));
    let movie = Target::Group(group_name(scope, "movie"));
    let (external, internal) =
        (&world.load_balancers["skyfox-devprod-external"], &world.load_balancers["skyfox-devprod-internal"]);
    assert_eq!(answer(external, HTTP, "/health"), Some(backend), "{when}");
    assert_eq!(answer(internal, HTTP, "/movie-service/1"), Some(movie), "{when}");
    assert_eq!(answer(internal, HTTP, "/other"), Some(Target::NotFound), "{when}");
}

/// Does to the world what AWS would for one step, made under an id of its own.
fn carry_out(world: &mut World, change: &Change, step: usize, run: usize) {
    let made = format!("made-{run}-{step}");
    let id = |reference: &Ref| match reference {
        Ref::Known(id) => id.clone(),
        Ref::Made(StepId(step)) => format!("made-{run}-{step}"),
    };
    let listeners = |world: &mut World, f: &mut dyn FnMut(&mut Listening)| {
        world.load_balancers.values_mut().flat_map(|found| found.listeners.values_mut()).for_each(f);
    };
    match change.clone() {
        Change::CreateListener { balancer, port, settings, .. } => {
            let found = world.load_balancers.values_mut().find(|found| found.arn == id(&balancer)).unwrap();
            assert!(!found.listeners.contains_key(&port), "DuplicateListener");
            found.listeners.insert(port, Listening { arn: made, settings, rules: Vec::new() });
        }
        Change::SetListener { arn, new, .. } => listeners(world, &mut |listener| {
            if listener.arn == arn {
                listener.settings = new.clone();
            }
        }),
        Change::CreateRule { listener: arn, settings, .. } => listeners(world, &mut |listener| {
            if listener.arn == id(&arn) {
                listener.rules.push(Found { id: made.clone(), settings: settings.clone() });
            }
        }),
        Change::DeleteRule { arn, .. } => {
            listeners(world, &mut |listener| listener.rules.retain(|rule| rule.id != arn));
        }
        Change::DeleteListener { arn, .. } => {
            for found in world.load_balancers.values_mut() {
                found.listeners.retain(|_, listener| listener.arn != arn);
            }
        }
        other => panic!("{other:?}"),
    }
}

/// Steps in another order that keeps what each waits for: as early as the plan allows, or the last ones first.
fn order(plan: &Plan<Change>, last_first: bool) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < plan.steps.len() {
        let free = |at: &usize| !order.contains(at) && plan.steps[*at].after.iter().all(|id| order.contains(&id.0));
        let mut ready = (0..plan.steps.len()).filter(free);
        order.push(if last_first { ready.next_back() } else { ready.next() }.unwrap());
    }
    order
}

/// Brings a world to what a scope says, interrupted after some steps; it serves after each step of both runs.
fn change(world: &World, scope: &Scope, interrupted: usize, last_first: bool) -> World {
    let mut world = world.clone();
    for (run, most) in [interrupted, usize::MAX].into_iter().enumerate() {
        let found = plan(scope, &world).unwrap();
        for step in order(&found, last_first).into_iter().take(most) {
            carry_out(&mut world, &found.steps[step].change, step, run);
            assert_serves(scope, &world, &format!("run {run} cut at {interrupted}: {:?}", lines(&found)[step]));
        }
    }
    assert_eq!(lines(&plan(scope, &world).unwrap()), [""; 0], "nothing is left to do");
    world
}

#[test]
fn switching_on_makes_the_listener_and_its_rules_before_anybody_is_sent_there() {
    let expected = [
        "0 + listener skyfox-devprod-external-443",
        "1 ~ listener skyfox-devprod-external-80 after 0",
        "2 + listener skyfox-devprod-internal-443",
        "3 + listener rule skyfox-devprod-movie after 2",
        "4 ~ listener skyfox-devprod-internal-80 after 2 3",
        "5 - listener rule skyfox-devprod-movie after 2 3 4",
    ];
    assert_eq!(lines(&plan(&secure(), &standing(&scope())).unwrap()), expected);
    let world = change(&standing(&scope()), &secure(), 0, false);
    let external = &world.load_balancers["skyfox-devprod-external"].listeners;
    assert_eq!(external[&HTTP].settings.default, Target::Secure("external.example.com".into()));
    let tls = Tls { certificate: CERTIFICATE.into(), policy: POLICY.into() };
    assert_eq!((&external[&HTTPS].settings.tls, &external[&HTTP].settings.tls), (&Some(tls), &None));
    assert!(world.load_balancers["skyfox-devprod-internal"].listeners[&HTTP].rules.is_empty());
}

#[test]
fn switching_off_serves_on_80_again_before_443_goes() {
    let world = change(&standing(&scope()), &secure(), 0, false);
    let expected = [
        "0 ~ listener skyfox-devprod-external-80",
        "1 - listener skyfox-devprod-external-443 after 0",
        "2 + listener rule skyfox-devprod-movie",
        "3 ~ listener skyfox-devprod-internal-80 after 2",
        "4 - listener skyfox-devprod-internal-443 after 2 3",
    ];
    assert_eq!(lines(&plan(&scope(), &world).unwrap()), expected);
    let mut back = change(&world, &scope(), 0, false);
    let rules = &mut back.load_balancers.get_mut("skyfox-devprod-internal").unwrap().listeners.get_mut(&80);
    rules.as_mut().unwrap().rules[0].id = "arn:rule/movie".into();
    assert_eq!(back, standing(&scope()));
}

#[test]
fn a_change_that_is_interrupted_anywhere_serves_all_the_time_and_is_finished_or_taken_back() {
    let (plain, on) = (standing(&scope()), change(&standing(&scope()), &secure(), 0, false));
    for (world, scope) in [(&plain, secure()), (&on, scope())] {
        let steps = plan(&scope, world).unwrap().steps.len();
        for (interrupted, last_first) in (0..=steps).flat_map(|cut| [(cut, false), (cut, true)]) {
            change(world, &scope, interrupted, last_first);
        }
    }
    // Taken back half-way.
    let found = plan(&secure(), &plain).unwrap();
    for most in 0..=found.steps.len() {
        let mut world = plain.clone();
        for step in order(&found, false).into_iter().take(most) {
            carry_out(&mut world, &found.steps[step].change, step, 7);
        }
        change(&world, &scope(), 0, true);
    }
}

#[test]
fn old_target_groups_go_after_all_that_forwarded_to_them_on_either_port() {
    let renamed = |mut scope: Scope| {
        let services = std::mem::take(&mut scope.platform.services);
        scope.platform.services =
            services.into_iter().map(|(name, service)| (format!("new-{name}"), service)).collect();
        for balancer in scope.platform.load_balancers.values_mut() {
            balancer.default_service = balancer.default_service.take().map(|name| format!("new-{name}"));
        }
        scope
    };
    let after = |scope: &Scope, world: &World, service: &str| {
        let old = format!("- target group {}", group_name(&self::scope(), service));
        let told = lines(&plan(scope, world).unwrap());
        let found = told.iter().find(|line| line.contains(&old)).unwrap();
        let steps = found.split(" after ").nth(1).unwrap().split(' ').map(|step| step.parse::<usize>().unwrap());
        steps.map(|step| told[step].split(' ').skip(1).take(4).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let plain = standing(&scope());
    let on = after(&renamed(secure()), &plain, "movie");
    assert!(on.contains(&"- listener rule skyfox-devprod-movie".into()), "{on:?}");
    let secured = change(&plain, &secure(), 0, false);
    let off = after(&renamed(scope()), &secured, "backend");
    assert!(off.contains(&"- listener skyfox-devprod-external-443 after".into()), "{off:?}");
}

#[test]
fn a_rule_that_somebody_added_stays_on_the_listener_that_redirects() {
    let mut world = standing(&scope());
    let internal = world.load_balancers.get_mut("skyfox-devprod-internal").unwrap();
    let mut rule = internal.listeners[&HTTP].rules[0].clone();
    (rule.id, rule.settings.priority, rule.settings.tags) = ("arn:rule/foreign".into(), 9, foreign());
    internal.listeners.get_mut(&HTTP).unwrap().rules.push(rule);
    let world = change(&world, &secure(), 0, false);
    let rules = &world.load_balancers["skyfox-devprod-internal"].listeners[&HTTP].rules;
    assert_eq!(rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["arn:rule/foreign"]);
}

#[test]
fn a_platform_that_begins_with_https_gets_both_listeners() {
    let mut world = standing(&scope());
    world.load_balancers.values_mut().for_each(|found| found.listeners.clear());
    let expected = [
        "0 + listener skyfox-devprod-external-443",
        "1 + listener skyfox-devprod-external-80",
        "2 + listener skyfox-devprod-internal-443",
        "3 + listener rule skyfox-devprod-movie after 2",
        "4 + listener skyfox-devprod-internal-80",
    ];
    assert_eq!(lines(&plan(&secure(), &world).unwrap()), expected);
}

/// The change that a platform with HTTPS needs after this happened to its outer load balancer.
fn drift(spoil: impl FnOnce(&mut BTreeMap<u16, Listening>)) -> Vec<String> {
    let mut world = change(&standing(&scope()), &secure(), 0, false);
    spoil(&mut world.load_balancers.get_mut("skyfox-devprod-external").unwrap().listeners);
    changed(&plan(&secure(), &world).unwrap())
}

#[test]
fn drifted_listeners_are_set_right_in_place() {
    let tls = |spoil: fn(&mut Tls)| drift(|found| spoil(found.get_mut(&HTTPS).unwrap().settings.tls.as_mut().unwrap()));
    let at = |attribute: &str| [format!("listener skyfox-devprod-external-443: {attribute}")];
    assert_eq!(
        tls(|tls| tls.certificate = "arn:aws:acm:ap-south-1:123456789012:certificate/0".into()),
        at("tls.certificate")
    );
    assert_eq!(tls(|tls| tls.policy = "ELBSecurityPolicy-2016-08".into()), at("tls.policy"));
    let plain = drift(|found| found.get_mut(&HTTPS).unwrap().settings.tls = None);
    assert!(plain.iter().any(|line| line.contains("tls")), "{plain:?}");
    assert_eq!(drift(|found| drop(found.get_mut(&HTTPS).unwrap().settings.tags.remove("Project"))), at("tags.Project"));
    let elsewhere = Target::Secure("old.example.com".into());
    let elsewhere = drift(|found| found.get_mut(&HTTP).unwrap().settings.default = elsewhere);
    assert_eq!(elsewhere, ["listener skyfox-devprod-external-80: default.secure"]);
}

#[test]
fn another_certificate_is_exchanged_in_place() {
    let world = change(&standing(&scope()), &secure(), 0, false);
    let mut scope = secure();
    let renewed = CERTIFICATE.replace("certificate/1", "certificate/2");
    scope.platform.load_balancers.get_mut("internal").unwrap().certificate = Some(renewed);
    assert_eq!(changed(&plan(&scope, &world).unwrap()), ["listener skyfox-devprod-internal-443: tls.certificate"]);
}

#[test]
fn what_the_platform_cannot_use_is_refused() {
    let mut world = change(&standing(&scope()), &secure(), 0, false);
    let external = world.load_balancers.get_mut("skyfox-devprod-external").unwrap();
    external.listeners.get_mut(&HTTPS).unwrap().settings.tags = foreign();
    let refusal = plan(&secure(), &world).unwrap_err();
    assert!(matches!(&refusal, Refusal::Taken { name, .. } if name == "skyfox-devprod-external-443"), "{refusal}");
    let left = change(&world, &secure_internal_only(), 0, false);
    let left = &left.load_balancers["skyfox-devprod-external"].listeners;
    assert!(left.contains_key(&HTTPS), "a stranger's listener is left alone where the platform needs none");

    let mut scope = secure();
    scope.account = "210987654321".into();
    let refusal = plan(&scope, &standing(&scope)).unwrap_err().to_string();
    assert!(refusal.contains(CERTIFICATE) && refusal.contains("not this account's"), "{refusal}");
}

fn secure_internal_only() -> Scope {
    let mut scope = secure();
    let external = scope.platform.load_balancers.get_mut("external").unwrap();
    (external.certificate, external.host) = (None, None);
    scope
}

#[test]
fn urls_have_the_host_and_the_scheme_that_it_serves_with() {
    let (world, mut scope) = (standing(&scope()), secure());
    let url = |scope: &Scope| facts(scope, &world).balancer.unwrap().load_balancers["internal"].url.clone();
    assert_eq!(url(&scope), "https://internal.example.com");
    scope.platform.load_balancers.get_mut("internal").unwrap().certificate = None;
    assert_eq!(url(&scope), "http://internal.example.com");
    scope.platform.load_balancers.get_mut("internal").unwrap().host = None;
    assert_eq!(url(&scope), "http://internal-1.ap-south-1.elb.amazonaws.com");
}

#[test]
fn teardown_takes_both_listeners_before_the_load_balancer() {
    let world = change(&standing(&scope()), &secure(), 0, false);
    let told = lines(&teardown(&secure(), &world));
    let expected = [
        "2 - listener skyfox-devprod-external-80",
        "3 - listener skyfox-devprod-external-443",
        "4 - load balancer skyfox-devprod-external after 2 3",
    ];
    assert_eq!(told[2..5], expected);
}
