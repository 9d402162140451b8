//! Repositories and their lifecycle policies.

use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability};
use serde_json::Value;
use skydeck_aws::client::Clients;
use skydeck_aws::layer::registry::Registry;
use skydeck_core::Scope;
use skydeck_core::run::Mode;
use skydeck_core::spec::Service;

use super::harness::{Emulator, apply, destroy, emulators, refusal, repair, run};

pub(crate) const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
    "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:0","size":1},"layers":[]}"#;

#[tokio::test]
async fn repositories_are_made_kept_and_removed_with_their_images() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = emulator.scope("images").await;
        let foreign = scope.name("foreign");
        clients.ecr().create_repository().repository_name(&foreign).send().await.expect("a foreign repository");

        let attempt = apply::<Registry>(&emulator, &mut scope).await;
        assert!(
            attempt.report.notes.is_empty(),
            "what is somebody else's is not talked about: {:?}",
            attempt.report.notes
        );
        let facts = attempt.facts.registry.expect("facts");
        assert!(facts.repository_uris["movie"].ends_with("/images-devprod-movie-service"), "{facts:?}");
        assert_eq!(facts.repository_uris.len(), 3);
        read_back(clients, &scope).await;
        drift(&emulator, &scope).await;

        for service in ["backend", "movie"] {
            let repository = scope.name(&scope.platform.services[service].repository);
            let put = clients.ecr().put_image().repository_name(repository).image_manifest(MANIFEST);
            put.image_tag("v1").send().await.expect("an image");
        }
        images_are_kept(&emulator, &mut scope).await;
        destroy::<Registry>(&emulator, &scope).await;
        let left = clients.ecr().describe_repositories().send().await.expect("repositories");
        let names = left.repositories().iter().filter_map(|one| one.repository_name());
        assert_eq!(names.filter(|name| name.starts_with("images-")).collect::<Vec<_>>(), [foreign.as_str()]);
    }
}

/// Until the file gives them up, and after that also when it no longer names the service.
async fn images_are_kept(emulator: &Emulator, scope: &mut Scope) {
    for service in scope.platform.services.values_mut() {
        service.delete_with_images = false;
    }
    run::<Registry>(emulator, scope, Mode::Apply).await;
    let (kind, text) = refusal::<Registry>(emulator, scope, Mode::Destroy).await;
    assert_eq!(kind, "Refused");
    assert!(text.contains("delete-with-images"), "{text}");
    // The destroy has taken the one that held none.
    run::<Registry>(emulator, scope, Mode::Apply).await;
    let movie = scope.platform.services.remove("movie").expect("the service");
    let (kind, text) = refusal::<Registry>(emulator, scope, Mode::Plan).await;
    assert_eq!(kind, "Refused");
    assert!(text.contains(&scope.name(&movie.repository)) && text.contains("delete-with-images"), "{text}");
    scope.platform.services.insert("movie".into(), Service { delete_with_images: true, ..movie });
    scope.platform.services.get_mut("backend").expect("the service").delete_with_images = true;
    run::<Registry>(emulator, scope, Mode::Apply).await;
    scope.platform.services.remove("movie");
    run::<Registry>(emulator, scope, Mode::Apply).await;
}

async fn read_back(clients: &Clients, scope: &Scope) {
    let name = scope.name("backend");
    let answer = clients.ecr().describe_repositories().repository_names(&name).send().await.expect("a repository");
    let found = &answer.repositories()[0];
    assert_eq!(found.image_tag_mutability(), Some(&ImageTagMutability::Mutable));
    assert!(found.image_scanning_configuration().expect("scanning").scan_on_push());
    assert_eq!(found.encryption_configuration().expect("encryption").encryption_type().as_str(), "AES256");
    let arn = found.repository_arn().expect("an ARN");
    let tags = clients.ecr().list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
    for (key, value) in [("Service", "backend"), ("Project", "images"), ("Name", name.as_str())] {
        assert!(tags.tags().iter().any(|tag| (tag.key(), tag.value()) == (key, value)), "{key}");
    }
    let answer = clients.ecr().get_lifecycle_policy().repository_name(&name).send().await.expect("a lifecycle policy");
    let policy: Value = serde_json::from_str(answer.lifecycle_policy_text().expect("a text")).expect("JSON");
    let prefixes: Vec<&Value> =
        policy["rules"].as_array().expect("rules").iter().map(|rule| &rule["selection"]["tagPatternList"][0]).collect();
    assert_eq!(prefixes, ["skydeck-keep-*", "*"].map(Value::from).iter().chain([&Value::Null]).collect::<Vec<_>>());
}

async fn drift(emulator: &Emulator, scope: &Scope) {
    let (ecr, name) = (emulator.clients.ecr(), scope.name("movie-service"));
    // The SDK leaves out a value that is false, and moto takes an empty configuration for none at all.
    if emulator.name != "moto" {
        let off = ImageScanningConfiguration::builder().scan_on_push(false).build();
        let request = ecr.put_image_scanning_configuration().repository_name(&name).image_scanning_configuration(off);
        request.send().await.expect("drift");
        repair::<Registry>(emulator, scope, "scan_on_push").await;
    }
    let request = ecr.put_image_tag_mutability().repository_name(&name);
    request.image_tag_mutability(ImageTagMutability::Immutable).send().await.expect("drift");
    repair::<Registry>(emulator, scope, "tag_mutability").await;
    ecr.delete_lifecycle_policy().repository_name(&name).send().await.expect("drift");
    repair::<Registry>(emulator, scope, "lifecycle").await;
    let arn = scope.arn("ecr", &format!("repository/{name}"));
    ecr.untag_resource().resource_arn(arn).tag_keys("Service").send().await.expect("drift");
    repair::<Registry>(emulator, scope, "tags.Service").await;
    ecr.delete_repository().repository_name(&name).send().await.expect("drift");
    repair::<Registry>(emulator, scope, "scan_on_push").await;
}

#[tokio::test]
async fn a_repository_name_that_is_taken_is_refused_until_it_is_free() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let scope = emulator.scope("taken-images").await;
        let name = scope.name("backend");
        clients.ecr().create_repository().repository_name(&name).send().await.expect("a foreign repository");
        let (kind, text) = refusal::<Registry>(&emulator, &scope, Mode::Apply).await;
        assert_eq!(kind, "Taken");
        assert!(text.contains(&name), "{text}");
        clients.ecr().delete_repository().repository_name(&name).send().await.expect("free it");
        run::<Registry>(&emulator, &scope, Mode::Apply).await;
        destroy::<Registry>(&emulator, &scope).await;
    }
}
