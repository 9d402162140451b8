//! What the functions of rollouts ask of AWS, called one by one: how often, and what they leave behind.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::ContainerDefinition;
use skydeck_aws::home::Home;
use skydeck_aws::rollout::{Sweep, people, sweep};
use skydeck_aws::run::Context;
use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::rollout::ledger::applied_key;
use skydeck_core::rollout::run::Applied;
use skydeck_core::run::spec_key;
use skydeck_core::spec;
use skydeck_sandbox::{ACCOUNT, Image};

use crate::harness::{Emulator, sandbox};

/// An execution of a machine, which Step Functions does not know yet: what it holds is held.
fn execution(machine: &str, name: &str) -> String {
    format!("arn:aws:states:ap-south-1:{ACCOUNT}:execution:skydeck-{machine}:{name}")
}

/// A platform of so many services, each of which reads a parameter of its own.
fn file(services: usize) -> String {
    let mut text = include_str!("../../../platforms/minimal.toml").replace("eu-central-1", "ap-south-1");
    text.truncate(text.find("[services.web]").unwrap());
    for number in 0..services {
        text += &format!(
            "[secrets.key-{number}]\nparameter = \"/hello/{number}\"\n[services.s{number}]\nport = {}\n\
             path = \"/s{number}*\"\npriority = {}\nhealth = {{ path = \"/health\" }}\nimage = {{ newest = true }}\n\
             [services.s{number}.secrets]\nKEY = \"${{secrets.key-{number}}}\"\n",
            3000 + number,
            number + 1
        );
    }
    text
}

/// The platform as rollouts find it: its file, what was applied, and somebody at work on it, so that no plan is started.
async fn stand(emulator: &Emulator, bucket: &str, text: &str, facts: impl Fn(&Scope) -> Facts) -> (Context, Scope) {
    let clients = emulator.clients.clone();
    skydeck_tests::probe::upload(&clients, bucket, "first").await;
    let home = Home::new(&clients.s3, bucket);
    let platform = spec::parse("platform.toml", text).unwrap();
    let mut scope = Scope { platform, home: bucket.into(), ..emulator.scope("any").await };
    scope.facts = facts(&scope);
    let key = scope.prefix();
    home.write_text(&spec_key(&key), text.to_owned()).await.unwrap();
    let applied = Applied { file: text.into(), spec_version: "1".into(), facts: scope.facts.clone(), since: 0 };
    home.write_json(&applied_key(&key), &applied).await.unwrap();
    let lock = serde_json::json!({ "execution": execution("provision", "at-work") });
    home.write_json(&format!("platforms/{key}/lock.json"), &lock).await.unwrap();
    (Context { clients, home }, scope)
}

/// Makes each service, running an image of its repository.
async fn serve(emulator: &Emulator, scope: &Scope) {
    let (clients, cluster) = (&emulator.clients, scope.prefix());
    clients.ecs.create_cluster().cluster_name(&cluster).send().await.unwrap();
    for (name, service) in &scope.platform.services {
        let repository = scope.name(&service.repository);
        clients.ecr.create_repository().repository_name(&repository).send().await.unwrap();
        let pushed = emulator.push(&repository, "v1", &Image::new(name)).await;
        let image = format!("{}.dkr.ecr.ap-south-1.amazonaws.com/{repository}@{}", scope.account, pushed.digest);
        let container = ContainerDefinition::builder().name(name).image(image).memory(64).build();
        let family = scope.name(name);
        clients.ecs.register_task_definition().family(&family).container_definitions(container).send().await.unwrap();
        let create = clients.ecs.create_service().cluster(&cluster).service_name(name).task_definition(&family);
        create.desired_count(1).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_sweep_of_many_services_asks_in_bulk_and_once() {
    const SERVICES: usize = 26;
    let emulator = sandbox().await;
    let placeholders = |scope: &Scope| Facts::default().or_placeholders(scope);
    let (context, scope) = stand(&emulator, "skydeck-many", &file(SERVICES), placeholders).await;
    serve(&emulator, &scope).await;
    let before = emulator.last_call();
    let asked = Sweep { event: serde_json::json!({}), execution: execution("sweep", "first") };
    let swept = sweep(&context, asked).await.unwrap();
    assert_eq!(swept.ignored.len(), SERVICES, "{swept:#?}");
    assert!(swept.ignored.values().all(|why| why.ends_with("runs already")), "{swept:#?}");

    let calls = emulator.calls_since(before).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        *counts.entry(call.action.as_str()).or_default() += 1;
    }
    let in_tens = SERVICES.div_ceil(10);
    // A service is read beside its record. Where that does not say what the service runs, it is read again.
    assert_eq!(counts["DescribeServices"], 2 * in_tens, "{counts:?}");
    assert_eq!(counts["GetParameters"], in_tens, "{counts:?}");
    for once in ["DescribeImages", "DescribeTaskDefinition", "BatchGetImage"] {
        assert_eq!(counts[once], SERVICES, "{once}: {counts:?}");
    }
    assert!(!calls.iter().any(|call| call.write), "a sweep that finds nothing writes nothing: {counts:?}");

    // What people read of all services is read so too.
    let before = emulator.last_call();
    let names: Vec<String> = scope.platform.services.keys().cloned().collect();
    assert_eq!(people::records(&context, &scope.prefix(), &names).await.unwrap().len(), SERVICES);
    let calls = emulator.calls_since(before).unwrap();
    let described = calls.iter().filter(|call| call.action == "DescribeServices").count();
    assert_eq!(described, 2 * in_tens);
}
