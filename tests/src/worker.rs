//! A function's role in a sandbox without the function: what a layer does is done with the rights of its role.

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use serde_json::{Value, json};
use skydeck_aws::Clients;
use skydeck_bootstrap::{Account, install};
use skydeck_sandbox::{ACCOUNT, Sandbox};

/// Makes the role of a function as an installation does, and takes it.
///
/// # Panics
/// Where IAM or STS refuse.
pub(crate) async fn hire(sandbox: &Sandbox, person: &Clients, function: &'static str) -> Clients {
    let account = Account::of(ACCOUNT, sandbox.region());
    let role = account.role_name(function);
    let keys = role_keys(person, &role, &install::policies(&account)[&role]).await;
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(sandbox.endpoint())
        .region(Region::new(sandbox.region().to_owned()))
        .credentials_provider(keys);
    Clients::load(config, "skydeck-tests").await
}

/// Makes a role with a policy; returns keys of it, as they are issued to whoever takes it.
///
/// # Panics
/// Where IAM or STS refuse.
pub async fn role_keys(person: &Clients, role: &str, policy: &Value) -> Credentials {
    let statement = json!({
        "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "sts:AssumeRole",
    });
    let trust = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let made = person.iam().create_role().role_name(role).assume_role_policy_document(trust).send().await;
    let arn = made.expect("a role").role.expect("it").arn;
    let request = person.iam().put_role_policy().role_name(role).policy_name("policy");
    request.policy_document(policy.to_string()).send().await.expect("its policy");
    let taken = person.sts().assume_role().role_arn(arn).role_session_name("tests").send().await.expect("a session");
    let keys = taken.credentials.expect("keys");
    let token = Some(keys.session_token);
    Credentials::new(keys.access_key_id, keys.secret_access_key, token, None, "tests")
}
