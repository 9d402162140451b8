//! What the layers that stand on others are tested on: a network, roles, repositories and the probe's code.

use std::collections::BTreeMap;

use skydeck_aws::client::Clients;
use skydeck_aws::layer::network::Network;
use skydeck_core::Scope;
use skydeck_core::facts::{IdentityFacts, RegistryFacts};
use skydeck_tests::probe;

use super::harness::{Emulator, apply};

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
    probe::upload(clients, &scope.home, "first").await;
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
        let name = scope.global_name(&thing);
        let request = clients.iam().create_role().role_name(&name).assume_role_policy_document(policy.to_string());
        request.send().await.unwrap().role().unwrap().arn().to_owned()
    };
    let profile = clients.iam().create_instance_profile().instance_profile_name(scope.global_name("instance"));
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
