//! Room that will not come, and all that looks like it.

use skydeck_core::placement::Room;
use skydeck_core::rollout::room::{Activity, Cluster};

const TASK: Room = Room { cpu: 400, memory: 700 };

/// Two full instances and a service that waits for a task.
fn full() -> Cluster {
    let left = |id: &str| (id.to_owned(), Room { cpu: 1000, memory: 699 });
    Cluster {
        group: ["i-1".into(), "i-2".into()].into(),
        left: [left("i-1"), left("i-2")].into(),
        starting: 0,
        services: vec![Activity { desired: 2, running: 2, newest: 0, deployments: 2 }],
    }
}

fn with<T>(spoil: impl FnOnce(&mut Cluster) -> T) -> bool {
    let mut cluster = full();
    spoil(&mut cluster);
    cluster.is_full(TASK)
}

#[test]
fn a_cluster_is_full_where_nothing_moves_and_nothing_holds_the_task() {
    assert!(full().is_full(TASK));
    assert!(!full().is_full(Room { memory: 699, ..TASK }), "it fits");
    assert!(with(|cluster| cluster.services[0].deployments = 1));
    assert!(with(|cluster| cluster.services[0].running = 1), "it lacks a task, which is no room for another");
}

#[test]
fn room_may_still_come() {
    assert!(!with(|cluster| cluster.left.remove("i-2")), "an instance has not joined the cluster, or drains");
    assert!(!with(|cluster| cluster.left.insert("i-3".into(), TASK)), "one of no group has room");
    assert!(!with(|cluster| cluster.starting = 1), "a task starts, and an old one may stop for it");
    assert!(!with(|cluster| cluster.services[0].newest = 1), "a rollout is on its way");
    assert!(!with(|cluster| cluster.services[0].running = 3), "a task is to go");
}
