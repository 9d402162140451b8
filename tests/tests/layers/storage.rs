//! Buckets. What moto has not (another account's names, refusing a full bucket), the sandbox alone is asked.

use aws_sdk_s3::types::{BucketVersioningStatus, PublicAccessBlockConfiguration, VersioningConfiguration};
use skydeck_aws::client::Clients;
use skydeck_aws::layer::storage::Storage;
use skydeck_core::Scope;
use skydeck_core::run::Mode;
use skydeck_core::spec::Bucket;

use super::harness::{Emulator, apply, destroy, emulators, refusal, repair, run, sandbox};

#[tokio::test]
async fn buckets_are_made_kept_and_removed() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = emulator.scope("files").await;
        let foreign = scope.name("foreign");
        create(clients, &foreign).await;

        let attempt = apply::<Storage>(&emulator, &mut scope).await;
        assert!(
            attempt.report.notes.is_empty(),
            "what is somebody else's is not talked about: {:?}",
            attempt.report.notes
        );
        let facts = attempt.facts.storage.expect("facts");
        let name = &facts.bucket_names["profile-images"];
        assert_eq!(name, "files-devprod-profile-images");
        read_back(clients, name).await;
        drift(&emulator, &mut scope, name).await;

        destroy::<Storage>(&emulator, &scope).await;
        let left = clients.s3().list_buckets().prefix("files-").send().await.expect("buckets");
        assert_eq!(left.buckets().iter().filter_map(|one| one.name()).collect::<Vec<_>>(), [foreign.as_str()]);
    }
}

async fn create(clients: &Clients, name: &str) {
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("ap-south-1".into());
    let request = clients.s3().create_bucket().bucket(name).create_bucket_configuration(place.build());
    request.send().await.expect("a foreign bucket");
}

async fn read_back(clients: &Clients, name: &str) {
    let s3 = clients.s3();
    let versioning = s3.get_bucket_versioning().bucket(name).send().await.expect("versioning");
    assert_eq!(versioning.status(), Some(&BucketVersioningStatus::Enabled));
    let answer = s3.get_bucket_encryption().bucket(name).send().await.expect("encryption");
    let encryption = answer.server_side_encryption_configuration().expect("encryption");
    let default = encryption.rules()[0].apply_server_side_encryption_by_default().expect("a default");
    assert_eq!(default.sse_algorithm().as_str(), "AES256");
    let answer = s3.get_public_access_block().bucket(name).send().await.expect("a public access block");
    let block = answer.public_access_block_configuration().expect("a public access block");
    let switches = [
        block.block_public_acls(),
        block.ignore_public_acls(),
        block.block_public_policy(),
        block.restrict_public_buckets(),
    ];
    assert_eq!(switches, [Some(true); 4]);
    let cors = s3.get_bucket_cors().bucket(name).send().await.expect("CORS");
    let [rule] = cors.cors_rules() else { panic!("one rule") };
    assert_eq!(rule.allowed_origins(), ["https://skyfox.example"]);
    assert_eq!(rule.allowed_methods(), ["DELETE", "GET", "POST", "PUT"]);
    assert_eq!(
        (rule.allowed_headers(), rule.expose_headers(), rule.max_age_seconds()),
        (&["*".to_owned()][..], &["ETag".to_owned()][..], Some(3000))
    );
    let tags = s3.get_bucket_tagging().bucket(name).send().await.expect("tags");
    for (key, value) in [("Service", "backend"), ("Project", "files"), ("skydeck:resource", "bucket/profile-images")] {
        assert!(tags.tag_set().iter().any(|tag| (tag.key(), tag.value()) == (key, value)), "{key}");
    }
    let location = s3.get_bucket_location().bucket(name).send().await.expect("a location");
    assert_eq!(location.location_constraint().expect("a location").as_str(), "ap-south-1");
}

async fn drift(emulator: &Emulator, scope: &mut Scope, name: &str) {
    let s3 = emulator.clients.s3();
    let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let request = s3.put_bucket_versioning().bucket(name).versioning_configuration(off);
    request.send().await.expect("drift");
    repair::<Storage>(emulator, scope, "versioned").await;
    let half = PublicAccessBlockConfiguration::builder().block_public_acls(true).ignore_public_acls(true).build();
    let request = s3.put_public_access_block().bucket(name).public_access_block_configuration(half);
    request.send().await.expect("drift");
    repair::<Storage>(emulator, scope, "public_access_block").await;
    s3.delete_bucket_cors().bucket(name).send().await.expect("drift");
    repair::<Storage>(emulator, scope, "cors").await;
    // Without origins in the file there are no rules to keep.
    scope.platform.buckets.get_mut("profile-images").expect("the bucket").cors_origins.clear();
    repair::<Storage>(emulator, scope, "cors").await;
    assert!(s3.get_bucket_cors().bucket(name).send().await.is_err());
}

#[tokio::test]
async fn a_bucket_with_objects_goes_only_where_the_file_says_so() {
    let emulator = sandbox().await;
    let clients = &emulator.clients;
    let mut scope = emulator.scope("full").await;
    let facts = run::<Storage>(&emulator, &scope, Mode::Apply).await.facts.storage.expect("facts");
    let name = &facts.bucket_names["profile-images"];
    for key in ["a", "a", "b"] {
        clients.s3().put_object().bucket(name).key(key).send().await.expect("an object");
    }
    clients.s3().delete_object().bucket(name).key("b").send().await.expect("a delete marker");
    let (kind, text) = refusal::<Storage>(&emulator, &scope, Mode::Destroy).await;
    assert_eq!(kind, "Refused");
    assert!(text.contains("delete-with-objects"), "{text}");
    // Out of the file it is no other: what the file said of it when it last did, holds.
    let bucket = scope.platform.buckets.remove("profile-images").expect("the bucket");
    let (kind, text) = refusal::<Storage>(&emulator, &scope, Mode::Plan).await;
    assert_eq!(kind, "Refused");
    assert!(text.contains(name) && text.contains("delete-with-objects"), "{text}");
    scope.platform.buckets.insert("profile-images".into(), Bucket { delete_with_objects: true, ..bucket });
    run::<Storage>(&emulator, &scope, Mode::Apply).await;
    scope.platform.buckets.clear();
    run::<Storage>(&emulator, &scope, Mode::Apply).await;
    assert!(clients.s3().head_bucket().bucket(name).send().await.is_err(), "it is gone");
}

#[tokio::test]
async fn a_bucket_name_that_is_taken_is_refused_until_a_suffix_frees_it() {
    let emulator = sandbox().await;
    for (index, owner) in [emulator.clients.clone(), emulator.foreign().await].iter().enumerate() {
        let mut scope = emulator.scope(&format!("taken{index}")).await;
        let name = scope.bucket_name("profile-images");
        create(owner, &name).await;
        let (kind, text) = refusal::<Storage>(&emulator, &scope, Mode::Apply).await;
        assert_eq!(kind, "Taken");
        assert!(text.contains(&name) && text.contains("suffix"), "{text}");
        scope.platform.buckets.get_mut("profile-images").expect("the bucket").suffix = Some("two".into());
        run::<Storage>(&emulator, &scope, Mode::Apply).await;
        destroy::<Storage>(&emulator, &scope).await;
        owner.s3().head_bucket().bucket(&name).send().await.expect("their bucket");
    }
}
