//! Where the emulators are, and the story that every layer's test tells.

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use skydeck_aws::client::Clients;
use skydeck_aws::layer::{Attempt, Work, converge};
use skydeck_core::Scope;
use skydeck_core::run::Mode;
use skydeck_tests::skyfox;

/// The emulators' own account.
pub(crate) const ACCOUNT: &str = "000000000000";

/// One emulator.
pub(crate) struct Emulator {
    pub(crate) name: &'static str,
    endpoint: String,
}

/// The emulators to test against: those whose endpoint the environment names.
pub(crate) fn emulators() -> Vec<Emulator> {
    let found: Vec<Emulator> = [("ministack", "SKYDECK_TEST_MINISTACK"), ("moto", "SKYDECK_TEST_MOTO")]
        .into_iter()
        .filter_map(|(name, variable)| Some(Emulator { name, endpoint: std::env::var(variable).ok()? }))
        .collect();
    assert!(!found.is_empty(), "neither SKYDECK_TEST_MINISTACK nor SKYDECK_TEST_MOTO is set");
    found
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
        let identity = clients.sts.get_caller_identity().send().await.expect("who we are");
        Scope { account: identity.account().expect("an account").to_owned(), ..skyfox::scope(name) }
    }
}

/// One run of a layer that must get done at the first attempt: an emulator shows at once what it has done.
pub(crate) async fn run<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> Attempt {
    let attempt = converge::<W>(clients, scope, mode).await;
    assert_eq!(attempt.error, None, "{mode:?}");
    attempt
}

/// From nothing the layer makes something; once more it does nothing, with the calls of one observation.
pub(crate) async fn apply_twice<W: Work>(clients: &Clients, scope: &Scope) -> Attempt {
    let first = run::<W>(clients, scope, Mode::Apply).await;
    assert!(!first.changes.is_empty(), "from nothing there is something to make");
    let second = run::<W>(clients, scope, Mode::Apply).await;
    let again: Vec<String> = second.changes.iter().map(ToString::to_string).collect();
    assert!(again.is_empty(), "the second apply writes: {again:?}");
    assert_eq!(second.facts, first.facts);
    let plan = converge::<W>(clients, scope, Mode::Plan).await;
    assert_eq!(second.report.calls, plan.report.calls, "the second apply calls more than an observation does");
    second
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
    assert!(run::<W>(clients, scope, Mode::Destroy).await.changes.is_empty());
}

/// What a layer says when it refuses: the error's name and its text.
pub(crate) async fn refusal<W: Work>(clients: &Clients, scope: &Scope, mode: Mode) -> (&'static str, String) {
    let error = converge::<W>(clients, scope, mode).await.error.expect("a refusal");
    (error.error_type(), error.to_string())
}
