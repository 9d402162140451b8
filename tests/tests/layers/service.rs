//! Task definitions and services.

use skydeck_aws::layer::balancer::Balancer;
use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::network::Network;
use skydeck_aws::layer::service::Service;
use skydeck_core::outputs::Outputs;
use skydeck_core::run::Mode;

use super::ground::ground;
use super::harness::{apply, destroy, emulators, repair, rest, run, sandbox};

#[tokio::test]
async fn services_come_without_tasks_stay_are_repaired_and_go() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = ground("lservice", &emulator).await;
        apply::<Balancer>(&emulator, &mut scope).await;
        apply::<Cluster>(&emulator, &mut scope).await;
        // Somebody else's family, with a name that begins like ours.
        let container = aws_sdk_ecs::types::ContainerDefinition::builder().name("legacy").image("legacy").memory(64);
        let request = clients.ecs().register_task_definition().family(scope.name("legacy"));
        let foreign = request.container_definitions(container.build()).send().await.unwrap();
        let foreign = foreign.task_definition().unwrap().task_definition_arn().unwrap().to_owned();

        scope.platform.services.get_mut("movie").unwrap().no_new_privileges = true;
        let changes = apply::<Service>(&emulator, &mut scope).await.changes.len();
        // Moto keeps of a creation less than of an update, so that it takes one of each.
        assert!(changes == 6 || emulator.name == "moto", "{changes} changes");
        let facts = scope.facts.service.clone().unwrap();
        assert_eq!(facts.service_arns.len(), 3, "{}", emulator.name);
        assert_eq!(facts.task_definition_arns.len(), 3);
        for (service, options) in [("movie", &["no-new-privileges"][..]), ("payment", &[])] {
            let request = clients.ecs().describe_task_definition();
            let found = request.task_definition(&facts.task_definition_arns[service]).send().await.unwrap();
            let container = found.task_definition().unwrap().container_definitions()[0].clone();
            assert_eq!(container.docker_security_options(), options, "{}", emulator.name);
        }
        assert_eq!(Outputs::of(&scope).environments["movie"]["LOG_LEVEL"], "info");

        let cluster = scope.prefix();
        let update = clients.ecs().update_service().cluster(&cluster).service("movie");
        update.health_check_grace_period_seconds(1).send().await.unwrap();
        repair::<Service>(&emulator, &scope, "grace_seconds").await;

        // What awaits its first image is made anew with it, and until then left as it is.
        scope.platform.services.get_mut("movie").unwrap().cpu = 128;
        let changed = run::<Service>(&emulator, &scope, Mode::Apply).await;
        assert_eq!(changed.changes.len(), 0, "{}: {:?}", emulator.name, changed.changes);
        rest::<Service>(&emulator, &scope, Mode::Apply).await;

        destroy::<Service>(&emulator, &scope).await;
        let left = clients.ecs().list_task_definitions().family_prefix(scope.name("legacy")).send().await.unwrap();
        assert_eq!(left.task_definition_arns(), std::slice::from_ref(&foreign), "{}", emulator.name);
        clients.ecs().deregister_task_definition().task_definition(&foreign).send().await.unwrap();
        destroy::<Cluster>(&emulator, &scope).await;
        destroy::<Balancer>(&emulator, &scope).await;
        destroy::<Network>(&emulator, &scope).await;
    }
}

#[tokio::test]
async fn revisions_are_read_when_they_go_and_of_a_family_that_stays_only_the_last() {
    const REVISIONS: usize = 5;
    let emulator = sandbox().await;
    let ecs = emulator.clients.ecs();
    let mut scope = ground("lrevisions", &emulator).await;
    apply::<Balancer>(&emulator, &mut scope).await;
    apply::<Cluster>(&emulator, &mut scope).await;
    apply::<Service>(&emulator, &mut scope).await;
    let services = scope.platform.services.len();
    let asked = |since: Option<u64>, action: &str| {
        let calls = emulator.calls_since(since).unwrap();
        calls.iter().filter(|call| call.action == action).count()
    };

    let before = emulator.last_call();
    rest::<Service>(&emulator, &scope, Mode::Apply).await;
    assert_eq!(asked(before, "ListTaskDefinitions"), services, "the last active ones of each, once");

    let arn = scope.facts.service.as_ref().unwrap().task_definition_arns["movie"].clone();
    let found = ecs.describe_task_definition().task_definition(&arn).include("TAGS".into()).send().await.unwrap();
    let (tags, found) = (found.tags().to_vec(), found.task_definition().unwrap());
    for _ in 0..REVISIONS {
        let again = ecs.register_task_definition().family(found.family().unwrap());
        let again = again.set_container_definitions(Some(found.container_definitions().to_vec()));
        let again = again.set_execution_role_arn(found.execution_role_arn().map(Into::into));
        again.set_tags(Some(tags.clone())).send().await.unwrap();
    }
    let before = emulator.last_call();
    destroy::<Service>(&emulator, &scope).await;
    // However long tasks take to stop: four looks when no service is left, each of both statuses. One sees it, one deletes
    // them, one sees that they are gone, and the second destroy sees it too.
    let (listed, described) = (asked(before, "ListTaskDefinitions"), asked(before, "DescribeTaskDefinition"));
    assert!(listed <= 8 * services && described <= 2 * services, "{listed} lists, {described} descriptions");
}
