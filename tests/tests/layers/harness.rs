//! The emulators, and the story that every layer's test tells.

use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use skydeck_aws::client::Clients;
use skydeck_aws::layer::{Attempt, Work, converge};
use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::run::Mode;
use skydeck_sandbox::{Moto, Options, Sandbox};
use skydeck_tests::{root, skyfox};

/// The emulators' own account.
pub(crate) const ACCOUNT: &str = skydeck_sandbox::ACCOUNT;
/// How often a layer is tried, and how long apart: in a run the state machine does that.
const ATTEMPTS: usize = 40;
const APART: Duration = Duration::from_millis(250);

/// One emulator.
#[derive(Debug, Clone)]
pub(crate) struct Emulator {
    pub(crate) name: &'static str,
    endpoint: String,
}

/// Both emulators, for all tests of this process: each test has a platform of its own in them.
static EMULATORS: LazyLock<Vec<Emulator>> = LazyLock::new(|| {
    let (tell, told) = mpsc::channel();
    // A thread of their own: a test's runtime ends with the test, and what it started with it.
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let dir = root().join("target/sandbox");
            let sandbox = Sandbox::start(&Options::new(&dir)).await.unwrap();
            let moto = Moto::start(&dir, &|_| ()).await.unwrap();
            let emulator = |name, endpoint: &str| Emulator { name, endpoint: endpoint.to_owned() };
            tell.send(vec![emulator("sandbox", sandbox.endpoint()), emulator("moto", moto.endpoint())]).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().expect("both emulators start")
});

pub(crate) fn emulators() -> Vec<Emulator> {
    EMULATORS.clone()
}

impl Emulator {
    /// Clients with credentials of an account: the emulators take an access key of twelve digits for the account itself.
    pub(crate) async fn clients(&self, account: &str) -> Clients {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("ap-south-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(Credentials::new(account, "test", None, None, "tests"));
        Clients::load(config, "skydeck-tests").await
    }

    /// The platform under a name that no other test uses.
    pub(crate) async fn scope(&self, name: &str, clients: &Clients) -> Scope {
        let identity = clients.sts.get_caller_identity().send().await.unwrap();
        Scope { account: identity.account().unwrap().to_owned(), ..skyfox::scope(name) }
    }
}

/// One run of a layer that must get done, in as many attempts as the state machine would make.
pub(crate) async fn run<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> Attempt {
    let mut changes = Vec::new();
    let mut waiting = String::new();
    let mut clock = tokio::time::interval(APART);
    for _ in 0..ATTEMPTS {
        clock.tick().await;
        let mut attempt = converge::<W>(clients, scope, mode).await;
        changes.append(&mut attempt.changes);
        match &attempt.error {
            None => return Attempt { changes, ..attempt },
            Some(error) if error.error_type() == "NotYet" => waiting = error.to_string(),
            Some(error) => panic!("{} {mode:?}: {error}", W::LAYER),
        }
    }
    panic!("{} {mode:?} does not get done: {waiting}", W::LAYER);
}

/// From nothing the layer makes something; once more it changes nothing and makes the calls of one observation.
pub(crate) async fn apply_twice<W: Work>(clients: &Clients, scope: &Scope) -> Attempt {
    let first = run::<W>(clients, scope, Mode::Apply).await;
    assert!(!first.changes.is_empty(), "{}: from nothing there is something to make", W::LAYER);
    let second = run::<W>(clients, scope, Mode::Apply).await;
    let again: Vec<String> = second.changes.iter().map(|change| format!("{change} {:?}", change.attributes)).collect();
    assert!(again.is_empty(), "{}: the second apply writes: {again:#?}", W::LAYER);
    assert_eq!(second.facts, first.facts);
    let plan = converge::<W>(clients, scope, Mode::Plan).await;
    assert_eq!(second.report.calls, plan.report.calls, "{}: a second apply only observes", W::LAYER);
    second
}

/// As [`apply_twice`]; the layer's facts go into the scope, for the next layer.
pub(crate) async fn apply<W: Work>(clients: &Clients, scope: &mut Scope) -> Attempt {
    let attempt = apply_twice::<W>(clients, scope).await;
    merge(&mut scope.facts, attempt.facts.clone());
    attempt
}

fn merge(all: &mut Facts, new: Facts) {
    all.network = new.network.or(all.network.take());
    all.balancer = new.balancer.or(all.balancer.take());
    all.cluster = new.cluster.or(all.cluster.take());
    all.service = new.service.or(all.service.take());
}

/// What was changed behind our back is found, named and put right.
pub(crate) async fn repair<W: Work>(clients: &Clients, scope: &Scope, attribute: &str) {
    let attempt = run::<W>(clients, scope, Mode::Apply).await;
    let named: Vec<&str> =
        attempt.changes.iter().flat_map(|change| &change.attributes).map(|found| found.name.as_str()).collect();
    assert!(named.iter().any(|name| name.starts_with(attribute)), "{attribute} is not among {named:?}");
    assert!(run::<W>(clients, scope, Mode::Apply).await.changes.is_empty());
}

/// Everything of ours goes, and a second destroy finds nothing.
pub(crate) async fn destroy<W: Work>(clients: &Clients, scope: &Scope) {
    assert!(!run::<W>(clients, scope, Mode::Destroy).await.changes.is_empty());
    let left = run::<W>(clients, scope, Mode::Destroy).await.changes;
    assert!(left.is_empty(), "{}: a second destroy finds {left:?}", W::LAYER);
}

/// What a layer says when it refuses: the error's name and its text.
pub(crate) async fn refusal<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> (&'static str, String) {
    let error = converge::<W>(clients, scope, mode).await.error.expect("a refusal");
    (error.error_type(), error.to_string())
}
