//! Placement on its own.

use serde_json::json;

use super::*;

fn node(id: &str, zone: &str) -> Node {
    let attributes = BTreeMap::from([("ecs.availability-zone".to_owned(), zone.to_owned())]);
    let arn = format!("arn:aws:ecs:r:a:container-instance/c/{id}");
    Node { id: id.into(), arn, attributes, cpu: 2048, memory: 1846, ..Node::default() }
}

fn need(memory: i64) -> Need {
    let port = Port { container: 8080, host: 0, protocol: "tcp".into() };
    Need { cpu: 100, memory, ports: vec![("app".into(), port)] }
}

fn place(
    nodes: &mut [Node],
    need: &Need,
    constraints: &[Constraint],
    strategies: &[Strategy],
) -> Result<String, Blocked> {
    let ask = Ask { need, group: "service:s", provider: None, constraints, strategies, seed: 7 };
    let chosen = choose(nodes, &ask)?;
    nodes[chosen].take(need, "service:s");
    Ok(nodes[chosen].id.clone())
}

#[test]
fn tasks_are_spread_over_zones_and_then_instances() {
    let mut nodes = [node("a1", "a"), node("a2", "a"), node("b1", "b")];
    let spread = read(None, None).1;
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(place(&mut nodes, &need(100), &[], &spread).unwrap());
    }
    assert_eq!(order, ["a1", "b1", "a2", "b1"]);
}

#[test]
fn binpack_fills_one_instance_first() {
    let mut nodes = [node("a1", "a"), node("b1", "b")];
    nodes[1].memory -= 10;
    let (_, strategies) = read(None, Some(&json!([{ "type": "binpack", "field": "memory" }])));
    for _ in 0..3 {
        assert_eq!(place(&mut nodes, &need(500), &[], &strategies).unwrap(), "b1");
    }
    assert_eq!(place(&mut nodes, &need(500), &[], &strategies).unwrap(), "a1");
}

#[test]
fn constraints_hold() {
    let mut nodes = [node("a1", "a"), node("b1", "b")];
    let given = json!([{ "type": "distinctInstance" }]);
    let (distinct, strategies) = read(Some(&given), None);
    assert!(place(&mut nodes, &need(1), &distinct, &strategies).is_ok());
    assert!(place(&mut nodes, &need(1), &distinct, &strategies).is_ok());
    let blocked = place(&mut nodes, &need(1), &distinct, &strategies).unwrap_err();
    assert!(blocked.text().ends_with("does not satisfy a placement constraint."), "{}", blocked.text());
    let member = [Constraint::MemberOf("attribute:ecs.availability-zone == b".into())];
    assert_eq!(place(&mut nodes, &need(1), &member, &strategies).unwrap(), "b1");
    let nowhere = [Constraint::MemberOf("attribute:ecs.availability-zone in [x, y]".into())];
    assert!(!place(&mut nodes, &need(1), &nowhere, &strategies).unwrap_err().helped_by_capacity());
}

#[test]
fn what_is_missing_is_told_of_the_closest_instance() {
    let mut nodes = [node("a1", "a"), node("b1", "b")];
    nodes[0].memory = 10;
    nodes[1].memory = 20;
    let blocked = place(&mut nodes, &need(819), &[], &[]).unwrap_err();
    assert_eq!(blocked.text(), "The closest matching (container-instance b1) has insufficient memory available.");
    assert_eq!(place(&mut [], &need(1), &[], &[]).unwrap_err(), Blocked::NoInstances);
    let mut fixed = need(1);
    fixed.ports[0].1.host = 80;
    place(&mut nodes[..1], &fixed, &[], &[]).unwrap();
    let blocked = place(&mut nodes[..1], &fixed, &[], &[]).unwrap_err();
    assert!(blocked.text().ends_with("is already using a port required by your task."));
}

#[test]
fn dynamic_ports_are_unique_and_go_round() {
    let mut node = node("a", "a");
    let first = node.take(&need(1), "g")[0].1.host;
    let second = node.take(&need(1), "g")[0].1.host;
    assert_eq!((first, second), (32768, 32769));
    node.ports.remove(&first);
    assert_eq!(node.take(&need(1), "g")[0].1.host, 32770);
    node.next_port = 60999;
    assert_eq!(node.take(&need(1), "g")[0].1.host, 60999);
    assert_eq!(node.take(&need(1), "g")[0].1.host, 32768);
}
