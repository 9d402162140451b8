//! Looks of an acceptance run's own at what AWS says, beside what skydeck reads.

use std::time::{Duration, Instant};

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::{DesiredStatus, TaskField};
use serde_json::Value;
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Error, Result};

use super::image::Image;
use super::plan::{PREFIX, REPOSITORY, SERVICE};
use super::seen::{Answer, Associated, Registered, Sample, Stopped, Task};
use crate::context::Account;

/// Between two looks at what goes on.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// The pattern of the rule for pushes.
pub(super) async fn push_rule(clients: &Clients) -> Result<Value> {
    let rule =
        clients.events().describe_rule().name("skydeck-push").send().await.during("read rule", "skydeck-push")?;
    Ok(rule.event_pattern().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
}

/// Associates the platform's route table once more with a subnet that it is associated with.
pub(super) async fn association(clients: &Clients, vpc: &str) -> Result<Associated> {
    let ours = aws_sdk_ec2::types::Filter::builder().name("vpc-id").values(vpc).build();
    let tables =
        clients.ec2().describe_route_tables().filters(ours).send().await.during("list route tables of", vpc)?;
    let all = tables.route_tables().iter().flat_map(|table| table.associations());
    let found = all
        .filter_map(|found| Some((found.route_table_association_id()?, found.route_table_id()?, found.subnet_id()?)))
        .next();
    let (had, table, subnet) = found.ok_or_else(|| Error::Broken(format!("no subnet of {vpc} has a route table")))?;
    let again = clients.ec2().associate_route_table().route_table_id(table).subnet_id(subnet).send().await;
    let again = again.during("associate once more", table).map(|told| told.association_id.unwrap_or_default());
    Ok(Associated { had: had.to_owned(), again: Answer::of(again)? })
}

/// Asks for an image's configuration as if it were a layer. The address is a secret for an hour, and is not kept.
pub(super) async fn configuration(clients: &Clients, image: &Image) -> Result<Answer> {
    let request = clients.ecr().get_download_url_for_layer().repository_name(REPOSITORY);
    let lent =
        request.layer_digest(image.configuration()).send().await.during("ask for a configuration of", REPOSITORY);
    Answer::of(lent.map(|lent| if lent.download_url().is_some() { "an address" } else { "no address" }.to_owned()))
}

/// When an image was pushed, in seconds since 1970, and how many tags it has.
pub(super) async fn pushed(clients: &Clients, digest: &str) -> Result<(f64, usize)> {
    let id = ImageIdentifier::builder().image_digest(digest).build();
    let found = clients.ecr().describe_images().repository_name(REPOSITORY).image_ids(id).send().await;
    let found = found.during("describe an image of", REPOSITORY)?;
    let image = found.image_details().first().ok_or_else(|| Error::Broken(format!("ECR tells nothing of {digest}")))?;
    Ok((image.image_pushed_at().map_or(0.0, aws_sdk_ecr::primitives::DateTime::as_secs_f64), image.image_tags().len()))
}

/// What an instance has registered with the cluster.
pub(super) async fn registered(clients: &Clients) -> Result<Registered> {
    let ecs = clients.ecs();
    let listed = ecs.list_container_instances().cluster(PREFIX).send().await.during("list instances of", PREFIX)?;
    let request = ecs.describe_container_instances().cluster(PREFIX);
    let request = request.set_container_instances(Some(listed.container_instance_arns().to_vec()));
    let found = request.send().await.during("describe instances of", PREFIX)?;
    let instance = found.container_instances().first();
    let instance = instance.ok_or_else(|| Error::Broken(format!("cluster {PREFIX} has no instance")))?;
    let amount = |name: &str| {
        let all = instance.registered_resources().iter();
        all.filter(|resource| resource.name() == Some(name)).map(|resource| resource.integer_value()).sum()
    };
    let kind = instance.attributes().iter().find(|attribute| attribute.name() == "ecs.instance-type");
    let kind = kind.and_then(|attribute| attribute.value()).unwrap_or_default().to_owned();
    Ok(Registered { kind, cpu: amount("CPU"), memory: amount("MEMORY") })
}

/// The service's tasks that run, with the digest that each is of.
async fn running(clients: &Clients) -> Result<Vec<aws_sdk_ecs::types::Task>> {
    let request =
        clients.ecs().list_tasks().cluster(PREFIX).service_name(SERVICE).desired_status(DesiredStatus::Running);
    let listed = request.send().await.during("list tasks of", SERVICE)?.task_arns.unwrap_or_default();
    let tasks = described(clients, listed).await?;
    Ok(tasks.into_iter().filter(|task| task.last_status() == Some("RUNNING")).collect())
}

async fn described(clients: &Clients, arns: Vec<String>) -> Result<Vec<aws_sdk_ecs::types::Task>> {
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let request = clients.ecs().describe_tasks().cluster(PREFIX).set_tasks(Some(arns)).include(TaskField::Tags);
    Ok(request.send().await.during("describe tasks of", SERVICE)?.tasks.unwrap_or_default())
}

fn is_of(task: &aws_sdk_ecs::types::Task, digest: &str) -> bool {
    task.containers().iter().any(|container| container.image().is_some_and(|image| image.ends_with(digest)))
}

/// The ARNs of the tasks of an image that run.
pub(super) async fn tasks_of(clients: &Clients, digest: &str) -> Result<Vec<String>> {
    let tasks = running(clients).await?.into_iter().filter(|task| is_of(task, digest));
    Ok(tasks.filter_map(|task| task.task_arn).collect())
}

/// A task of an image that serves.
pub(super) async fn task(clients: &Clients, image: &Image) -> Result<Task> {
    let (pushed, child) = (image.digest(), image.child());
    let tasks = running(clients).await?;
    let task = tasks.iter().find(|task| is_of(task, &pushed));
    let task = task.ok_or_else(|| Error::Broken(format!("no task of {pushed} runs")))?;
    let told = task.containers().first().and_then(|container| container.image_digest()).unwrap_or_default().to_owned();
    let tags = task.tags().iter().filter_map(|tag| tag.key().map(ToOwned::to_owned)).collect();
    Ok(Task { pushed, child, told, tags })
}

/// So long a lost instance may take until ECS tells of its tasks.
const LOSS: Duration = Duration::from_secs(30 * 60);

/// Terminates the instances of a group, and waits until a task of them has stopped.
pub(super) async fn lose_an_instance(clients: &Clients, group: &str) -> Result<Stopped> {
    let tasks: Vec<String> = running(clients).await?.into_iter().filter_map(|task| task.task_arn).collect();
    let instances = instances(clients, group).await?;
    let request = clients.ec2().terminate_instances().set_instance_ids(Some(instances));
    request.send().await.during("terminate instances of", group)?;
    let begun = Instant::now();
    loop {
        let all = described(clients, tasks.clone()).await?;
        if let Some(task) = all.iter().find(|task| task.last_status() == Some("STOPPED")) {
            let code = task.stop_code().map(|code| code.as_str().to_owned()).unwrap_or_default();
            return Ok(Stopped { code, reason: task.stopped_reason().unwrap_or_default().to_owned() });
        }
        if begun.elapsed() > LOSS {
            return Err(Error::Broken(format!("no task has stopped in {} minutes", LOSS.as_secs() / 60)));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The ids of a group's instances.
pub(super) async fn instances(clients: &Clients, group: &str) -> Result<Vec<String>> {
    let found = self::group(clients, group).await?;
    Ok(found.instances().iter().filter_map(|instance| instance.instance_id().map(ToOwned::to_owned)).collect())
}

async fn group(clients: &Clients, name: &str) -> Result<aws_sdk_autoscaling::types::AutoScalingGroup> {
    let request = clients.autoscaling().describe_auto_scaling_groups().auto_scaling_group_names(name);
    let found = request.send().await.during("describe Auto Scaling group", name)?.auto_scaling_groups;
    let group = found.unwrap_or_default().into_iter().next();
    group.ok_or_else(|| Error::Broken(format!("there is no Auto Scaling group {name}")))
}

/// A group's instance refresh now, where it has one; `before` are the instances from before it.
pub(super) async fn refresh(clients: &Clients, name: &str, before: &[String]) -> Result<Option<Sample>> {
    let request = clients.autoscaling().describe_instance_refreshes().auto_scaling_group_name(name).max_records(1);
    let found = request.send().await.during("describe instance refreshes of", name)?;
    let Some(refresh) = found.instance_refreshes().first() else { return Ok(None) };
    let status = refresh.status().map(|status| status.as_str().to_owned()).unwrap_or_default();
    let group = group(clients, name).await?;
    let ends = |instance: &&aws_sdk_autoscaling::types::Instance| {
        instance.lifecycle_state().is_some_and(|state| state.as_str().starts_with("Terminat"))
    };
    let is_old = |id: &str| before.iter().any(|known| known == id);
    let old = group.instances().iter().filter(|instance| instance.instance_id().is_some_and(is_old)).count();
    let instances = group.instances().iter().filter(|instance| !ends(instance)).count();
    Ok(Some(Sample { status, instances, old, largest: group.max_size().unwrap_or_default().unsigned_abs() as usize }))
}

/// How many executions of the rollout machine a tag has started by its pushes.
pub(super) async fn rollouts_of(clients: &Clients, account: &Account, tag: &str) -> Result<usize> {
    let request = clients.sfn().list_executions().state_machine_arn(account.machine("rollout"));
    let listed = request.into_paginator().items().send().collect::<std::result::Result<Vec<_>, _>>().await;
    let mut count = 0;
    for run in listed.during("list runs of", "skydeck-rollout")? {
        let found = clients.sfn().describe_execution().execution_arn(run.execution_arn()).send().await;
        let found = found.during("read", run.name())?;
        let input: Value = found.input().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        count += usize::from(input["source"] == "aws.ecr" && input["detail"]["image-tag"] == tag);
    }
    Ok(count)
}

/// The status of the platform's cluster.
pub(super) async fn cluster(clients: &Clients) -> Result<String> {
    let found = clients.ecs().describe_clusters().clusters(PREFIX).send().await.during("describe cluster", PREFIX)?;
    Ok(found.clusters().first().and_then(|cluster| cluster.status()).unwrap_or("MISSING").to_owned())
}
