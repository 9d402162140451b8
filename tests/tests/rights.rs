//! The policies against what runs have shown and against a linter: nothing is allowed that nobody needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use skydeck_bootstrap::{Account, install};
use skydeck_sandbox::venv::{PARLIAMENT, Venv};
use skydeck_tests::permissions::{allowed, draw, removed, seen, unseen};
use skydeck_tests::root;

/// Names the seed of a removal that is to be tried again.
const SEED: &str = "SKYDECK_REMOVAL_SEED";

#[test]
fn the_functions_may_do_what_runs_have_shown_and_else_only_what_a_reason_is_known_for() {
    let (allowed, seen, (unseen, idle)) = (allowed(), seen(), unseen());
    assert!(seen.len() > 200, "{}", seen.len());
    let none = BTreeSet::new();
    let known = &seen | &unseen;
    assert_eq!(&allowed - &known, none, "allowed, never seen, and without a reason");
    assert_eq!(&known - &allowed, none, "seen or explained, and not allowed");
    assert_eq!(&seen & &unseen, none, "seen, so that a reason is not needed any more");
    assert_eq!(idle, Vec::<&str>::new(), "reasons for nothing");
}

/// Another one each time; `cargo run -p skydeck-tests --bin permissions -- --removals 10` tries more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_taken_away_is_missed() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    for pair in draw(1, seed) {
        println!("{SEED}={seed}: {} without {}", pair.0, pair.1);
        assert!(Box::pin(removed(&pair)).await, "{SEED}={seed}: {} without {}", pair.0, pair.1);
    }
}

/// What the linter says of each policy and what does not hold: its data is older than AWS's service authorization reference, and it
/// wants all resources of an action in one statement.
const MUTED: [(&str, &str); 6] = [
    ("RESOURCE_MISMATCH", ""),
    // With the reason in the table.
    ("RESOURCE_STAR", ""),
    // AWS's own pages compare the boundary so.
    ("MISMATCHED_TYPE_BUT_USABLE", "StringEquals requires a value of type String but given Arn"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "iam:PermissionsBoundary for action iam:DeleteRole"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "iam:PermissionsBoundary for action iam:UpdateAssumeRolePolicy"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "elasticloadbalancing:CreateAction for action elasticloadbalancing:AddTags"),
];

#[tokio::test]
async fn a_linter_finds_nothing_in_the_policies() {
    let venv = root().join("target/sandbox/venv-parliament");
    Venv::make(&venv, PARLIAMENT, &|_| ()).await.expect("the linter can be installed");
    let account = Account::of("111122223333", "eu-central-1");
    let policies = install::policies(&account).into_iter().chain(install::daily_policies(&account));
    let dir = tempfile::tempdir().expect("a directory");
    for (name, document) in policies {
        std::fs::write(dir.path().join(format!("{name}.json")), document.to_string()).expect("a file");
    }
    // It finds what is wrong at all.
    let wrong = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObjects","Resource":"*"}]}"#;
    std::fs::write(dir.path().join("wrong.json"), wrong).expect("a file");
    let found = findings(&venv, dir.path());
    let told = |finding: &Value| format!("{} {}", finding["issue"], finding["detail"]);
    let (expected, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|finding| {
        finding["location"]["filepath"].as_str().is_some_and(|path| path.ends_with("/wrong.json"))
    });
    assert!(expected.iter().any(|finding| finding["issue"] == "UNKNOWN_ACTION"), "{expected:?}");
    let is_muted = |finding: &Value, (issue, detail): &(&str, &str)| {
        finding["issue"] == *issue && finding["detail"].to_string().contains(detail)
    };
    let told: Vec<String> =
        rest.iter().filter(|finding| !MUTED.iter().any(|muted| is_muted(finding, muted))).map(told).collect();
    assert_eq!(told, Vec::<String>::new());
    let unused = MUTED.iter().filter(|muted| !rest.iter().any(|finding| is_muted(finding, muted)));
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
}

fn findings(venv: &Path, policies: &Path) -> Vec<Value> {
    let output = Command::new(venv.join("bin/parliament")).arg("--directory").arg(policies).arg("--json").output();
    let output = output.expect("the linter can be started");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    lines.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}
