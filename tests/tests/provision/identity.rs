//! IAM roles: one instance role, and for each service a task role and a task execution role of its own.

use std::collections::BTreeSet;

use serde_json::Value;
use skydeck_aws::Clients;

pub(crate) async fn assert_as_the_reference_says(aws: &Clients) {
    let profile =
        aws.iam().get_instance_profile().instance_profile_name("skyfox-devprod-instance-ap-south-1").send().await;
    let profile = profile.expect("the instance profile");
    let roles = profile.instance_profile().expect("a profile").roles();
    assert_eq!(roles.iter().map(|role| role.role_name()).collect::<Vec<_>>(), ["skyfox-devprod-instance-ap-south-1"]);
    assert_role(
        aws,
        "instance",
        "ec2.amazonaws.com",
        &["AmazonEC2ContainerServiceforEC2Role", "AmazonSSMManagedInstanceCore"],
    )
    .await;
    assert_role(aws, "probe", "lambda.amazonaws.com", &["AWSLambdaVPCAccessExecutionRole"]).await;

    let secrets: [(&str, &[&str]); 3] = [
        ("backend", &["jwt-secret", "database-url", "movie-service-api-key", "payment-gateway-api-key"]),
        ("payment", &["payment-gateway-api-key"]),
        ("movie", &["movie-service-api-key"]),
    ];
    for (service, parameters) in secrets {
        let execution = format!("{service}-execution");
        assert_role(aws, &execution, "ecs-tasks.amazonaws.com", &["AmazonECSTaskExecutionRolePolicy"]).await;
        let readable = allowed(aws, &execution).await;
        let wanted: BTreeSet<(String, String)> = parameters
            .iter()
            .map(|name| format!("arn:aws:ssm:ap-south-1:000000000000:parameter/skyfox-backend/{name}"))
            .map(|arn| ("ssm:GetParameters".to_owned(), arn))
            .collect();
        let parameters: BTreeSet<_> = readable.into_iter().filter(|(action, _)| action.starts_with("ssm:")).collect();
        assert_eq!(parameters, wanted, "{service} reads its own parameters and no other");
        assert_role(aws, &format!("{service}-task"), "ecs-tasks.amazonaws.com", &[]).await;
    }
    let bucket = "arn:aws:s3:::skyfox-devprod-profile-images";
    let objects =
        ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"].map(|action| (action.to_owned(), format!("{bucket}/*")));
    let mut wanted: BTreeSet<(String, String)> = objects.into();
    wanted.insert(("s3:ListBucket".to_owned(), bucket.to_owned()));
    assert_eq!(allowed(aws, "backend-task").await, wanted);
    assert_eq!(allowed(aws, "payment-task").await, BTreeSet::new(), "payment has no bucket");
    assert_eq!(allowed(aws, "movie-task").await, BTreeSet::new(), "movie has no bucket");

    for name in ["AWSServiceRoleForECS", "AWSServiceRoleForElasticLoadBalancing", "AWSServiceRoleForAutoScaling"] {
        aws.iam().get_role().role_name(name).send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
}

async fn assert_role(aws: &Clients, key: &str, principal: &str, managed: &[&str]) {
    let name = format!("skyfox-devprod-{key}-ap-south-1");
    let answer = aws.iam().get_role().role_name(&name).send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let role = answer.role().expect("a role");
    let boundary = role.permissions_boundary().and_then(|bound| bound.permissions_boundary_arn());
    assert_eq!(boundary, Some("arn:aws:iam::000000000000:policy/skydeck-boundary-ap-south-1"), "{name}");
    assert!(role.arn().contains(":role/skydeck/ap-south-1/skyfox-devprod/"), "{}", role.arn());
    let trust = decoded(role.assume_role_policy_document().unwrap_or_default());
    let trusted = list(&trust["Statement"])[0]["Principal"]["Service"].clone();
    assert_eq!(trusted, principal, "{name}: {trust}");
    let tags: Vec<(&str, &str)> = role.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
    for tag in [("Name", name.as_str()), ("Project", "skyfox"), ("Environment", "devprod")] {
        assert!(tags.contains(&tag), "{name} lacks {tag:?}: {tags:?}");
    }
    let attached = aws.iam().list_attached_role_policies().role_name(&name).send().await.expect("policies");
    let mut attached: Vec<&str> =
        attached.attached_policies().iter().filter_map(|policy| policy.policy_name()).collect();
    attached.sort_unstable();
    assert_eq!(attached, managed, "{name}");
}

/// Every pair of action and resource that a role's inline policies allow.
async fn allowed(aws: &Clients, key: &str) -> BTreeSet<(String, String)> {
    let name = format!("skyfox-devprod-{key}-ap-south-1");
    let policies = aws.iam().list_role_policies().role_name(&name).send().await.expect("policies");
    let mut allowed = BTreeSet::new();
    for policy in policies.policy_names() {
        let answer = aws.iam().get_role_policy().role_name(&name).policy_name(policy).send().await.expect("a policy");
        let document = decoded(answer.policy_document());
        for statement in list(&document["Statement"]) {
            assert_eq!(statement["Effect"], "Allow");
            for action in list(&statement["Action"]) {
                for resource in list(&statement["Resource"]) {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    allowed.insert((text(&action), text(&resource)));
                }
            }
        }
    }
    allowed
}

/// IAM's "one or many".
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// IAM gives documents URL-encoded.
fn decoded(document: &str) -> Value {
    let text = percent_encoding::percent_decode_str(document).decode_utf8_lossy();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
