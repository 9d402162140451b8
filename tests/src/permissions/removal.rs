//! A right that a function needs is taken away: does anybody notice?

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Pair, SPEED, account, asked, life, usual};
use crate::Rig;
use crate::rollouts::{Stage, pause};
use skydeck_bootstrap::install;

/// So many rights that the usual life of a platform shows, by chance as the seed has it.
#[must_use]
pub fn draw(count: usize, seed: u64) -> Vec<Pair> {
    let lot = |pair: &Pair| Sha256::digest(format!("{seed} {} {}", pair.0, pair.1)).to_vec();
    let mut all: Vec<Pair> = usual().into_iter().collect();
    all.sort_by_key(lot);
    all.truncate(count);
    all
}

/// Takes a right away, and leads the usual life until somebody is denied it. Whether that came: every test fails then, by what its
/// sandbox was asked.
///
/// # Panics
/// Where skydeck cannot be installed, or its role not be changed.
pub async fn removed((function, action): &Pair) -> bool {
    let stage = Stage::of(Rig::installed_at(Some(SPEED)).await).await;
    stage.rig.sandbox.forgive();
    let role = account().role_name(function);
    let document = without(&install::policies(&account())[&role], action).to_string();
    let request = stage.rig.aws.iam().put_role_policy().role_name(&role).policy_name("skydeck");
    request.policy_document(document).send().await.expect("the role's policy");
    let is_denied = || asked(&stage.rig.sandbox, false).contains(&(function.clone(), action.clone()));
    let noticed = async {
        while !is_denied() {
            pause().await;
        }
    };
    tokio::select! {
        _ = Box::pin(life(&stage)) => is_denied(),
        () = noticed => true,
    }
}

/// A policy without an action in what it allows.
fn without(document: &Value, action: &str) -> Value {
    let mut statements = document["Statement"].as_array().cloned().unwrap_or_default();
    for statement in statements.iter_mut().filter(|statement| statement["Effect"] == "Allow") {
        if let Some(actions) = statement["Action"].as_array_mut() {
            actions.retain(|one| one != action);
        }
    }
    statements.retain(|statement| statement["Action"] != json!([]) && statement["Action"] != action);
    json!({ "Version": document["Version"], "Statement": statements })
}
