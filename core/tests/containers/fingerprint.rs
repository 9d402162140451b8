//! What a plan knows a world again by: what moves by itself is not in it, everything else is.

use skydeck_core::layer::{balancer, service};
use skydeck_core::plan::fingerprint;

use crate::fixture::scope;
use crate::{balancer_world, cluster, refresh, service_world};

#[test]
fn what_autoscaling_and_aws_move_by_themselves_leaves_a_world_what_it_was() {
    let world = cluster::standing();
    let mut moved = world.clone();
    let (group, found) = (moved.group.as_mut().unwrap(), moved.cluster.as_mut().unwrap());
    group.desired += 1;
    group.instances.pop();
    group.refresh = refresh::refresh("InProgress");
    (found.services, found.busy) = (found.services + 1, true);
    moved.provider.as_mut().unwrap().busy = true;
    assert_ne!(world, moved);
    assert_eq!(fingerprint(&world), fingerprint(&moved));

    let world = service_world::standing();
    let mut moved = world.clone();
    let backend: &mut service::Service = moved.services.get_mut("backend").unwrap();
    (backend.tasks, backend.desired) = (7, 7);
    assert_eq!(fingerprint(&world), fingerprint(&moved));

    let world = balancer_world::standing(&scope());
    let moved = balancer::World { probe_busy: true, ..world.clone() };
    assert_eq!(fingerprint(&world), fingerprint(&moved));
}

#[test]
fn what_is_set_is_part_of_it() {
    let world = cluster::standing();
    let mut moved = world.clone();
    moved.group.as_mut().unwrap().settings.max += 1;
    assert_ne!(fingerprint(&world), fingerprint(&moved));
    let world = service_world::standing();
    let mut moved = world.clone();
    moved.services.get_mut("backend").unwrap().tags.insert("somebody".into(), "else".into());
    assert_ne!(fingerprint(&world), fingerprint(&moved));
}
