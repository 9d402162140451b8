//! Roles, their policies, the instance profile, service-linked roles.

use aws_sdk_iam::types::Tag;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use skydeck_aws::client::Clients;
use skydeck_aws::layer::identity::Identity;
use skydeck_core::Scope;
use skydeck_core::run::Mode;

use super::harness::{Emulator, apply, destroy, emulators, refusal, repair, run, sandbox};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"Service":"batch.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

#[tokio::test]
async fn roles_are_made_kept_and_removed() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = emulator.scope("roles").await;
        let foreign = foreign_role(clients, &scope.name("foreign")).await;

        let attempt = apply::<Identity>(&emulator, &mut scope).await;
        assert!(
            attempt.report.notes.is_empty(),
            "what is somebody else's is not talked about: {:?}",
            attempt.report.notes
        );
        let facts = attempt.facts.identity.expect("facts");
        let role = |name: &str| scope.iam_arn("role/skydeck/ap-south-1/roles-devprod", name);
        assert_eq!(facts.instance_role_arn, role("roles-devprod-instance-ap-south-1"));
        assert_eq!(
            facts.instance_profile_arn,
            scope.iam_arn("instance-profile/skydeck/ap-south-1/roles-devprod", "roles-devprod-instance-ap-south-1")
        );
        assert_eq!(facts.probe_role_arn, role("roles-devprod-probe-ap-south-1"));
        assert_eq!(facts.execution_role_arns.len() + facts.task_role_arns.len(), 6);
        read_back(clients, &scope).await;
        drift(&emulator, &scope).await;

        destroy::<Identity>(&emulator, &scope).await;
        let left = clients.iam().list_roles().path_prefix("/").send().await.expect("roles");
        let ours = left.roles().iter().map(|role| role.role_name()).filter(|name| name.starts_with("roles-"));
        assert_eq!(ours.collect::<Vec<_>>(), [foreign.as_str()], "{}", emulator.name);
    }
}

#[tokio::test]
async fn only_the_platforms_own_roles_are_read() {
    const FOREIGN: usize = 200;
    let emulator = sandbox().await;
    let mut scope = emulator.scope("own").await;
    for number in 0..FOREIGN {
        foreign_role(&emulator.clients, &format!("somebody-{number}")).await;
    }
    apply::<Identity>(&emulator, &mut scope).await;
    let before = emulator.last_call();
    run::<Identity>(&emulator, &scope, Mode::Plan).await;
    let calls = emulator.calls_since(before).unwrap();
    let of = |action: &str| calls.iter().filter(|call| call.action == action).count();
    // Two for each service, that of the instances, and the probe's.
    let ours = 2 * scope.platform.services.len() + 2;
    for each in ["GetRole", "ListAttachedRolePolicies", "ListRolePolicies"] {
        assert_eq!(of(each), ours, "{each}");
    }
    assert_eq!(of("ListRoles"), 2, "those under the platform's path, and service-linked ones");
    assert!(calls.len() <= 5 * ours, "{} calls", calls.len());
    assert!(!calls.iter().any(|call| call.resource.as_deref().is_some_and(|name| name.starts_with("somebody"))));

    // The roles of a service that has left the file are found by their path.
    scope.platform.services.remove("movie");
    destroy::<Identity>(&emulator, &scope).await;
    let left = emulator.clients.iam().list_roles().path_prefix("/skydeck/").send().await.unwrap();
    assert!(left.roles().is_empty(), "{:?}", left.roles());
}

async fn foreign_role(clients: &Clients, name: &str) -> String {
    let request = clients.iam().create_role().role_name(name).assume_role_policy_document(TRUST);
    request.send().await.expect("a foreign role");
    name.to_owned()
}

async fn read_back(clients: &Clients, scope: &Scope) {
    let iam = clients.iam();
    let managed = |thing: &str| iam.list_attached_role_policies().role_name(scope.global_name(thing)).send();
    for (thing, wanted) in [
        ("instance", vec!["AmazonEC2ContainerServiceforEC2Role", "AmazonSSMManagedInstanceCore"]),
        ("probe", vec!["AWSLambdaVPCAccessExecutionRole"]),
        ("backend-execution", vec!["AmazonECSTaskExecutionRolePolicy"]),
        ("movie-task", vec![]),
    ] {
        let attached = managed(thing).await.expect("attached policies");
        let mut names: Vec<&str> = attached.attached_policies().iter().filter_map(|one| one.policy_name()).collect();
        names.sort_unstable();
        assert_eq!(names, wanted, "{thing}");
    }
    let role = iam.get_role().role_name(scope.global_name("backend-task")).send().await.expect("a role");
    let role = role.role().expect("a role");
    assert_eq!(
        document(role.assume_role_policy_document().expect("trust"))["Statement"],
        json!({
            "Effect": "Allow",
            "Principal": { "Service": "ecs-tasks.amazonaws.com" },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "aws:SourceAccount": scope.account } },
        })
    );
    for (key, value) in [("Service", "backend"), ("Project", "roles"), ("Team", "cinema")] {
        assert!(role.tags().iter().any(|tag| (tag.key(), tag.value()) == (key, value)), "{key}");
    }
    let request = iam.get_role_policy().role_name(scope.global_name("backend-task")).policy_name("buckets");
    let buckets = document(request.send().await.expect("a policy").policy_document());
    assert_eq!(buckets["Statement"][1]["Resource"], "arn:aws:s3:::roles-devprod-profile-images/*");
    let request = iam.get_role_policy().role_name(scope.global_name("movie-execution")).policy_name("parameters");
    let parameters = document(request.send().await.expect("a policy").policy_document());
    let parameter = scope.arn("ssm", "parameter/roles-backend/movie-service-api-key");
    assert_eq!(
        parameters["Statement"],
        json!({
            "Effect": "Allow",
            "Action": "ssm:GetParameters",
            "Resource": parameter,
            "Condition": { "StringEquals": { "aws:ResourceTag/skydeck:installation": scope.platform.region } },
        })
    );
}

fn document(text: &str) -> Value {
    serde_json::from_str(&percent_decode_str(text).decode_utf8_lossy()).expect("JSON")
}

async fn drift(emulator: &Emulator, scope: &Scope) {
    let (iam, task, instance) =
        (emulator.clients.iam(), scope.global_name("backend-task"), scope.global_name("instance"));
    iam.update_assume_role_policy().role_name(&task).policy_document(TRUST).send().await.expect("drift");
    repair::<Identity>(emulator, scope, "trust").await;
    iam.delete_role_permissions_boundary().role_name(&task).send().await.expect("drift");
    repair::<Identity>(emulator, scope, "boundary").await;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    iam.attach_role_policy().role_name(&task).policy_arn(admin).send().await.expect("drift");
    repair::<Identity>(emulator, scope, "managed").await;
    let request = iam.put_role_policy().role_name(&task).policy_name("extra").policy_document(POLICY);
    request.send().await.expect("drift");
    repair::<Identity>(emulator, scope, "inline.extra").await;
    iam.untag_role().role_name(&task).tag_keys("Service").send().await.expect("drift");
    repair::<Identity>(emulator, scope, "tags.Service").await;
    let request = iam.remove_role_from_instance_profile().instance_profile_name(&instance).role_name(&instance);
    request.send().await.expect("drift");
    repair::<Identity>(emulator, scope, "role").await;
}

#[tokio::test]
async fn a_role_name_that_is_taken_is_refused_until_it_is_free() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let scope = emulator.scope("taken-role").await;
        let name = foreign_role(clients, &scope.global_name("movie-task")).await;
        let tags = Tag::builder().key("team").value("other").build().expect("a tag");
        clients.iam().tag_role().role_name(&name).tags(tags).send().await.expect("tags");
        let (kind, text) = refusal::<Identity>(&emulator, &scope, Mode::Apply).await;
        assert_eq!(kind, "Taken");
        assert!(text.contains(&name), "{text}");
        clients.iam().delete_role().role_name(&name).send().await.expect("free it");
        run::<Identity>(&emulator, &scope, Mode::Apply).await;
        destroy::<Identity>(&emulator, &scope).await;
    }
}
