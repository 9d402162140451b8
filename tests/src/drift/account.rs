//! An account in a sandbox, and its layers driven without Lambda.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use skydeck_aws::client::Clients;
use skydeck_aws::layer::{Work, converge};
use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::run::Mode;
use skydeck_sandbox::{ACCOUNT, Options, Sandbox};

use crate::{probe_code, root, skyfox};

/// How often a layer is tried, and how long apart: in a run the state machine does that.
const ATTEMPTS: usize = 80;
const APART: Duration = Duration::from_millis(50);

/// An account with a platform in it, as far as its layers have been applied.
pub(crate) struct Account {
    pub(crate) clients: Clients,
    pub(crate) scope: Scope,
    _sandbox: Sandbox,
}

impl Account {
    /// SkyFox with HTTPS, in an account of its own.
    pub(crate) async fn start() -> Self {
        let options = Options { speed: 1000.0, ..Options::new(root().join("target/sandbox")) };
        let sandbox = Sandbox::start(&options).await.expect("the sandbox starts");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("ap-south-1"))
            .endpoint_url(sandbox.endpoint())
            .credentials_provider(Credentials::new(ACCOUNT, "test", None, None, "tests"));
        let clients = Clients::load(config, "skydeck-tests").await;
        let mut scope = Scope { account: ACCOUNT.into(), home: "skydeck-home-drift".into(), ..skyfox::scope("drift") };
        // With a certificate there is more to get wrong.
        let external = scope.platform.load_balancers.get_mut("external").expect("SkyFox has one");
        external.certificate = Some(format!("arn:aws:acm:ap-south-1:{ACCOUNT}:certificate/1"));
        external.host = Some("www.example.com".into());
        probe_code::upload(&clients, &scope.home, "first").await;
        Account { clients, scope, _sandbox: sandbox }
    }

    /// Applies a layer until it is done, and keeps its facts. Says why where it does not get done.
    pub(crate) async fn apply<W: Work>(&mut self) -> Result<(), String> {
        let mut waiting = String::new();
        let mut clock = tokio::time::interval(APART);
        for _ in 0..ATTEMPTS {
            clock.tick().await;
            let attempt = Box::pin(converge::<W>(&self.clients, &self.scope, Mode::Apply)).await;
            match attempt.error {
                None => {
                    merge(&mut self.scope.facts, attempt.facts);
                    return Ok(());
                }
                Some(error) if error.error_type() == "NotYet" => waiting = error.to_string(),
                Some(error) => return Err(error.to_string()),
            }
        }
        Err(format!("it does not get done: {waiting}"))
    }
}

fn merge(all: &mut Facts, new: Facts) {
    let old = std::mem::take(all);
    *all = Facts {
        network: new.network.or(old.network),
        identity: new.identity.or(old.identity),
        registry: new.registry.or(old.registry),
        storage: new.storage.or(old.storage),
        secrets: new.secrets.or(old.secrets),
        balancer: new.balancer.or(old.balancer),
        cluster: new.cluster.or(old.cluster),
        service: new.service.or(old.service),
    };
}
