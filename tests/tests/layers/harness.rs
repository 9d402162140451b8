//! The emulators, and the story that every layer's test tells. What a layer says of itself is held against the sandbox's
//! record of calls: moto keeps none.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use skydeck_aws::client::Clients;
use skydeck_aws::layer::{Attempt, Work, converge};
use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::run::{Layer, Mode};
use skydeck_sandbox::{ACCOUNT, Call, FOREIGN_ACCOUNT, Image, Moto, Options, Pushed, Sandbox};
use skydeck_tests::{acm, keys_of, root, root_keys, skyfox};

/// How often a layer is tried, and how long apart: in a run the state machine does that.
const ATTEMPTS: usize = 40;
const APART: Duration = Duration::from_millis(250);

/// The IAM actions that calls of S3 need, where their names are others than the calls' own
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>).
const S3_ACTIONS: [(&str, &[&str]); 13] = [
    // With tags, as the storage layer creates a bucket.
    ("CreateBucket", &["CreateBucket", "TagResource"]),
    ("DeleteBucketCors", &["PutBucketCORS"]),
    ("DeleteObjects", &["DeleteObject", "DeleteObjectVersion"]),
    ("GetBucketCors", &["GetBucketCORS"]),
    ("GetBucketEncryption", &["GetEncryptionConfiguration"]),
    ("GetPublicAccessBlock", &["GetBucketPublicAccessBlock"]),
    ("HeadBucket", &["ListBucket"]),
    ("HeadObject", &["GetObject"]),
    ("ListBuckets", &["ListAllMyBuckets"]),
    ("ListObjectVersions", &["ListBucketVersions"]),
    ("PutBucketCors", &["PutBucketCORS"]),
    ("PutBucketEncryption", &["PutEncryptionConfiguration"]),
    ("PutPublicAccessBlock", &["PutBucketPublicAccessBlock"]),
];

/// What these tests' clients call themselves, and so the layers that call through them.
const CALLER: &str = "skydeck-tests";

/// An emulator of one test's own, which runs as long as this is held.
pub(crate) struct Emulator {
    pub(crate) name: &'static str,
    pub(crate) clients: Clients,
    kind: Kind,
}

enum Kind {
    Sandbox(Sandbox),
    Moto(Moto),
}

/// The sandbox, and moto for a second opinion.
pub(crate) async fn emulators() -> [Emulator; 2] {
    tokio::join!(sandbox(), moto()).into()
}

pub(crate) async fn sandbox() -> Emulator {
    let options = Options { speed: 200.0, ..Options::new(root().join("target/sandbox")) };
    let sandbox = Sandbox::start(&options).await.unwrap();
    let clients = clients(sandbox.endpoint(), root_keys(&sandbox)).await;
    Emulator { name: "sandbox", clients, kind: Kind::Sandbox(sandbox) }
}

async fn moto() -> Emulator {
    let moto = Moto::start(&root().join("target/sandbox"), &|text| eprintln!("{text}")).await.unwrap();
    let clients = clients(&moto.endpoint(), anybody(ACCOUNT)).await;
    Emulator { name: "moto", clients, kind: Kind::Moto(moto) }
}

/// Keys of an account, as moto takes them: with any secret. Both emulators take twelve digits for the account itself.
fn anybody(account: &str) -> Credentials {
    Credentials::new(account, "test", None, None, "tests")
}

async fn clients(endpoint: &str, keys: Credentials) -> Clients {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("ap-south-1"))
        .endpoint_url(endpoint)
        .credentials_provider(keys);
    Clients::load(config, CALLER).await
}

impl Emulator {
    /// Clients of somebody else's account.
    pub(crate) async fn foreign(&self) -> Clients {
        match &self.kind {
            Kind::Sandbox(sandbox) => clients(sandbox.endpoint(), keys_of(sandbox, FOREIGN_ACCOUNT)).await,
            Kind::Moto(moto) => clients(&moto.endpoint(), anybody(FOREIGN_ACCOUNT)).await,
        }
    }

    /// A certificate that ACM has issued for a name, by ARN.
    pub(crate) async fn certificate(&self, name: &str) -> String {
        let acm = match &self.kind {
            Kind::Sandbox(sandbox) => acm(sandbox.endpoint(), root_keys(sandbox)),
            Kind::Moto(moto) => acm(&moto.endpoint(), anybody(ACCOUNT)),
        };
        acm.request_certificate().domain_name(name).send().await.unwrap().certificate_arn.unwrap()
    }

    /// The platform under a name, in the emulator's account.
    pub(crate) async fn scope(&self, name: &str) -> Scope {
        let identity = self.clients.sts().get_caller_identity().send().await.unwrap();
        let scope = Scope { account: identity.account().unwrap().to_owned(), ..skyfox::scope(name) };
        skyfox::bound(&self.clients, &scope).await;
        scope
    }

    /// Takes an instance type out of what a zone offers; only the sandbox can.
    pub(crate) fn take_from_offer(&self, zone: &str, instance_type: &str) {
        let Kind::Sandbox(sandbox) = &self.kind else { panic!("moto offers what it offers") };
        sandbox.take_from_offer(zone, instance_type).unwrap();
    }

    /// Pushes an image; only the sandbox can.
    pub(crate) async fn push(&self, repository: &str, tag: &str, image: &Image) -> Pushed {
        let Kind::Sandbox(sandbox) = &self.kind else { panic!("moto takes no push") };
        sandbox.push(repository, tag, image).await.unwrap()
    }

    /// The number of the last call, where the emulator keeps a record.
    pub(crate) fn last_call(&self) -> Option<u64> {
        match &self.kind {
            Kind::Sandbox(sandbox) => Some(sandbox.last_call()),
            Kind::Moto(_) => None,
        }
    }

    /// Our calls since then: what runs in the emulator may call too.
    pub(crate) fn calls_since(&self, number: Option<u64>) -> Option<Vec<Call>> {
        let (Kind::Sandbox(sandbox), Some(number)) = (&self.kind, number) else { return None };
        Some(sandbox.calls_since(number).into_iter().filter(|call| call.caller == CALLER).collect())
    }
}

/// The IAM actions that a call needs.
fn actions(call: &Call) -> Vec<String> {
    let s3 = S3_ACTIONS.iter().find(|(name, _)| call.service == "s3" && *name == call.action);
    let names = s3.map_or_else(|| vec![call.action.as_str()], |(_, names)| names.to_vec());
    names.into_iter().map(|name| format!("{}:{name}", call.service)).collect()
}

/// One attempt at a layer, held against the record: every call is counted and stands in the layer's list of actions,
/// and who tells no change has written nothing. `idle` says that there must be none.
async fn attempt<W: Work>(emulator: &Emulator, scope: &Scope, mode: Mode, idle: bool) -> Attempt {
    let before = emulator.last_call();
    // On the heap: a test that tries a layer often has little room left on its stack.
    let attempt = Box::pin(converge::<W>(&emulator.clients, scope, mode)).await;
    let Some(calls) = emulator.calls_since(before) else { return attempt };
    let (layer, told) = (W::LAYER, attempt.report.calls);
    assert_eq!(u64::try_from(calls.len()).unwrap(), told, "{layer} {mode:?}: calls in the record, and told");
    for action in calls.iter().flat_map(actions) {
        assert!(W::ACTIONS.contains(&action.as_str()), "{layer} calls {action} and does not say so");
    }
    let writes: Vec<&str> = calls.iter().filter(|call| call.write).map(|call| call.action.as_str()).collect();
    let idle = idle || mode == Mode::Plan || (attempt.error.is_none() && attempt.changes.is_empty());
    assert!(!idle || writes.is_empty(), "{layer} {mode:?} has nothing to change and calls {writes:?}");
    attempt
}

/// One run of a layer that must get done, in as many attempts as the state machine would make.
pub(crate) async fn run<W: Work>(emulator: &Emulator, scope: &Scope, mode: Mode) -> Attempt {
    // Whatever else the layers make, an emulator shows at once; a network goes when the interfaces in it have gone.
    let attempts = match W::LAYER {
        Layer::Network if mode == Mode::Destroy => ATTEMPTS,
        Layer::Balancer | Layer::Cluster | Layer::Service => ATTEMPTS,
        _ => 1,
    };
    let mut changes = Vec::new();
    let mut waiting = String::new();
    let mut clock = tokio::time::interval(APART);
    for _ in 0..attempts {
        clock.tick().await;
        let mut attempt = attempt::<W>(emulator, scope, mode, false).await;
        changes.append(&mut attempt.changes);
        match &attempt.error {
            None => return Attempt { changes, ..attempt },
            Some(error) if error.error_type() == "NotYet" => waiting = error.to_string(),
            Some(error) => panic!("{}: {} {mode:?}: {error}", emulator.name, W::LAYER),
        }
    }
    panic!("{}: {} {mode:?} does not get done: {waiting}", emulator.name, W::LAYER);
}

/// A run that finds nothing to do.
pub(crate) async fn rest<W: Work>(emulator: &Emulator, scope: &Scope, mode: Mode) -> Attempt {
    let attempt = run::<W>(emulator, scope, mode).await;
    let again: Vec<String> = attempt.changes.iter().map(|change| format!("{change} {:?}", change.attributes)).collect();
    assert!(again.is_empty(), "{}: {} {mode:?} finds something to do: {again:#?}", emulator.name, W::LAYER);
    attempt
}

/// From nothing the layer makes something; once more it changes nothing and makes the calls of one observation. Its
/// facts go into the scope, for the next layer. Returns the second run with the first one's changes: a creation that
/// forgot a setting would need one more.
pub(crate) async fn apply<W: Work>(emulator: &Emulator, scope: &mut Scope) -> Attempt {
    let first = run::<W>(emulator, scope, Mode::Apply).await;
    assert!(!first.changes.is_empty(), "{}: from nothing there is something to make", W::LAYER);
    let second = rest::<W>(emulator, scope, Mode::Apply).await;
    assert_eq!(second.facts, first.facts, "{}", emulator.name);
    let plan = attempt::<W>(emulator, scope, Mode::Plan, true).await;
    assert_eq!(second.report.calls, plan.report.calls, "{}: a second apply only observes", W::LAYER);
    merge(&mut scope.facts, second.facts.clone());
    Attempt { changes: first.changes, ..second }
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
    let found = named.iter().any(|name| name.starts_with(attribute));
    assert!(found, "{}: {attribute} is not among {named:?}", emulator.name);
    rest::<W>(emulator, scope, Mode::Apply).await;
}

/// Everything of ours goes, and a second destroy finds nothing.
pub(crate) async fn destroy<W: Work>(emulator: &Emulator, scope: &Scope) {
    let attempt = run::<W>(emulator, scope, Mode::Destroy).await;
    assert!(!attempt.changes.is_empty(), "{}: {} has nothing to destroy", emulator.name, W::LAYER);
    rest::<W>(emulator, scope, Mode::Destroy).await;
}

/// What a layer says when it refuses: the error's name and its text. A plan and an apply refuse before they write
/// anything; a destroy finds out by trying.
pub(crate) async fn refusal<W: Work>(emulator: &Emulator, scope: &Scope, mode: Mode) -> (&'static str, String) {
    let attempt = attempt::<W>(emulator, scope, mode, mode != Mode::Destroy).await;
    let error = attempt.error.expect("a refusal");
    (error.error_type(), error.to_string())
}
