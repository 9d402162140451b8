//! What the functions of rollouts ask of AWS, called one by one: how often, and what they leave behind.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::{ContainerDefinition, TaskDefinitionStatus};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use skydeck_aws::home::Home;
use skydeck_aws::layer::balancer::Balancer;
use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::network::Network;
use skydeck_aws::layer::service::Service;
use skydeck_aws::rollout::{Sweep, decide, people, release, rollback, settle, sweep};
use skydeck_aws::run::{Context, conclude, layer};
use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::rollout::ledger::{Entry, KEPT, Keys, Verdict, applied_key};
use skydeck_core::rollout::run::{Applied, Failing, Settlement, Start};
use skydeck_core::run::{Ending, LayerInput, Mode, Run, drift_key, spec_key};
use skydeck_core::spec;
use skydeck_core::verdict::{Fault, Questions, Verification};
use skydeck_sandbox::{ACCOUNT, Image};
use skydeck_tests::rollouts::until;
use skydeck_tests::secret::give;
use skydeck_tests::skyfox;

use super::ground::ground;
use super::harness::{Emulator, apply, sandbox};

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

/// Makes the platform as rollouts find it: its file, what was applied, and somebody at work on it, so that no sweep starts a plan.
/// Returns the file's version.
async fn applied(emulator: &Emulator, scope: &Scope, text: &str) -> (Context, String) {
    let clients = emulator.clients.clone();
    let home = Home::new(clients.s3(), &scope.home);
    let (key, facts) = (scope.prefix(), scope.facts.clone());
    let spec_version = home.write_text(&spec_key(&key), text.to_owned()).await.unwrap();
    let applied = Applied { file: text.into(), spec_version: spec_version.clone(), facts, since: 0, gone: false };
    home.write_json(&applied_key(&key), &applied).await.unwrap();
    let holder = serde_json::json!({ "execution": execution("provision", "at-work") });
    home.write_json(&lock(scope), &holder).await.unwrap();
    (Context { clients, home }, spec_version)
}

fn lock(scope: &Scope) -> String {
    format!("platforms/{}/lock.json", scope.prefix())
}

/// Makes each service, running an image of its repository.
async fn serve(emulator: &Emulator, scope: &Scope) {
    let (clients, cluster) = (&emulator.clients, scope.prefix());
    clients.ecs().create_cluster().cluster_name(&cluster).send().await.unwrap();
    for (name, service) in &scope.platform.services {
        let repository = scope.name(&service.repository);
        clients.ecr().create_repository().repository_name(&repository).send().await.unwrap();
        let pushed = emulator.push(&repository, "v1", &Image::new(name)).await;
        let image = format!("{}.dkr.ecr.ap-south-1.amazonaws.com/{repository}@{}", scope.account, pushed.digest);
        let container = ContainerDefinition::builder().name(name).image(image).memory(64).build();
        let family = scope.name(name);
        clients.ecs().register_task_definition().family(&family).container_definitions(container).send().await.unwrap();
        let create = clients.ecs().create_service().cluster(&cluster).service_name(name).task_definition(&family);
        create.desired_count(1).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_sweep_of_many_services_asks_in_bulk_and_once() {
    const SERVICES: usize = 26;
    let emulator = sandbox().await;
    let text = file(SERVICES);
    let platform = spec::parse("platform.toml", &text).unwrap();
    let mut scope = Scope { platform, home: "skydeck-many".into(), ..emulator.scope("any").await };
    scope.facts = Facts::default().or_placeholders(&scope);
    skydeck_tests::probe::upload(&emulator.clients, &scope.home, "first").await;
    let (context, _) = applied(&emulator, &scope, &text).await;
    serve(&emulator, &scope).await;
    // The first one remembers which image each tag names.
    let asked = |name: &str| Sweep { event: serde_json::json!({}), execution: execution("sweep", name) };
    sweep(&context, asked("first")).await.unwrap();
    let before = emulator.last_call();
    let swept = sweep(&context, asked("second")).await.unwrap();
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
    // None of them is there: they are asked for with the tag, and without it.
    assert_eq!(counts["DescribeParameters"], 2 * SERVICES.div_ceil(50), "{counts:?}");
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

/// A number that the environment may set. All of what is asked for takes some minutes: 200 rollouts and 1000 sweeps.
fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// SkyFox with its services, a repository for one of them, and a bucket that keeps versions as skydeck's own does.
async fn standing(emulator: &Emulator, name: &str) -> (Scope, String) {
    let mut scope = ground(name, emulator).await;
    apply::<Balancer>(emulator, &mut scope).await;
    apply::<Cluster>(emulator, &mut scope).await;
    apply::<Service>(emulator, &mut scope).await;
    let clients = &emulator.clients;
    let (s3, ecr) = (clients.s3(), clients.ecr());
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(&scope.home).versioning_configuration(versions).send().await.unwrap();
    give(clients, &format!("/{name}-backend/movie-service-api-key"), "a key").await.unwrap();
    let repository = scope.name("movie-service");
    ecr.create_repository().repository_name(&repository).send().await.unwrap();
    (scope, repository)
}

/// A whole rollout of an image, by the functions in their order; every fifth one fails.
async fn roll_out(context: &Context, scope: &Scope, digest: &str, number: usize) {
    let trigger = serde_json::json!({ "platform": scope.prefix(), "service": "movie", "image": digest });
    let start = Start { trigger, execution: execution("rollout", &number.to_string()) };
    let rollout = decide(context, start).await.unwrap().rollout.expect("an image to roll out");
    let released = release(context, rollout.clone()).await.unwrap().definition;
    let ended = Settlement {
        left: None,
        rollout: rollout.clone(),
        verdict: Verdict::Succeeded,
        released: released.clone(),
        verification: None,
        error: None,
        returned: None,
        returning: None,
    };
    let ended = if number % 5 == 4 {
        let mut seen = Verification::of(0, Vec::new(), Questions::default(), Questions::default());
        seen.fault = Some(Fault::Image);
        let failing = Failing { rollout, released, verification: Some(seen.clone()), error: None };
        let returned = rollback(context, failing).await.unwrap();
        Settlement { verdict: Verdict::RolledBack, verification: Some(seen), returned: Some(returned), ..ended }
    } else {
        ended
    };
    // The futures of a whole rollout are more than a test's stack takes.
    let told = Box::pin(settle(context, ended)).await.unwrap();
    assert!(told.notes.is_empty(), "{:?}", told.notes);
}

/// All objects of the bucket, and how many versions there are of them in all.
async fn objects(context: &Context, scope: &Scope) -> (Vec<String>, usize) {
    let (mut latest, mut count, mut after) = (Vec::new(), 0, (None, None));
    loop {
        let request = context.clients.s3().list_object_versions().bucket(&scope.home);
        let page = request.set_key_marker(after.0).set_version_id_marker(after.1).send().await.unwrap();
        count += page.versions().len();
        let newest = page.versions().iter().filter(|version| version.is_latest() == Some(true));
        latest.extend(newest.filter_map(|version| version.key()).map(ToOwned::to_owned));
        if page.is_truncated() != Some(true) {
            return (latest, count);
        }
        after = (page.next_key_marker, page.next_version_id_marker);
    }
}

async fn revisions(context: &Context, scope: &Scope, status: TaskDefinitionStatus) -> usize {
    let request = context.clients.ecs().list_task_definitions().family_prefix(scope.name("movie")).status(status);
    let found: Vec<_> = request.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap();
    found.len()
}

#[tokio::test]
async fn rollouts_and_sweeps_leave_only_so_much() {
    let (rollouts, sweeps) = (number("GROWTH_ROLLOUTS", 60), number("GROWTH_SWEEPS", 20));
    let emulator = sandbox().await;
    let (scope, repository) = standing(&emulator, "lgrowth").await;
    let (context, spec_version) = applied(&emulator, &scope, &skyfox::file("lgrowth")).await;
    let mut digests = Vec::new();
    for number in 0..rollouts {
        let pushed = emulator.push(&repository, &format!("v{number}"), &Image::new(&number.to_string())).await;
        roll_out(&context, &scope, &pushed.digest, number).await;
        digests.push(pushed.digest);
        // As the repository's lifecycle does; but the first that was rejected stays.
        let old = digests.len().checked_sub(5).filter(|old| *old != 4).map(|old| digests[old].clone());
        if let Some(old) = old {
            let old = ImageIdentifier::builder().image_digest(old).build();
            let request = context.clients.ecr().batch_delete_image().repository_name(&repository).image_ids(old);
            request.send().await.unwrap();
        }
    }
    let (keys, _) = objects(&context, &scope).await;
    let keys_of = Keys { platform: &scope.prefix(), service: "movie" };
    let entries = keys.iter().filter(|key| key.starts_with(&keys_of.ledger())).count();
    // The newest, and those of images that are still there.
    assert!((KEPT..=KEPT + 6).contains(&entries), "{entries} entries");
    assert!(keys.len() <= entries + 5, "{keys:#?}");
    let rejected: Entry = context.home.read_json(&keys_of.entry(&digests[4])).await.unwrap();
    assert!(rejected.rejected.is_some(), "its image is still there");
    // The newest five, and what a rollback needs; those that were verified lately may have been deregistered.
    assert!(revisions(&context, &scope, TaskDefinitionStatus::Active).await <= 8);
    assert!(revisions(&context, &scope, TaskDefinitionStatus::Inactive).await <= 10);
    // Tasks and deployments hold a revision that is to be deleted: a new deployment without tasks leaves none.
    let stop = context.clients.ecs().update_service().cluster(scope.prefix()).service("movie").desired_count(0);
    stop.force_new_deployment(true).send().await.unwrap();
    until(async || match revisions(&context, &scope, TaskDefinitionStatus::DeleteInProgress).await {
        0 => Ok(()),
        left => Err(format!("{left} revisions of which no task is left are still there")),
    })
    .await;

    // The first one remembers which image each tag names.
    let asked = Sweep { event: serde_json::json!({}), execution: execution("sweep", "first") };
    sweep(&context, asked).await.unwrap();
    let before = (objects(&context, &scope).await, emulator.last_call());
    for number in 0..sweeps {
        let asked = Sweep { event: serde_json::json!({}), execution: execution("sweep", &number.to_string()) };
        let swept = sweep(&context, asked).await.unwrap();
        assert!(swept.started.is_empty(), "{swept:#?}");
    }
    let calls = emulator.calls_since(before.1).unwrap();
    assert!(!calls.iter().any(|call| call.write), "a sweep that finds nothing writes nothing");
    assert_eq!(objects(&context, &scope).await, before.0);

    // What the sweep starts: a plan that looks for drift. There is some: the team's tag is not in the file.
    context.home.forget(&lock(&scope)).await.unwrap();
    look_for_drift(&context, &scope, &spec_version, 0).await;
    assert!(context.home.read(&drift_key(&scope.prefix()), None).await.unwrap().is_some());
    let before = objects(&context, &scope).await;
    for number in 1..=sweeps.div_ceil(10) {
        look_for_drift(&context, &scope, &spec_version, number).await;
    }
    assert_eq!(objects(&context, &scope).await, before, "the same drift is written once");
}

async fn look_for_drift(context: &Context, scope: &Scope, spec_version: &str, number: usize) {
    let id = format!("drift-{number}");
    let run = Run {
        execution: execution("drift", &id),
        id,
        mode: Mode::Plan,
        platform: scope.prefix(),
        spec_version: spec_version.into(),
        file: None,
        before: None,
        approves: None,
        drift: true,
        refresh_ami: false,
    };
    let input = LayerInput { run: run.clone(), facts: scope.facts.clone() };
    layer::<Network>(context, input.clone()).await.unwrap();
    layer::<Balancer>(context, input.clone()).await.unwrap();
    layer::<Cluster>(context, input.clone()).await.unwrap();
    layer::<Service>(context, input).await.unwrap();
    let ending = Ending { run, facts: scope.facts.clone(), reports: Vec::new(), verification: None, failure: None };
    assert!(conclude(context, ending).await.unwrap().plan.unwrap().key.is_some());
}
