//! Who may do what: the policy documents of an installation.

mod boundary;
mod daily;
mod listing;
mod reach;
mod records;
mod table;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use skydeck_aws::function::{FUNCTIONS, Function};

use crate::context::Account;

pub(super) use boundary::boundary;
pub use listing::lines;

/// The role of the state machines.
pub(super) const STATES: &str = "states";
/// The role by which EventBridge starts them.
pub(super) const EVENTS: &str = "events";

/// A role of an installation.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) name: String,
    /// The service that takes it.
    pub(super) service: &'static str,
    /// What it allows.
    pub(super) policy: Value,
}

/// All roles of an installation: one for each function, and two for what calls them.
pub(super) fn roles(account: &Account) -> Vec<Role> {
    let role = |thing: &str, service, policy| Role { name: account.role_name(thing), service, policy };
    let functions: Vec<String> = FUNCTIONS.iter().map(|function| function.name.to_owned()).collect();
    let machines = [account.machine("rollout"), account.machine("sweep")];
    let mut roles = vec![
        role(STATES, "states.amazonaws.com", states(account, &functions)),
        role(EVENTS, "events.amazonaws.com", events(&machines)),
    ];
    let of = |known: &Function| role(known.name, "lambda.amazonaws.com", function(account, known));
    roles.extend(FUNCTIONS.iter().map(of));
    roles
}

/// The policies of those who use skydeck daily, by what they are.
pub(super) fn daily(account: &Account) -> BTreeMap<String, Value> {
    daily::DAILY.iter().map(|who| (who.name.to_owned(), daily::policy(account, who))).collect()
}

/// Lets a service of AWS take the role.
pub(super) fn trust(service: &str) -> Value {
    document(&[json!({
        "Effect": "Allow",
        "Principal": { "Service": service },
        "Action": "sts:AssumeRole",
    })])
}

/// What a function may do: its own actions, its records, its log, and nothing else.
fn function(account: &Account, function: &Function) -> Value {
    let bucket = account.bucket();
    let log = account.arn("logs", &format!("log-group:{}:*", super::log_group(function.name)));
    let mut statements = vec![json!({
        "Sid": "Log",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": log,
    })];
    statements.extend(records::statements(account, function.name));
    statements.extend(reach::statements(account, function));
    if function.actions.contains(&"s3:DeleteBucket") {
        // Of the platforms' buckets nothing but the name is known, which skydeck's own would do for as well.
        statements.push(json!({
            "Sid": "NeverTheOwnBucket",
            "Effect": "Deny",
            "Action": ["s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:PutBucket*", "s3:PutEncryptionConfiguration"],
            "Resource": [account.s3(&bucket), account.s3(&format!("{bucket}/*"))],
        }));
    }
    statements.extend(denials(account, function));
    document(&statements)
}

/// What no other statement, and none that somebody adds to the role, brings back.
fn denials(account: &Account, function: &Function) -> Vec<Value> {
    let mut denials = Vec::new();
    let ours = ["role", "instance-profile"].map(|kind| account.iam(kind, &format!("skydeck/{}/*", account.region)));
    let only_ours = |actions: &[&str]| json!({ "Sid": "OnlyPlatformsRoles", "Effect": "Deny", "Action": actions, "NotResource": ours });
    if function.actions.contains(&"iam:CreateRole") {
        denials.push(only_ours(&ROLES));
        denials.push(json!({ "Sid": "NeverTheBoundary", "Effect": "Deny", "Action": BOUNDARIES, "Resource": "*" }));
    } else if function.actions.contains(&"iam:PassRole") {
        denials.push(only_ours(&["iam:PassRole"]));
    }
    // AWS's own key for parameters lets everybody in the account decrypt through Systems Manager.
    if !DECRYPTING.contains(&function.name) {
        denials.push(json!({
            "Sid": "NoSecrets",
            "Effect": "Deny",
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": { "StringLike": { "kms:ViaService": "ssm.*" } },
        }));
    }
    denials
}

/// Changes of roles and instance profiles, and handing them on. Service-linked roles are made by a call of their own.
const ROLES: [&str; 14] = [
    "iam:AddRoleToInstanceProfile",
    "iam:AttachRolePolicy",
    "iam:CreateInstanceProfile",
    "iam:CreateRole",
    "iam:DeleteInstanceProfile",
    "iam:DeleteRole*",
    "iam:DetachRolePolicy",
    "iam:PassRole",
    "iam:PutRole*",
    "iam:RemoveRoleFromInstanceProfile",
    "iam:TagInstanceProfile",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:Update*",
];
/// Changes of the boundary itself, and taking it off a role.
const BOUNDARIES: [&str; 4] =
    ["iam:CreatePolicy*", "iam:DeletePolicy*", "iam:DeleteRolePermissionsBoundary", "iam:SetDefaultPolicyVersion"];
/// The functions that read the values which the platform file itself gives, to compare them.
const DECRYPTING: [&str; 2] = ["prepare", "secrets"];

/// What the state machines may do: call the functions by their aliases, and the platforms' probes.
fn states(account: &Account, functions: &[String]) -> Value {
    let mut callable: Vec<String> = functions.iter().map(|name| account.live(name)).collect();
    // A platform's own function inside its VPC, which the balancer layer makes, has no alias.
    callable.push(account.arn("lambda", "function:skydeck-*-probe"));
    document(&[json!({ "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": callable })])
}

/// What EventBridge may do: start the state machines.
fn events(machines: &[String]) -> Value {
    document(&[json!({ "Effect": "Allow", "Action": "states:StartExecution", "Resource": machines })])
}

/// The policy of the queue for what could not be delivered: only this account's rules of skydeck write to it.
pub(super) fn dead_letters(account: &Account) -> Value {
    document(&[json!({
        "Sid": "Rules",
        "Effect": "Allow",
        "Principal": { "Service": "events.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": account.arn("sqs", super::events::DEAD_LETTERS),
        "Condition": { "ArnLike": { "aws:SourceArn": account.arn("events", "rule/skydeck-*") } },
    })])
}

/// The bucket's own policy: nobody without TLS.
pub(super) fn bucket(account: &Account) -> Value {
    let bucket = account.bucket();
    document(&[json!({
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [account.s3(&bucket), account.s3(&format!("{bucket}/*"))],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })])
}

fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Whether a policy that AWS returns is the wanted one. IAM returns documents percent-encoded.
pub(super) fn is_same(found: &str, wanted: &Value) -> bool {
    let found = percent_encoding::percent_decode_str(found).decode_utf8_lossy();
    serde_json::from_str::<Value>(&found).is_ok_and(|found| &found == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn account() -> Account {
        Account { id: "111122223333".into(), partition: "aws".into(), region: "ap-south-1".into() }
    }

    #[test]
    fn a_function_may_do_its_actions_and_keep_its_records_and_nothing_else() {
        let network = Function { name: "network", actions: &["ec2:DescribeVpcs", "ec2:CreateVpc"] };
        insta::assert_json_snapshot!("function_policy", function(&account(), &network));
    }

    #[test]
    fn a_function_without_actions_has_no_statement_on_the_platform() {
        let document = function(&account(), &Function { name: "conclude", actions: &[] });
        for statement in document["Statement"].as_array().unwrap() {
            assert!(statement["Effect"] == "Deny" || statement["Resource"] != "*", "{statement}");
        }
    }

    /// IAM has one set of names for all regions of an account.
    #[test]
    fn installations_of_two_regions_share_nothing_in_iam() {
        let other = Account { region: "eu-central-1".into(), ..account() };
        let (here, there) = (super::super::policies(&account()), super::super::policies(&other));
        assert!(here.keys().all(|name| !there.contains_key(name)), "{:?}", here.keys());
        for (name, document) in here {
            let text = document.to_string();
            assert!(!text.contains("eu-central-1"), "{name}");
            // What it may do to roles and policies is in its own region.
            let writes = text.contains("iam:PutRolePolicy") || text.contains("iam:PassRole");
            assert!(!writes || text.contains(":role/skydeck/ap-south-1/*"), "{name}");
        }
    }

    /// Characters that IAM takes of a role's own policies, white space not counted
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    const INLINE: usize = 10_240;

    #[test]
    fn every_policy_fits_into_its_role() {
        let longest = Account { partition: "aws-us-gov".into(), region: "ap-southeast-1".into(), ..account() };
        for account in [account(), longest] {
            for (name, document) in super::super::policies(&account) {
                let length = document.to_string().len();
                assert!(length < INLINE, "{name}: {length}");
            }
        }
    }

    /// Whoever gives them to people gives them as managed policies, whose limit is lower.
    #[test]
    fn what_people_and_pipelines_get_fits_into_a_managed_policy() {
        let longest = Account { partition: "aws-us-gov".into(), region: "ap-southeast-1".into(), ..account() };
        for (name, document) in daily(&longest) {
            let length = document.to_string().len();
            assert!(length < 6144, "{name}: {length}");
        }
    }

    #[test]
    fn state_machines_call_aliases_only() {
        insta::assert_json_snapshot!("states_policy", states(&account(), &["prepare".into(), "network".into()]));
    }

    #[test]
    fn the_bucket_refuses_what_comes_without_tls() {
        insta::assert_json_snapshot!("bucket_policy", bucket(&account()));
    }

    #[test]
    fn a_percent_encoded_policy_is_the_same_policy() {
        let text = trust("lambda.amazonaws.com").to_string();
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert!(is_same(&encoded, &trust("lambda.amazonaws.com")));
        assert!(!is_same(&encoded, &trust("states.amazonaws.com")));
    }
}
