//! What is an image, and for which processors, by manifests and configurations.

use serde_json::{Value, json};
use skydeck_core::rollout::content::Content;
use skydeck_core::rollout::manifest::Listed;

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

fn manifest(kind: &str, config: &str, layers: &[&str]) -> Value {
    let layer = |kind: &&str| json!({ "mediaType": kind, "digest": "sha256:layer", "size": 1 });
    json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": { "mediaType": config, "digest": "sha256:config", "size": 1 },
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn image() -> Value {
    manifest(OCI, OCI_CONFIG, &[OCI_LAYER])
}

/// An index of entries, each with the platform that it names.
fn index(entries: &[(&str, Value)]) -> Value {
    let entry = |(digest, platform): &(&str, Value)| {
        let mut entry = json!({ "mediaType": OCI, "digest": digest, "size": 1 });
        if !platform.is_null() {
            entry["platform"] = platform.clone();
        }
        entry
    };
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries.iter().map(entry).collect::<Vec<_>>() })
}

fn platform(os: &str, architecture: &str) -> Value {
    json!({ "os": os, "architecture": architecture })
}

fn with(mut value: Value, key: &str, set: Value) -> Value {
    value[key] = set;
    value
}

/// What is said of `sha256:it`, where these manifests and this configuration can be read. What is never asked for is not read.
fn content(manifests: &[(&str, Value)], config: Option<&Value>) -> Content {
    let mut content = Content::default();
    for _ in 0..4 {
        for digest in content.unread("sha256:it") {
            let found = manifests.iter().find(|(known, _)| *known == digest).map(|(_, manifest)| manifest.to_string());
            content.manifest(&digest, found.as_deref());
        }
    }
    for digest in content.unread_configs("sha256:it") {
        content.config(&digest, config.map(Value::to_string).as_deref());
    }
    content
}

fn alone(manifest: Value) -> Content {
    content(&[("sha256:it", manifest)], Some(&platform("linux", "arm64")))
}

#[test]
fn an_image_is_one_by_its_manifest_config_and_layers() {
    let mut unsaid = image();
    unsaid.as_object_mut().unwrap().remove("mediaType");
    let images = [
        image(),
        manifest(DOCKER, DOCKER_CONFIG, &[DOCKER_LAYER, DOCKER_LAYER]),
        manifest(OCI, OCI_CONFIG, &["application/vnd.oci.image.layer.v1.tar+zstd"]),
        manifest(OCI, OCI_CONFIG, &["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"]),
        with(image(), "artifactType", OCI_CONFIG.into()),
        unsaid,
    ];
    for image in images {
        assert!(alone(image.clone()).is_image("sha256:it"), "{image}");
        assert_eq!(alone(image).unfit("sha256:it"), None);
    }
}

#[test]
fn what_only_lies_beside_images_is_none() {
    let others = [
        ("a signature", manifest(OCI, OCI_CONFIG, &["application/vnd.dev.cosign.simplesigning.v1+json"])),
        ("an attestation", manifest(OCI, OCI_CONFIG, &["application/vnd.dsse.envelope.v1+json"])),
        ("a bill of materials", manifest(OCI, OCI_CONFIG, &["text/spdx+json"])),
        ("a provenance", manifest(OCI, OCI_CONFIG, &["application/vnd.in-toto+json"])),
        (
            "a chart",
            manifest(
                OCI,
                "application/vnd.cncf.helm.config.v1+json",
                &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
            ),
        ),
        ("a module", manifest(OCI, "application/vnd.wasm.config.v0+json", &["application/wasm"])),
        (
            "an artifact",
            with(
                manifest(OCI, "application/vnd.oci.empty.v1+json", &["application/vnd.oci.empty.v1+json"]),
                "artifactType",
                "application/vnd.example".into(),
            ),
        ),
        ("an artifact with an image's config", with(image(), "artifactType", "application/vnd.example".into())),
        ("a referrer", with(image(), "subject", json!({ "digest": "sha256:other" }))),
        ("nothing in it", manifest(OCI, OCI_CONFIG, &[])),
        ("mixed layers", manifest(OCI, OCI_CONFIG, &[OCI_LAYER, "application/wasm"])),
        ("an empty index", index(&[])),
        ("an index of attestations", index(&[("sha256:a", platform("unknown", "unknown"))])),
        (
            "an index of a type of its own",
            with(index(&[("sha256:a", platform("linux", "arm64"))]), "artifactType", "application/vnd.example".into()),
        ),
        (
            "an index that is attached",
            with(index(&[("sha256:a", platform("linux", "arm64"))]), "subject", json!({ "digest": "sha256:other" })),
        ),
        ("no manifest", json!({ "some": "thing" })),
        ("the first schema", json!({ "schemaVersion": 1, "fsLayers": [] })),
    ];
    for (what, manifest) in others {
        assert!(!alone(manifest.clone()).is_image("sha256:it"), "{what}: {manifest}");
        assert!(alone(manifest).unfit("sha256:it").is_some(), "{what}");
    }
    // The referrers of a registry without the interface for them are an index of signatures.
    let signature = manifest(OCI, OCI_CONFIG, &["application/vnd.dev.cosign.simplesigning.v1+json"]);
    let referrers = content(&[("sha256:it", index(&[("sha256:s", Value::Null)])), ("sha256:s", signature)], None);
    assert!(!referrers.is_image("sha256:it"));
}

#[test]
fn an_index_must_hold_an_image_for_the_instances() {
    let arm = platform("linux", "arm64");
    let both = [
        ("sha256:a", platform("linux", "amd64")),
        ("sha256:b", arm.clone()),
        ("sha256:c", platform("unknown", "unknown")),
    ];
    let found = alone(index(&both));
    assert_eq!((found.unfit("sha256:it"), found.unread_configs("sha256:it")), (None, vec![]));
    for (entries, named) in [
        (vec![platform("linux", "amd64")], "linux/amd64"),
        (vec![json!({ "os": "linux", "architecture": "arm", "variant": "v7" })], "linux/arm/v7"),
        (vec![platform("windows", "arm64")], "windows/arm64"),
        (
            vec![platform("linux", "amd64"), platform("linux", "s390x"), platform("linux", "amd64")],
            "linux/amd64, linux/s390x",
        ),
    ] {
        let entries: Vec<(&str, Value)> = entries.into_iter().map(|platform| ("sha256:a", platform)).collect();
        let why = alone(index(&entries)).unfit("sha256:it").unwrap();
        assert!(why.starts_with(&format!("the image is for {named}, and")), "{why}");
    }
}

#[test]
fn a_single_image_is_judged_by_its_configuration() {
    let judged = |config: Option<Value>| content(&[("sha256:it", image())], config.as_ref()).unfit("sha256:it");
    assert_eq!(judged(Some(platform("linux", "arm64"))), None);
    assert_eq!(judged(Some(json!({ "architecture": "arm64" }))), None);
    for (config, named) in [
        (platform("linux", "amd64"), "linux/amd64"),
        (platform("windows", "amd64"), "windows/amd64"),
        (json!({ "os": "linux", "architecture": "arm", "variant": "v7" }), "linux/arm/v7"),
    ] {
        assert!(judged(Some(config)).is_some_and(|why| why.starts_with(&format!("the image is for {named}, and"))));
    }
    for unknown in [None, Some(json!({})), Some(json!({ "os": "linux" })), Some(json!("no config"))] {
        assert_eq!(judged(unknown), None, "the task tells");
    }
}

#[test]
fn an_entry_that_names_no_platform_is_read() {
    let judged = |config: Value| {
        content(&[("sha256:it", index(&[("sha256:a", Value::Null)])), ("sha256:a", image())], Some(&config))
    };
    assert_eq!(judged(platform("linux", "arm64")).unfit("sha256:it"), None);
    assert!(judged(platform("linux", "amd64")).unfit("sha256:it").is_some_and(|why| why.contains("linux/amd64")));
    assert!(judged(platform("linux", "amd64")).is_image("sha256:it"));
    // An index in an index, and an entry that is gone.
    let (inner, outer) = (index(&[("sha256:a", Value::Null)]), index(&[("sha256:inner", Value::Null)]));
    let nested = content(
        &[("sha256:it", outer), ("sha256:inner", inner), ("sha256:a", image())],
        Some(&platform("linux", "amd64")),
    );
    assert!(nested.is_image("sha256:it") && nested.unfit("sha256:it").is_some_and(|why| why.contains("linux/amd64")));
    let gone = content(&[("sha256:it", index(&[("sha256:a", Value::Null)]))], None);
    assert!(gone.is_image("sha256:it") && gone.unfit("sha256:it").is_none(), "the task tells");
}

#[test]
fn what_the_list_says_is_enough_for_some() {
    let other = |manifest, artifact, subject| Listed { manifest, artifact, subject }.other();
    for artifact in [None, Some(""), Some(OCI_CONFIG), Some(DOCKER_CONFIG), Some(OCI_INDEX)] {
        assert_eq!(other(Some(OCI), artifact, None), None);
    }
    assert_eq!(other(None, None, None), None);
    let chart = "application/vnd.cncf.helm.config.v1+json";
    assert_eq!(other(Some(OCI), Some(chart), None), Some(chart));
    assert!(other(Some("application/vnd.oci.artifact.manifest.v1+json"), None, None).is_some());
    assert!(other(Some(OCI), Some(OCI_CONFIG), Some("sha256:a")).is_some());
}
