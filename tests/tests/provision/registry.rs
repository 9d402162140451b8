//! ECR repositories.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::EncryptionType;
use serde_json::{Value, json};
use skydeck_aws::Clients;

pub(crate) async fn assert_as_the_reference_says(aws: &Clients) {
    for (name, service) in [("backend", "backend"), ("payment-service", "payment"), ("movie-service", "movie")] {
        let name = format!("skyfox-devprod-{name}");
        let answer = aws.ecr().describe_repositories().repository_names(&name).send().await.expect("the repository");
        let repository = &answer.repositories()[0];
        let scanning = repository.image_scanning_configuration().expect("scanning");
        assert!(scanning.scan_on_push(), "{name}");
        let encryption = repository.encryption_configuration().expect("encryption");
        assert_eq!(*encryption.encryption_type(), EncryptionType::Aes256, "{name}");
        let arn = repository.repository_arn().unwrap_or_default();
        let tags = aws.ecr().list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
        let tags: Vec<(&str, &str)> = tags.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
        for tag in [("Name", name.as_str()), ("Project", "skyfox"), ("Environment", "devprod"), ("Service", service)] {
            assert!(tags.contains(&tag), "{name} lacks {tag:?}: {tags:?}");
        }
        assert_lifecycle(aws, &name).await;
    }
}

/// What a rollback needs is kept by a rule of its own that comes first; then any other tag expires, and what has none.
async fn assert_lifecycle(aws: &Clients, name: &str) {
    let answer = aws.ecr().get_lifecycle_policy().repository_name(name).send().await.expect("the lifecycle policy");
    let policy: Value = serde_json::from_str(answer.lifecycle_policy_text().unwrap_or_default()).expect("JSON");
    let rules = policy["rules"].as_array().expect("rules").iter();
    let rules: BTreeMap<u64, Value> = rules
        .map(|rule| {
            assert_eq!(rule["action"]["type"], "expire");
            (rule["rulePriority"].as_u64().expect("a priority"), rule["selection"].clone())
        })
        .collect();
    let rules: Vec<&Value> = rules.values().collect();
    let counted = |patterns: &str, count: u64| json!({ "tagStatus": "tagged", "tagPatternList": [patterns], "countType": "imageCountMoreThan", "countNumber": count });
    let untagged =
        json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 3 });
    assert_eq!(rules, [&counted("skydeck-keep-*", 9999), &counted("*", 4), &untagged], "{name}");
}
