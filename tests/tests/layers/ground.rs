//! What the layers that stand on others are tested on: a network, roles, repositories and the probe's code.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use skydeck_aws::client::Clients;
use skydeck_aws::layer::network::Network;
use skydeck_core::Scope;
use skydeck_core::facts::{IdentityFacts, RegistryFacts};
use skydeck_core::layer::balancer::PROBE_CODE_KEY;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::{Emulator, apply};

/// The platform under a name that no other test uses, with a network, roles, repositories and the probe's code.
pub(crate) async fn ground(name: &str, emulator: &Emulator) -> Scope {
    let clients = &emulator.clients;
    let mut scope = emulator.scope(name).await;
    scope.home = format!("skydeck-home-{name}");
    apply::<Network>(emulator, &mut scope).await;
    scope.facts.identity = Some(roles(clients, &scope).await);
    let uri = |service: &String| {
        let (account, name) = (&scope.account, scope.name(service));
        (service.clone(), format!("{account}.dkr.ecr.ap-south-1.amazonaws.com/{name}"))
    };
    let repository_uris = scope.platform.services.keys().map(uri).collect();
    scope.facts.registry = Some(RegistryFacts { repository_uris });
    upload_probe(clients, &scope.home, "first").await;
    scope
}

async fn roles(clients: &Clients, scope: &Scope) -> IdentityFacts {
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": { "Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "lambda.amazonaws.com"] },
        }],
    });
    let role = async |thing: String| {
        let name = scope.name(&thing);
        let request = clients.iam.create_role().role_name(&name).assume_role_policy_document(policy.to_string());
        request.send().await.unwrap().role().unwrap().arn().to_owned()
    };
    let profile = clients.iam.create_instance_profile().instance_profile_name(scope.name("instance"));
    let profile = profile.send().await.unwrap();
    let mut facts = IdentityFacts {
        instance_role_arn: role("instance".into()).await,
        instance_profile_arn: profile.instance_profile().unwrap().arn().to_owned(),
        probe_role_arn: role("probe".into()).await,
        execution_role_arns: BTreeMap::new(),
        task_role_arns: BTreeMap::new(),
    };
    for service in scope.platform.services.keys() {
        facts.execution_role_arns.insert(service.clone(), role(format!("{service}-execution")).await);
        facts.task_role_arns.insert(service.clone(), role(format!("{service}-task")).await);
    }
    facts
}

/// Uploads code of the probe function as bootstrap does, with its hash as metadata. Returns the hash.
pub(crate) async fn upload_probe(clients: &Clients, bucket: &str, text: &str) -> String {
    let location = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::ApSouth1)
        .build();
    // The bucket is there from the first time.
    let _ = clients.s3.create_bucket().bucket(bucket).create_bucket_configuration(location).send().await;
    let (zip, hash) = archive(text);
    let request = clients.s3.put_object().bucket(bucket).key(PROBE_CODE_KEY).body(zip.into());
    request.metadata("code-sha256", &hash).metadata("architecture", "x86_64").send().await.unwrap();
    hash
}

/// An archive with a `bootstrap` that never answers anything, and the base64 of its SHA-256.
fn archive(text: &str) -> (Vec<u8>, String) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    zip.write_all(format!("#!/bin/sh\n# {text}\n").as_bytes()).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let hash = BASE64.encode(Sha256::digest(&bytes));
    (bytes, hash)
}
