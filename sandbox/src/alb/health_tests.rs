//! Health on its own.

use super::super::words;
use super::*;

fn group(used: bool) -> TargetGroup {
    TargetGroup {
        arn: "tg".into(),
        port: 80,
        check_port: None,
        path: "/health".into(),
        interval: 30.0,
        timeout: 5.0,
        healthy: 2,
        unhealthy: 2,
        matcher: "200".into(),
        enabled: true,
        used,
        delay: 30.0,
    }
}

fn table(used: bool) -> (Table, Target) {
    let mut table = Table::default();
    table.adopt(&HashMap::from([("tg".to_owned(), group(used))]));
    let target = Target { group: "tg".into(), id: "i-1".into(), port: 32768 };
    table.register(0.0, &target);
    (table, target)
}

fn told(table: &Table) -> (&'static str, Option<&'static str>) {
    let (_, entry) = table.of("tg").next().unwrap();
    let (state, reason) = words::health(entry, table.group("tg").unwrap().used);
    (state, reason.map(|(code, _)| code))
}

#[test]
fn a_target_becomes_healthy_sick_and_well_again() {
    let (mut table, target) = table(true);
    assert_eq!(told(&table), ("initial", Some("Elb.RegistrationInProgress")));
    assert_eq!(table.due(0.0).len(), 1);
    assert!(table.due(0.0).is_empty());
    assert!(!table.probed(1.0, &target, Outcome::Failed));
    assert_eq!(told(&table), ("initial", Some("Elb.InitialHealthChecking")));
    assert!(table.due(29.0).is_empty());
    assert_eq!(table.next(), 30.0);
    assert_eq!(table.due(30.0).len(), 1);
    assert!(table.probed(1.0, &target, Outcome::Code(200)));
    assert_eq!(told(&table), ("healthy", None));
    assert!(table.is_healthy(&target));
    table.probed(1.0, &target, Outcome::Code(404));
    assert_eq!(told(&table).0, "healthy");
    table.probed(1.0, &target, Outcome::Code(404));
    assert_eq!(told(&table), ("unhealthy", Some("Target.ResponseCodeMismatch")));
    assert_eq!(table.complaint(&target).unwrap(), "Health checks failed with these codes: [404]");
    // Where none is healthy, requests go to all.
    assert_eq!(table.open("tg").len(), 1);
    table.probed(1.0, &target, Outcome::Code(200));
    assert_eq!(told(&table).0, "unhealthy");
    table.probed(1.0, &target, Outcome::Code(200));
    assert_eq!(told(&table).0, "healthy");
}

#[test]
fn a_target_drains_and_goes() {
    let (mut table, target) = table(true);
    table.deregister(100.0, &target);
    assert_eq!(told(&table), ("draining", Some("Target.DeregistrationInProgress")));
    assert!(table.open("tg").is_empty());
    table.due(129.0);
    assert!(table.knows(&target));
    table.due(130.0);
    assert!(!table.knows(&target));
}

#[test]
fn a_group_that_nothing_forwards_to_is_unused() {
    let (mut table, target) = table(false);
    assert_eq!(told(&table), ("unused", Some("Target.NotInUse")));
    assert!(table.due(0.0).is_empty());
    // Nothing probes it, so that a deployment waits for ever.
    assert!(!table.is_healthy(&target));
}

#[test]
fn matchers_accept_lists_and_ranges() {
    assert!(accepts("200", 200) && !accepts("200", 201));
    assert!(accepts("200,202", 202) && accepts("200-299", 250) && !accepts("200-299", 300));
}
