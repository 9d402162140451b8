//! Where the emulators are, what the layers under test stand on, and the story that every layer's test tells.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use skydeck_aws::client::Clients;
use skydeck_aws::layer::network::Network;
use skydeck_aws::layer::{Attempt, Work, converge};
use skydeck_core::Scope;
use skydeck_core::facts::{Facts, IdentityFacts, RegistryFacts};
use skydeck_core::layer::balancer::PROBE_CODE_KEY;
use skydeck_core::run::Mode;
use skydeck_sandbox::{ACCOUNT, Call, Moto, Options, Sandbox};
use skydeck_tests::skyfox;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// How often a layer is tried, and how long apart: in a run the state machine does that.
const ATTEMPTS: usize = 40;
const APART: Duration = Duration::from_millis(250);

/// An emulator that runs as long as this is held.
pub(crate) struct Emulator {
    pub(crate) name: &'static str,
    pub(crate) clients: Clients,
    kind: Kind,
}

enum Kind {
    Sandbox(Sandbox),
    Moto(#[expect(dead_code, reason = "it ends when it is dropped")] Moto),
}

/// The sandbox, and moto for a second opinion.
pub(crate) async fn emulators() -> [Emulator; 2] {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/sandbox");
    let options = Options { speed: 200.0, ..Options::new(&dir) };
    let sandbox = Sandbox::start(&options).await.unwrap();
    let moto = Moto::start(&dir, &|text| eprintln!("{text}")).await.unwrap();
    let clients = clients(sandbox.endpoint()).await;
    let sandbox = Emulator { name: "sandbox", clients, kind: Kind::Sandbox(sandbox) };
    let clients = self::clients(&moto.endpoint()).await;
    [sandbox, Emulator { name: "moto", clients, kind: Kind::Moto(moto) }]
}

async fn clients(endpoint: &str) -> Clients {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("ap-south-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(ACCOUNT, "test", None, None, "tests"));
    Clients::load(config, "skydeck-tests").await
}

impl Emulator {
    /// The calls since a number, where the emulator keeps a record.
    fn calls_since(&self, number: u64) -> Vec<Call> {
        match &self.kind {
            Kind::Sandbox(sandbox) => sandbox.calls_since(number),
            Kind::Moto(_) => Vec::new(),
        }
    }

    fn last_call(&self) -> u64 {
        self.calls_since(0).last().map_or(0, |call| call.seq)
    }
}

/// What a layer calls stands in its list of actions, and nothing was refused that an observation asks.
fn check_actions<W: Work>(calls: &[Call]) {
    for call in calls {
        let action = match (call.service.as_str(), call.action.as_str()) {
            // What S3 names otherwise.
            ("s3", "HeadObject") => "s3:GetObject".to_owned(),
            (service, action) => format!("{service}:{action}"),
        };
        assert!(W::ACTIONS.contains(&action.as_str()), "{} calls {action} and does not say so", W::LAYER);
    }
}

/// The platform under a name that no other test uses, with a network, roles, repositories and the probe's code.
pub(crate) async fn ground(name: &str, emulator: &Emulator) -> Scope {
    let clients = &emulator.clients;
    let identity = clients.sts.get_caller_identity().send().await.unwrap();
    let mut scope = Scope { account: identity.account().unwrap().to_owned(), ..skyfox::scope(name) };
    scope.home = format!("skydeck-home-{name}");
    apply::<Network>(emulator, &mut scope).await;
    scope.facts.identity = Some(roles(clients, &scope).await);
    let uri = |service: &String| {
        let (account, name) = (&scope.account, scope.name(service));
        (service.clone(), format!("{account}.dkr.ecr.ap-south-1.amazonaws.com/{name}"))
    };
    let repository_uris = scope.platform.services.keys().map(uri).collect();
    scope.facts.registry = Some(RegistryFacts { repository_uris });
    upload_probe(clients, &scope.home, "first").await;
    scope
}

async fn roles(clients: &Clients, scope: &Scope) -> IdentityFacts {
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": { "Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "lambda.amazonaws.com"] },
        }],
    });
    let role = async |thing: String| {
        let name = scope.name(&thing);
        let request = clients.iam.create_role().role_name(&name).assume_role_policy_document(policy.to_string());
        request.send().await.unwrap().role().unwrap().arn().to_owned()
    };
    let profile = clients.iam.create_instance_profile().instance_profile_name(scope.name("instance"));
    let profile = profile.send().await.unwrap();
    let mut facts = IdentityFacts {
        instance_role_arn: role("instance".into()).await,
        instance_profile_arn: profile.instance_profile().unwrap().arn().to_owned(),
        probe_role_arn: role("probe".into()).await,
        execution_role_arns: BTreeMap::new(),
        task_role_arns: BTreeMap::new(),
    };
    for service in scope.platform.services.keys() {
        facts.execution_role_arns.insert(service.clone(), role(format!("{service}-execution")).await);
        facts.task_role_arns.insert(service.clone(), role(format!("{service}-task")).await);
    }
    facts
}

/// Uploads code of the probe function as bootstrap does, with its hash as metadata. Returns the hash.
pub(crate) async fn upload_probe(clients: &Clients, bucket: &str, text: &str) -> String {
    let location = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::ApSouth1)
        .build();
    // The bucket is there from the first time.
    let _ = clients.s3.create_bucket().bucket(bucket).create_bucket_configuration(location).send().await;
    let (zip, hash) = archive(text);
    let request = clients.s3.put_object().bucket(bucket).key(PROBE_CODE_KEY).body(zip.into());
    request.metadata("code-sha256", &hash).metadata("architecture", "x86_64").send().await.unwrap();
    hash
}

/// One run of a layer that must get done, in as many attempts as the state machine would make.
pub(crate) async fn run<W: Work>(emulator: &Emulator, scope: &Scope, mode: Mode) -> Attempt {
    let mut changes = Vec::new();
    let mut waiting = String::new();
    let before = emulator.last_call();
    let mut clock = tokio::time::interval(APART);
    for _ in 0..ATTEMPTS {
        clock.tick().await;
        let mut attempt = converge::<W>(&emulator.clients, scope, mode).await;
        changes.append(&mut attempt.changes);
        match &attempt.error {
            None => {
                check_actions::<W>(&emulator.calls_since(before));
                return Attempt { changes, ..attempt };
            }
            Some(error) if error.error_type() == "NotYet" => waiting = error.to_string(),
            Some(error) => panic!("{} {mode:?}: {error}", W::LAYER),
        }
    }
    panic!("{} {mode:?} does not get done: {waiting}", W::LAYER);
}

/// From nothing the layer makes something; once more it changes nothing and makes the calls of one observation. Its
/// facts go into the scope, for the next layer. Returns how many changes it took: a creation that forgot a setting would
/// need one more.
pub(crate) async fn apply<W: Work>(emulator: &Emulator, scope: &mut Scope) -> usize {
    let first = run::<W>(emulator, scope, Mode::Apply).await;
    assert!(!first.changes.is_empty(), "{}: from nothing there is something to make", W::LAYER);
    let before = emulator.last_call();
    let second = run::<W>(emulator, scope, Mode::Apply).await;
    let writes: Vec<String> =
        emulator.calls_since(before).into_iter().filter(|call| call.write).map(|call| call.action).collect();
    assert!(writes.is_empty(), "{}: the second apply calls {writes:?}", W::LAYER);
    let again: Vec<String> = second.changes.iter().map(|change| format!("{change} {:?}", change.attributes)).collect();
    assert!(again.is_empty(), "{}: the second apply writes: {again:#?}", W::LAYER);
    assert_eq!(second.facts, first.facts);
    let plan = converge::<W>(&emulator.clients, scope, Mode::Plan).await;
    assert_eq!(second.report.calls, plan.report.calls, "{}: a second apply only observes", W::LAYER);
    merge(&mut scope.facts, second.facts);
    first.changes.len()
}

fn merge(all: &mut Facts, new: Facts) {
    all.network = new.network.or(all.network.take());
    all.balancer = new.balancer.or(all.balancer.take());
    all.cluster = new.cluster.or(all.cluster.take());
    all.service = new.service.or(all.service.take());
}

/// What was changed behind our back is found, named and put right.
pub(crate) async fn repair<W: Work>(emulator: &Emulator, scope: &Scope, attribute: &str) {
    let attempt = run::<W>(emulator, scope, Mode::Apply).await;
    let named: Vec<&str> =
        attempt.changes.iter().flat_map(|change| &change.attributes).map(|found| found.name.as_str()).collect();
    assert!(named.iter().any(|name| name.starts_with(attribute)), "{attribute} is not among {named:?}");
    assert!(run::<W>(emulator, scope, Mode::Apply).await.changes.is_empty());
}

/// Everything of ours goes, and a second destroy finds nothing.
pub(crate) async fn destroy<W: Work>(emulator: &Emulator, scope: &Scope) {
    assert!(!run::<W>(emulator, scope, Mode::Destroy).await.changes.is_empty());
    let left = run::<W>(emulator, scope, Mode::Destroy).await.changes;
    assert!(left.is_empty(), "{}: a second destroy finds {left:?}", W::LAYER);
}

/// An archive with a `bootstrap` that never answers anything, and the base64 of its SHA-256.
fn archive(text: &str) -> (Vec<u8>, String) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    zip.write_all(format!("#!/bin/sh\n# {text}\n").as_bytes()).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let hash = BASE64.encode(Sha256::digest(&bytes));
    (bytes, hash)
}
