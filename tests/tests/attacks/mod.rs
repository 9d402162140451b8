//! What an installation's roles must not do, tried with their own policies by a simulator of IAM: the ways to become an
//! administrator, to read what is another team's, to run what is not skydeck's. Beside each stands what the role is there to do, which
//! has to be allowed.

mod attempt;
mod fence;
mod roles;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use skydeck_bootstrap::{Account, install};
use skydeck_tests::node;

use attempt::{ACCOUNT, OURS, REGION, Try, Who, iam};
use fence::{beside_the_fence, of_others};
use roles::{by_handing_on, records_and_values, through_a_platforms_role, to_administrator};

fn request(policies: &BTreeMap<String, Value>, tried: &Try) -> Value {
    let everything =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let (principal, policy, boundary) = match tried.who {
        Who::Function(name) => {
            let role = format!("skydeck-{name}-{REGION}");
            (iam("role", &role), policies[&role].clone(), Value::Null)
        }
        Who::Platform => (OURS.to_owned(), everything, policies[&format!("skydeck-boundary-{REGION}")].clone()),
    };
    let mut context = tried.context.clone();
    context["aws:SecureTransport"] = "true".into();
    context["aws:PrincipalArn"] = principal.clone().into();
    json!({
        "principal": principal,
        "account": ACCOUNT,
        "policy": policy,
        "boundary": boundary,
        "action": tried.action,
        "resource": tried.resource,
        "context": context,
    })
}

/// What one of the programs says of a list.
fn told(program: &str, list: &Value) -> Vec<String> {
    let programs = node::programs();
    let installed = programs.ancestors().nth(2).expect("the directory of the packages");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join(program);
    let mut command = Command::new("node");
    command.arg(program).current_dir(installed).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("node can be started");
    child.stdin.take().expect("a pipe").write_all(list.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("a list of texts")
}

#[test]
fn no_role_of_an_installation_leads_further_than_its_work() {
    let policies = install::policies(&Account::of(ACCOUNT, REGION));
    let all = [
        to_administrator(),
        by_handing_on(),
        of_others(),
        beside_the_fence(),
        through_a_platforms_role(),
        records_and_values(),
    ];
    let tries: Vec<Try> = all.into_iter().flatten().collect();
    let requests: Vec<Value> = tries.iter().map(|tried| request(&policies, tried)).collect();
    let verdicts = told("judge.mjs", &requests.into());
    assert_eq!(verdicts.len(), tries.len());
    let mut wrong = Vec::new();
    for (tried, verdict) in tries.iter().zip(verdicts) {
        // A key's own policy may allow what no policy of a role does: only a deny keeps it.
        let refusals: &[&str] =
            if tried.action.starts_with("kms:") { &["refused by a deny"] } else { &["refused", "refused by a deny"] };
        let right = if tried.allowed { verdict == "allowed" } else { refusals.contains(&&*verdict) };
        let who = match tried.who {
            Who::Function(name) => name,
            Who::Platform => "a platform's role",
        };
        if !right {
            wrong.push(format!("{who}: {} ({} on {}): {verdict}", tried.what, tried.action, tried.resource));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} requests judged", tries.len());
}

/// A condition on a key that AWS does not give an action holds for nobody: what it is on would be denied for ever.
#[test]
fn aws_knows_the_tag_of_each_resource_that_a_policy_asks_for_it() {
    let policies = install::policies(&Account::of(ACCOUNT, REGION));
    let statements = policies.values().flat_map(|document| document["Statement"].as_array().expect("statements"));
    let key = "aws:ResourceTag/skydeck:installation";
    let asking = statements.filter(|statement| statement["Condition"]["StringEquals"].get(key).is_some());
    let actions = asking.flat_map(|statement| statement["Action"].as_array().expect("actions"));
    let actions: BTreeSet<&str> = actions.filter_map(Value::as_str).collect();
    assert!(actions.len() > 40, "{actions:?}");
    let without = told("keys.mjs", &json!(actions));
    // Overwriting: where AWS denies it, the parameter is deleted, which is asked of its tag, and made anew.
    assert_eq!(without, ["ssm:PutParameter"], "of {} actions", actions.len());
}
