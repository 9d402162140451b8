//! What each function, and who uses skydeck daily, writes and deletes of the platforms' records, in skydeck's own bucket. All
//! but one read.
//!
//! Rollouts work by what lies there, so that each function writes the keys that are its own, and no other.

use serde_json::{Value, json};
use skydeck_core::run::{Layer, PASSING};

use super::super::version;
use super::daily::DAILY;
use crate::context::Account;

/// Keys under `platforms/<platform>/`.
#[derive(Default)]
struct Keys {
    writes: Vec<String>,
    /// Of these, what only tells what was, and is tagged so.
    passing: Vec<String>,
    forgets: Vec<String>,
}

fn keys(function: &str) -> Keys {
    let of = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    if Layer::ALL.iter().any(|layer| layer.to_string() == function) {
        let passing = vec![format!("runs/*/{function}.json"), format!("runs/*/plan/{function}.json")];
        return Keys { writes: vec![format!("drift/{function}.json")], passing, forgets: Vec::new() };
    }
    let (writes, passing, forgets): (&[&str], &[&str], &[&str]) = match function {
        "prepare" => (&["lock.json", "platform.toml"], &[], &[]),
        "approve" => (&["platform.toml"], &[], &[]),
        "conclude" => (
            &["applied.json", "drift.json", "outputs.json"],
            &["plans/*.json", "runs/*/conclusion.json"],
            &["drift.json", "lock.json", "outputs.json"],
        ),
        "dispatch" => (&["applied.json"], &[], &[]),
        "decide" => (&["services/*/tags.json"], &[], &[]),
        "sweep" => (&["services/*/ledger/*.json", "services/*/record.json", "services/*/tags.json"], &[], &[]),
        "release" | "rollback" => (&["services/*/ledger/*.json", "services/*/record.json"], &[], &[]),
        // A person's `plan` and `apply` of a file, `suspend` and `resume`.
        "operator" => (&["services/*/record.json"], &["plans/*.toml"], &[]),
        "settle" => (&["services/*/ledger/*.json", "services/*/record.json"], &[], &["services/*/ledger/*.json"]),
        _ => (&[], &[], &[]),
    };
    Keys { writes: of(writes), passing: of(passing), forgets: of(forgets) }
}

/// What somebody reads of the records. A run works by the version of the platform file that it began with; whoever works by what was applied
/// reads no versions.
fn reads(function: &str) -> &'static [&'static str] {
    match function {
        // It asks services, by what it is told.
        "ask" => &[],
        "decide" | "look" | "operator" | "pipeline" | "release" | "rollback" | "settle" | "sweep" | "viewer" => {
            &["s3:GetObject"]
        }
        _ => &["s3:GetObject", "s3:GetObjectVersion"],
    }
}

/// The statements that let a function read the records, and keep its own.
pub(super) fn statements(account: &Account, function: &str) -> Vec<Value> {
    if reads(function).is_empty() {
        return Vec::new();
    }
    let Keys { writes, passing, forgets } = keys(function);
    let bucket = account.bucket();
    let arn = |key: &String| account.s3(&format!("{bucket}/platforms/*/{key}"));
    let allow = |sid: &str, actions: &[&str], on: Vec<String>| json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": on });
    let mut read = vec!["platforms/*"];
    if DAILY.iter().any(|who| who.name == function) {
        // `version`.
        read.push(version::KEY);
    }
    let readable = read.iter().map(|key| account.s3(&format!("{bucket}/{key}"))).collect();
    let mut statements = vec![
        allow("ReadRecords", reads(function), readable),
        // Without it, S3 answers 403 where an object is missing.
        json!({
            "Sid": "FindRecords",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": account.s3(&bucket),
            "Condition": { "StringLike": { "s3:prefix": read } },
        }),
    ];
    let written: Vec<String> = writes.iter().chain(&passing).map(arn).collect();
    if !written.is_empty() {
        statements.push(allow("WriteRecords", &["s3:PutObject"], written));
    }
    if !passing.is_empty() {
        let mut mark = allow("MarkPassing", &["s3:PutObjectTagging"], passing.iter().map(arn).collect());
        mark["Condition"] = json!({ "ForAllValues:StringEquals": { "s3:RequestObjectTagKeys": [PASSING.0] } });
        statements.push(mark);
    }
    if !forgets.is_empty() {
        statements.push(allow("ForgetRecords", &["s3:DeleteObject"], forgets.iter().map(arn).collect()));
    }
    statements
}
