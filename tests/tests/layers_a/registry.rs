use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability};
use serde_json::Value;
use skydeck_aws::client::Clients;
use skydeck_aws::layer::registry::Registry;
use skydeck_core::Scope;
use skydeck_core::run::Mode;

use crate::harness::{ACCOUNT, apply_twice, destroy, emulators, refusal, repair, run};

#[tokio::test]
async fn repositories_are_made_kept_and_removed_with_their_images() {
    for emulator in emulators() {
        let clients = emulator.clients(ACCOUNT).await;
        let scope = emulator.scope("images", &clients).await;
        let foreign = scope.name("foreign");
        clients.ecr.create_repository().repository_name(&foreign).send().await.expect("a foreign repository");

        let attempt = apply_twice::<Registry>(&clients, &scope).await;
        assert!(
            attempt.report.notes.is_empty(),
            "what is somebody else's is not talked about: {:?}",
            attempt.report.notes
        );
        let facts = attempt.facts.registry.expect("facts");
        assert!(facts.repository_uris["movie"].ends_with("/images-devprod-movie-service"), "{facts:?}");
        assert_eq!(facts.repository_uris.len(), 3);
        read_back(&clients, &scope).await;
        drift(emulator.name, &clients, &scope).await;

        let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:0","size":1},"layers":[]}"#;
        let put = clients.ecr.put_image().repository_name(scope.name("backend")).image_manifest(manifest);
        put.image_tag("v1").send().await.expect("an image");
        destroy::<Registry>(&clients, &scope).await;
        let left = clients.ecr.describe_repositories().send().await.expect("repositories");
        let names = left.repositories().iter().filter_map(|one| one.repository_name());
        assert_eq!(names.filter(|name| name.starts_with("images-")).collect::<Vec<_>>(), [foreign.as_str()]);
    }
}

async fn read_back(clients: &Clients, scope: &Scope) {
    let name = scope.name("backend");
    let answer = clients.ecr.describe_repositories().repository_names(&name).send().await.expect("a repository");
    let found = &answer.repositories()[0];
    assert_eq!(found.image_tag_mutability(), Some(&ImageTagMutability::Mutable));
    assert!(found.image_scanning_configuration().expect("scanning").scan_on_push());
    assert_eq!(found.encryption_configuration().expect("encryption").encryption_type().as_str(), "AES256");
    let arn = found.repository_arn().expect("an ARN");
    let tags = clients.ecr.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
    for (key, value) in [("Service", "backend"), ("Project", "images"), ("Name", name.as_str())] {
        assert!(tags.tags().iter().any(|tag| (tag.key(), tag.value()) == (key, value)), "{key}");
    }
    let answer = clients.ecr.get_lifecycle_policy().repository_name(&name).send().await.expect("a lifecycle policy");
    let policy: Value = serde_json::from_str(answer.lifecycle_policy_text().expect("a text")).expect("JSON");
    let prefixes: Vec<&Value> =
        policy["rules"].as_array().expect("rules").iter().map(|rule| &rule["selection"]["tagPrefixList"][0]).collect();
    assert_eq!(
        prefixes,
        ["skydeck-keep-", "v", "latest"].map(Value::from).iter().chain([&Value::Null]).collect::<Vec<_>>()
    );
}

async fn drift(emulator: &str, clients: &Clients, scope: &Scope) {
    let (ecr, name) = (&clients.ecr, scope.name("movie-service"));
    // The SDK leaves out a value that is false, and moto takes an empty configuration for none at all.
    if emulator != "moto" {
        let off = ImageScanningConfiguration::builder().scan_on_push(false).build();
        let request = ecr.put_image_scanning_configuration().repository_name(&name).image_scanning_configuration(off);
        request.send().await.expect("drift");
        repair::<Registry>(clients, scope, "scan_on_push").await;
    }
    let request = ecr.put_image_tag_mutability().repository_name(&name);
    request.image_tag_mutability(ImageTagMutability::Immutable).send().await.expect("drift");
    repair::<Registry>(clients, scope, "tag_mutability").await;
    ecr.delete_lifecycle_policy().repository_name(&name).send().await.expect("drift");
    repair::<Registry>(clients, scope, "lifecycle").await;
    let arn = scope.arn("ecr", &format!("repository/{name}"));
    ecr.untag_resource().resource_arn(arn).tag_keys("Service").send().await.expect("drift");
    repair::<Registry>(clients, scope, "tags.Service").await;
    ecr.delete_repository().repository_name(&name).send().await.expect("drift");
    repair::<Registry>(clients, scope, "scan_on_push").await;
}

#[tokio::test]
async fn a_repository_name_that_is_taken_is_refused_until_it_is_free() {
    for emulator in emulators() {
        let clients = emulator.clients(ACCOUNT).await;
        let scope = emulator.scope("taken-images", &clients).await;
        let name = scope.name("backend");
        clients.ecr.create_repository().repository_name(&name).send().await.expect("a foreign repository");
        let (kind, text) = refusal::<Registry>(&clients, &scope, Mode::Apply).await;
        assert_eq!(kind, "Taken");
        assert!(text.contains(&name), "{text}");
        clients.ecr.delete_repository().repository_name(&name).send().await.expect("free it");
        run::<Registry>(&clients, &scope, Mode::Apply).await;
        destroy::<Registry>(&clients, &scope).await;
    }
}
