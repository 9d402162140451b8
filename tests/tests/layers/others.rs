//! What runs is not what the platform file says, in ways that no file can say: told as drift.

use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use aws_sdk_ecs::types::{ContainerDefinition, Tag, TaskDefinition, Ulimit, Volume};
use skydeck_aws::layer::balancer::Balancer;
use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::service::Service;
use skydeck_core::Scope;
use skydeck_core::run::Mode;

use super::ground::ground;
use super::harness::{Emulator, apply, run, sandbox};
use super::registry::MANIFEST;

/// The service whose task definition a person changes.
const SERVICE: &str = "movie";

#[tokio::test]
async fn what_a_task_definition_says_beside_the_file_is_told() {
    let (emulator, scope) = standing("lothers").await;
    let image = format!("sha256:{}", "5".repeat(64));
    let cases: [(&str, &[&str]); 4] = [
        ("nothing", &[]),
        ("container", &["memoryReservation", "privileged", "stopTimeout", "user"]),
        ("task", &["command", "container agent", "dockerLabels", "volumes"]),
        ("lists", &["readonlyRootFilesystem", "ulimits"]),
    ];
    for (case, wanted) in cases {
        let (container, beside, volumes) = changed(case);
        put(&emulator, &scope, &image, container, (beside, volumes)).await;
        let seen = run::<Service>(&emulator, &scope, Mode::Plan).await;
        let attributes = seen.rollouts.iter().filter(|rollout| rollout.service == SERVICE);
        let attributes = attributes.flat_map(|rollout| &rollout.description.attributes);
        let told: Vec<_> =
            attributes.filter(|attribute| attribute.name.starts_with("task_definition.others")).collect();
        let text = format!("{told:?}");
        assert!(
            told.is_empty() == wanted.is_empty() && wanted.iter().all(|name| text.contains(name)),
            "{case}: {text}"
        );
        let count = text.matches('"').count() / 2;
        assert!(count <= 2 * wanted.len() + told.len(), "{case}: {text}");
    }
}

#[tokio::test]
async fn an_image_that_runs_and_was_deleted_is_told() {
    let (emulator, scope) = standing("llost").await;
    let (ecr, repository) = (emulator.clients.ecr(), scope.name(&scope.platform.services[SERVICE].repository));
    ecr.create_repository().repository_name(&repository).send().await.unwrap();
    let pushed = ecr.put_image().repository_name(&repository).image_manifest(MANIFEST).image_tag("v1").send().await;
    let id = pushed.unwrap().image.unwrap().image_id.unwrap();
    let image = id.image_digest().unwrap().to_owned();
    put(&emulator, &scope, &image, |own| own, (None, None)).await;
    let warnings = async || run::<Service>(&emulator, &scope, Mode::Plan).await.warnings;
    assert_eq!(warnings().await, Vec::<String>::new());

    let by_digest = aws_sdk_ecr::types::ImageIdentifier::builder().image_digest(&image).build();
    ecr.batch_delete_image().repository_name(&repository).image_ids(by_digest).send().await.unwrap();
    let told = warnings().await;
    assert!(
        told.len() == 1 && told[0].starts_with(&format!("service {SERVICE} runs image {}", &image[..19])),
        "{told:?}"
    );
}

async fn standing(name: &str) -> (Emulator, Scope) {
    let emulator = sandbox().await;
    let mut scope = ground(name, &emulator).await;
    apply::<Balancer>(&emulator, &mut scope).await;
    apply::<Cluster>(&emulator, &mut scope).await;
    apply::<Service>(&emulator, &mut scope).await;
    (emulator, scope)
}

type With = fn(ContainerDefinitionBuilder) -> ContainerDefinitionBuilder;

/// What a person adds: to the container, beside it, and to the task.
fn changed(case: &str) -> (With, Option<ContainerDefinition>, Option<Vec<Volume>>) {
    match case {
        "container" => (|own| own.stop_timeout(120).privileged(true).user("nobody").memory_reservation(32), None, None),
        "task" => {
            let agent = ContainerDefinition::builder().name("agent").image("agent").memory(64).build();
            let volume = Volume::builder().name("data").build();
            (|own| own.command("serve").docker_labels("a", "b"), Some(agent), Some(vec![volume]))
        }
        "lists" => {
            let with: With = |own| {
                let limit = Ulimit::builder().name("nofile".into()).soft_limit(1024).hard_limit(4096);
                own.ulimits(limit.build().unwrap()).readonly_root_filesystem(true).privileged(false)
            };
            (with, None, None)
        }
        _ => (|own| own, None, None),
    }
}

/// Registers the service's task definition with a person's changes, and gives it to the service.
async fn put(
    emulator: &Emulator,
    scope: &Scope,
    digest: &str,
    with: With,
    (beside, volumes): (Option<ContainerDefinition>, Option<Vec<Volume>>),
) {
    let ecs = emulator.clients.ecs();
    let arn = &scope.facts.service.as_ref().unwrap().task_definition_arns[SERVICE];
    let answer = ecs.describe_task_definition().task_definition(arn).include("TAGS".into()).send().await.unwrap();
    let tags: Vec<Tag> = answer.tags().to_vec();
    let found: &TaskDefinition = answer.task_definition().unwrap();
    let own = &found.container_definitions()[0];
    let image = own.image().unwrap().rsplit_once(':').unwrap().0;
    let copy = ContainerDefinition::builder()
        .name(own.name().unwrap())
        .image(format!("{image}@{digest}"))
        .cpu(own.cpu())
        .set_memory(own.memory())
        .set_essential(own.essential())
        .set_port_mappings(Some(own.port_mappings().to_vec()))
        .set_environment(Some(own.environment().to_vec()))
        .set_secrets(Some(own.secrets().to_vec()))
        .set_log_configuration(own.log_configuration().cloned())
        .set_health_check(own.health_check().cloned());
    let mut containers = vec![with(copy).build()];
    containers.extend(beside);
    let request = ecs.register_task_definition().family(found.family().unwrap()).set_tags(Some(tags));
    let request = request.set_network_mode(found.network_mode().cloned()).set_volumes(volumes);
    let request = request.set_requires_compatibilities(Some(found.requires_compatibilities().to_vec()));
    let request = request.set_runtime_platform(found.runtime_platform().cloned());
    let request = request.set_execution_role_arn(found.execution_role_arn().map(Into::into));
    let request = request.set_task_role_arn(found.task_role_arn().map(Into::into));
    let made = request.set_container_definitions(Some(containers)).send().await.unwrap();
    let made = made.task_definition().unwrap().task_definition_arn().unwrap();
    let update = ecs.update_service().cluster(scope.prefix()).service(SERVICE).task_definition(made);
    update.send().await.unwrap();
}
