//! Instance refreshes, as the real SDK clients see them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_sdk_autoscaling::error::ProvideErrorMetadata;
use aws_sdk_autoscaling::types::{InstanceRefresh, InstanceRefreshStatus, RefreshPreferences};
use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
use aws_sdk_ssm::Client as Ssm;
use common::stack::{Spec, Stack, forward};
use skydeck_sandbox::Image;

const AMI: &str = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";

/// A service on two instances behind a load balancer, and another version of the launch template; its DNS name.
async fn serving() -> (Stack, Spec, String) {
    let mut stack = Stack::new(2, 2, true).await;
    let mut spec = Spec::backend();
    spec.environment = vec![("MOVIE_SERVICE_URL".into(), "http://x".into())];
    let group = stack.target_group(&spec).await;
    let (_, name) = stack.balancer("external", false, forward(&group)).await;
    stack.repository(&spec).await;
    stack.release(&spec, "v1", &Image::new("1")).await;
    stack.serve(&spec, 2).await;
    stack.stable(&spec).await;
    common::until("health", || async { stack.healthy(&spec).await == 2 }).await;
    let data = RequestLaunchTemplateData::builder().instance_type(InstanceType::T4gMedium).build();
    let version =
        aws_sdk_ec2::Client::new(&stack.config).create_launch_template_version().launch_template_name("template");
    version.source_version("1").launch_template_data(data).send().await.unwrap();
    (stack, spec, name)
}

async fn start(stack: &Stack) -> Result<(), Option<String>> {
    let preferences = RefreshPreferences::builder().min_healthy_percentage(100).max_healthy_percentage(110);
    let preferences = preferences.instance_warmup(120).skip_matching(true).build();
    let start = stack.asg.start_instance_refresh().auto_scaling_group_name("g").preferences(preferences);
    start.send().await.map(drop).map_err(|error| error.code().map(str::to_owned))
}

async fn last(stack: &Stack) -> InstanceRefresh {
    let found = stack.asg.describe_instance_refreshes().auto_scaling_group_name("g").max_records(1);
    found.send().await.unwrap().instance_refreshes.unwrap().remove(0)
}

/// Types and versions of the instances that stay.
async fn instances(stack: &Stack) -> Vec<(String, String)> {
    let found = stack.asg.describe_auto_scaling_groups().send().await.unwrap();
    let staying = found.auto_scaling_groups()[0].instances().iter();
    let staying = staying.filter(|instance| !instance.lifecycle_state().unwrap().as_str().starts_with("Terminating"));
    let text = |text: Option<&str>| text.unwrap().to_owned();
    staying.map(|i| (text(i.instance_type()), text(i.launch_template().unwrap().version()))).collect()
}

#[tokio::test]
async fn a_refresh_replaces_all_instances_and_no_request_fails() {
    let (stack, spec, name) = serving().await;
    let begun = stack.sandbox.clock().now();
    start(&stack).await.unwrap();
    assert_eq!(start(&stack).await, Err(Some("InstanceRefreshInProgress".into())));
    let mut most = 0;
    let mut refresh = last(&stack).await;
    assert!(matches!(refresh.status(), Some(InstanceRefreshStatus::Pending | InstanceRefreshStatus::InProgress)));
    assert_eq!((refresh.instances_to_update(), refresh.percentage_complete()), (Some(2), Some(0)));
    let started = std::time::Instant::now();
    while refresh.end_time().is_none() {
        assert!(started.elapsed().as_secs() < 60, "{refresh:?}");
        let answer = stack.ask(false, "GET", &format!("http://{name}/health")).await;
        assert_eq!(answer.map(|(status, _)| status), Some(200));
        most = most.max(instances(&stack).await.len());
        refresh = last(&stack).await;
    }
    assert_eq!(
        (refresh.status(), refresh.percentage_complete()),
        (Some(&InstanceRefreshStatus::Successful), Some(100))
    );
    let new = ("t4g.medium".to_owned(), "2".to_owned());
    assert_eq!(instances(&stack).await, [new.clone(), new]);
    assert_eq!(most, 3, "one more than the group's largest size, while one is replaced");
    let history = stack.sandbox.target_history(&stack.groups[spec.name]);
    assert!(history.fewest_healthy(begun) >= 2, "{history:?}");

    // Once more there is nothing that does not match.
    start(&stack).await.unwrap();
    common::until("the end", || async { last(&stack).await.end_time().is_some() }).await;
    assert_eq!(last(&stack).await.instances_to_update(), Some(0));
}

#[tokio::test]
async fn a_cancelled_refresh_leaves_what_it_has_replaced() {
    let (stack, ..) = serving().await;
    let cancel = || stack.asg.cancel_instance_refresh().auto_scaling_group_name("g").send();
    assert_eq!(cancel().await.unwrap_err().code(), Some("ActiveInstanceRefreshNotFound"));
    start(&stack).await.unwrap();
    common::until("a new instance", || async { instances(&stack).await.len() == 3 }).await;
    cancel().await.unwrap();
    let cancelled = last(&stack).await;
    assert_eq!((cancelled.status(), cancelled.end_time().is_some()), (Some(&InstanceRefreshStatus::Cancelled), true));
    assert_eq!(instances(&stack).await.len(), 2);
}

#[tokio::test]
async fn wrong_percentages_are_refused() {
    let sandbox = Stack::new(0, 2, false).await;
    for (min, max) in [(Some(101), None), (None, Some(110)), (Some(100), Some(99)), (Some(0), Some(101))] {
        let preferences = RefreshPreferences::builder().set_min_healthy_percentage(min).set_max_healthy_percentage(max);
        let start = sandbox.asg.start_instance_refresh().auto_scaling_group_name("g");
        let refused = start.preferences(preferences.build()).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("ValidationError"), "{min:?} {max:?}");
    }
    // Two of them by the model alone: 101 and 99 are out of range.
    assert_eq!(sandbox.sandbox.expect_refused().len(), 2);
}

#[tokio::test]
async fn the_recommended_image_can_be_moved() {
    let sandbox = common::sandbox().await;
    let ssm = Ssm::new(&common::person(&sandbox).await);
    let now = async || ssm.get_parameter().name(AMI).send().await.unwrap().parameter.unwrap().value.unwrap();
    assert_ne!(now().await, "ami-0123456789abcdef0");
    sandbox.recommend_ami("ami-0123456789abcdef0").unwrap();
    assert_eq!(now().await, "ami-0123456789abcdef0");
}
