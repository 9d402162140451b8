//! The SkyFox platform for tests that call layers one by one.

use skydeck_aws::Clients;
use skydeck_bootstrap::Account;
use skydeck_bootstrap::install::boundary;
use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::spec;

/// SkyFox's file under a name of the test's own.
#[must_use]
pub fn file(name: &str) -> String {
    include_str!("../../platforms/skyfox.toml")
        .replace("name = \"skyfox\"", &format!("name = \"{name}\""))
        .replace("/skyfox-backend", &format!("/{name}-backend"))
}

/// The platform in the emulators' account, under a name of the test's own, so that tests can share an emulator.
///
/// # Panics
/// Where the platform file is wrong.
#[must_use]
pub fn scope(name: &str) -> Scope {
    let mut platform = spec::parse("skyfox.toml", &file(name)).expect("a right file");
    platform.tags.insert("Team".into(), "cinema".into());
    Scope {
        platform,
        account: "000000000000".into(),
        partition: "aws".into(),
        home: "skydeck-000000000000-ap-south-1".into(),
        facts: Facts::default(),
        refresh_ami: false,
        done: Vec::new(),
    }
}

/// Makes the permissions boundary of the platforms' roles, as an installation has made it before a layer comes.
///
/// # Panics
/// Where IAM refuses.
pub async fn bound(clients: &Clients, scope: &Scope) {
    let account = Account {
        id: scope.account.clone(),
        partition: scope.partition.clone(),
        region: scope.platform.region.clone(),
    };
    boundary::ensure(clients, &account).await.expect("the boundary");
}
