//! ECR repositories.

use aws_sdk_ecr::types::EncryptionType;
use serde_json::Value;
use skydeck_aws::Clients;

pub(crate) async fn assert_as_the_reference_says(aws: &Clients) {
    for (name, service) in [("backend", "backend"), ("payment-service", "payment"), ("movie-service", "movie")] {
        let name = format!("skyfox-devprod-{name}");
        let answer = aws.ecr.describe_repositories().repository_names(&name).send().await.expect("the repository");
        let repository = &answer.repositories()[0];
        let scanning = repository.image_scanning_configuration().expect("scanning");
        assert!(scanning.scan_on_push(), "{name}");
        let encryption = repository.encryption_configuration().expect("encryption");
        assert_eq!(*encryption.encryption_type(), EncryptionType::Aes256, "{name}");
        let arn = repository.repository_arn().unwrap_or_default();
        let tags = aws.ecr.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
        let tags: Vec<(&str, &str)> = tags.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
        for tag in [("Name", name.as_str()), ("Project", "skyfox"), ("Environment", "devprod"), ("Service", service)] {
            assert!(tags.contains(&tag), "{name} lacks {tag:?}: {tags:?}");
        }
        assert_lifecycle(aws, &name).await;
    }
}

/// What a rollback needs is kept by a rule of its own that comes first, then each prefix has a rule of its own: a rule
/// with two prefixes would match only images that carry both.
async fn assert_lifecycle(aws: &Clients, name: &str) {
    let answer = aws.ecr.get_lifecycle_policy().repository_name(name).send().await.expect("the lifecycle policy");
    let policy: Value = serde_json::from_str(answer.lifecycle_policy_text().unwrap_or_default()).expect("JSON");
    let mut rules: Vec<(u64, String, String, u64)> = policy["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| {
            let selection = &rule["selection"];
            let prefixes = selection["tagPrefixList"].as_array().map(Vec::as_slice).unwrap_or_default();
            assert!(prefixes.len() <= 1, "{name}: {rule}");
            assert_eq!(rule["action"]["type"], "expire");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let prefix = prefixes.first().map(text).unwrap_or_default();
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            (number(&rule["rulePriority"]), prefix, text(&selection["countType"]), number(&selection["countNumber"]))
        })
        .collect();
    rules.sort();
    let told: Vec<(&str, &str, u64)> = rules.iter().map(|(_, p, t, n)| (p.as_str(), t.as_str(), *n)).collect();
    assert_eq!(told[0], ("skydeck-keep-", "imageCountMoreThan", 9999), "{name}");
    let mut rest = told[1..].to_vec();
    rest.sort_unstable();
    let wanted = [("", "sinceImagePushed", 7), ("latest", "imageCountMoreThan", 10), ("v", "imageCountMoreThan", 10)];
    assert_eq!(rest, wanted, "{name}");
}
