//! Three hundred tasks on a hundred instances, all of them real servers behind one load balancer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::stack::{Spec, Stack, forward};
use skydeck_sandbox::Image;

#[tokio::test]
async fn three_hundred_tasks_run_on_a_hundred_instances() {
    let mut stack = Stack::at_speed(50.0, 100, 100, true).await;
    let spec = Spec { percents: (125, 75), ..Spec::payment() };
    let group = stack.target_group(&spec).await;
    let (_, dns) = stack.balancer("b", false, forward(&group)).await;
    stack.repository(&spec).await;
    stack.release(&spec, "v1", &Image::new("1")).await;
    stack.serve(&spec, 300).await;
    stack.stable(&spec).await;
    common::until("health", || async { stack.healthy(&spec).await == 300 }).await;
    assert_eq!(stack.ask(false, "GET", &format!("http://{dns}/pshealth")).await.unwrap().0, 200);
    // Three on each: spread, and none of them is packed.
    let listed = stack.ecs.list_container_instances().cluster("c").send().await.unwrap();
    let described = stack.ecs.describe_container_instances().cluster("c");
    let described = described.set_container_instances(listed.container_instance_arns).send().await.unwrap();
    assert_eq!(described.container_instances().len(), 100);
    assert!(described.container_instances().iter().all(|instance| instance.running_tasks_count() == 3));
    // Of what was asked of AWS, nothing was asked by the sandbox itself.
    assert!(stack.sandbox.calls().iter().all(|call| call.caller == "skydeck-test"));
    // Each task was placed once, and each target probed about as often as its interval says.
    let work = stack.sandbox.work();
    assert_eq!(work.placements, 300, "{work:?}");
    assert!(work.probes >= 300 && work.probes < 300 * 40, "{work:?}");
}
