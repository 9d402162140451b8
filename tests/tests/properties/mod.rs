//! Any platform file, any part of it there already, any strangers beside it: after an apply a plan is empty, and the
//! strangers are as they were.

mod platforms;
mod strangers;

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use proptest::test_runner::{Config, TestRunner};
use skydeck_core::facts::Facts;
use skydeck_core::run::Layer;
use skydeck_core::{Scope, spec};
use skydeck_tests::account::Account;
use skydeck_tests::skyfox;
use strangers::Stranger;

/// In the test command, where each takes some seconds; `PROPTEST_CASES` says otherwise.
const CASES: u32 = 8;

/// How far an earlier apply came: so many layers, and of the next one so many steps.
type Killed = (Index, usize);

#[test]
fn after_an_apply_a_plan_is_empty_and_strangers_are_untouched() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let account = runtime.block_on(Account::start(skyfox::scope("props")));
    let count = Cell::new(0);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    // A case that fails is made smaller a few times only: each is a platform.
    let config = Config { cases, max_shrink_iters: 8, failure_persistence: None, ..Config::default() };
    let strangers = subsequence(Stranger::ALL.to_vec(), 0..=Stranger::ALL.len());
    let input = (platforms::platform(), (any::<Index>(), 0usize..20), strangers);
    let result = TestRunner::new(config).run(&input, |(file, killed, strangers)| {
        count.set(count.get() + 1);
        let file = file.replace("NAME", &format!("p{}", count.get()));
        runtime.block_on(case(&account, &file, killed, &strangers)).map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

async fn case(account: &Account, file: &str, killed: Killed, strangers: &[Stranger]) -> Result<(), String> {
    let platform = spec::parse("random.toml", file).map_err(|problems| format!("{problems:?}\n{file}"))?;
    let scope = Scope { platform, facts: Facts::default(), ..account.scope.clone() };
    let mut account = account.with(scope.clone());
    let (layers, steps) = (killed.0.index(Layer::ALL.len() + 1), killed.1);
    for layer in &Layer::ALL[..layers] {
        account.apply_layer(*layer).await?;
    }
    if let Some(next) = Layer::ALL.get(layers) {
        account.begin_layer(*next, steps).await?;
    }
    // What one of them needs, another may be.
    for stranger in strangers {
        stranger.make(&account.clients, &account.scope).await;
    }
    let mut before = Vec::new();
    for stranger in strangers {
        before.push(stranger.look(&account.clients, &account.scope).await);
    }

    // Another run knows nothing of the one before.
    account.scope = scope;
    for layer in Layer::ALL {
        account.apply_layer(layer).await?;
    }
    for layer in Layer::ALL {
        let plan = account.plan_layer(layer).await;
        let open: Vec<String> = plan.changes.iter().map(ToString::to_string).chain(plan.waits).collect();
        if let Some(error) = plan.error {
            return Err(format!("{layer}: {error}"));
        }
        if !open.is_empty() {
            return Err(format!("{layer} after an apply: {open:?}"));
        }
    }
    for (stranger, before) in strangers.iter().zip(before) {
        let after = stranger.look(&account.clients, &account.scope).await;
        if after != before {
            return Err(format!("{stranger:?} was\n{before}\nand is\n{after}"));
        }
    }
    Ok(())
}
