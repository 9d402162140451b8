//! The statement in a bucket's policy that refuses what comes without TLS. A bucket has one policy, and a team may have others in it: those
//! stay, and ours is known by its `Sid`.

use serde_json::{Map, Value, json};

use crate::layer::identity::Policy;
use crate::scope::Scope;

const SID: &str = "SkydeckTlsOnly";

fn statement(scope: &Scope, bucket: &str) -> Value {
    let arn = format!("arn:{}:s3:::{bucket}", scope.partition);
    json!({
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })
}

/// The statements of a policy; IAM reads one by itself as a list of it.
fn statements(policy: &Map<String, Value>) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

fn parse(policy: Option<&str>) -> Map<String, Value> {
    policy.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Whether a bucket with this policy refuses what comes without TLS.
#[must_use]
pub fn refuses_plain_text(scope: &Scope, bucket: &str, policy: Option<&str>) -> bool {
    let wanted = Policy::new(statement(scope, bucket));
    statements(&parse(policy)).into_iter().any(|found| Policy::new(found) == wanted)
}

/// The policy with which it does: what others say in the one that is there stays as it is.
#[must_use]
pub fn refusing_plain_text(scope: &Scope, bucket: &str, policy: Option<&str>) -> String {
    let mut policy = parse(policy);
    let others = statements(&policy).into_iter().filter(|found| found["Sid"] != SID);
    let all: Vec<Value> = others.chain([statement(scope, bucket)]).collect();
    policy.entry("Version").or_insert_with(|| "2012-10-17".into());
    policy.insert("Statement".into(), all.into());
    Value::Object(policy).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::fixtures::scope;

    const BUCKET: &str = "shop-prod-files";

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_bucket_without_a_policy_gets_the_statement_and_one_with_it_keeps_it() {
        let scope = scope();
        assert!(!refuses_plain_text(&scope, BUCKET, None));
        let made = refusing_plain_text(&scope, BUCKET, None);
        assert!(refuses_plain_text(&scope, BUCKET, Some(&made)));
        assert_eq!(refusing_plain_text(&scope, BUCKET, Some(&made)), made);
        // As S3 may give it back.
        let alone = read(&made)["Statement"][0].clone();
        let alone = json!({ "Version": "2012-10-17", "Statement": alone }).to_string();
        assert!(refuses_plain_text(&scope, BUCKET, Some(&alone)));
    }

    #[test]
    fn what_others_say_stays_and_what_was_made_of_ours_does_not() {
        let scope = scope();
        let theirs = json!({ "Sid": "Theirs", "Effect": "Allow", "Principal": { "AWS": "111122223333" },
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop-prod-files/*" });
        let mut weak = statement(&scope, BUCKET);
        weak["Action"] = "s3:PutObject".into();
        for found in [json!(theirs), json!([theirs, weak])] {
            let found = json!({ "Version": "2008-10-17", "Id": "theirs", "Statement": found }).to_string();
            assert!(!refuses_plain_text(&scope, BUCKET, Some(&found)));
            let made = read(&refusing_plain_text(&scope, BUCKET, Some(&found)));
            let wanted =
                json!({ "Version": "2008-10-17", "Id": "theirs", "Statement": [theirs, statement(&scope, BUCKET)] });
            assert_eq!(made, wanted);
        }
    }
}
