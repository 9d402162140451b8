//! Container images as registries have them: documents that name each other by their hashes, as `docker buildx` makes them.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image's configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a layer of files.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ATTESTATION: &str = "application/vnd.in-toto+json";

/// `sha256:` and the hash, as registries name content.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Finished content of some media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Document {
    /// A document of this text.
    #[must_use]
    pub fn text(kind: &'static str, text: impl Into<String>) -> Self {
        Document { kind, bytes: text.into().into_bytes() }
    }

    /// A document of JSON.
    #[must_use]
    pub fn json(kind: &'static str, value: &Value) -> Self {
        Self::text(kind, value.to_string())
    }

    /// How it is named.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.bytes)
    }

    /// How other documents name it.
    #[must_use]
    pub fn descriptor(&self) -> Value {
        json!({ "mediaType": self.kind, "digest": self.digest(), "size": self.bytes.len() })
    }
}

/// A manifest, with the two documents that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The configuration.
    pub config: Document,
    /// The only layer.
    pub layer: Document,
    /// The manifest itself.
    pub document: Document,
}

impl Manifest {
    /// The manifest of these two.
    #[must_use]
    pub fn of(config: Document, layer: Document) -> Self {
        let document = Document::json(
            MANIFEST,
            &json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": [layer.descriptor()],
            }),
        );
        Manifest { config, layer, document }
    }

    /// How an index names it.
    #[must_use]
    pub fn entry(&self) -> Value {
        self.document.descriptor()
    }

    /// The same, with the platform that it is for, such as `arm64` ([`platform`]).
    #[must_use]
    pub fn entry_for(&self, name: &str) -> Value {
        let mut entry = self.entry();
        entry["platform"] = platform(name);
        entry
    }

    /// The provenance that `docker buildx` attaches to a manifest.
    #[must_use]
    pub fn attestation(&self) -> Self {
        let subject = self.document.digest();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{ "digest": { "sha256": subject.trim_start_matches("sha256:") } }],
        });
        let layer = Document::json(ATTESTATION, &statement);
        let config = json!({
            "architecture": "unknown", "os": "unknown", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [layer.digest()] },
        });
        Manifest::of(Document::json(CONFIG, &config), layer)
    }

    /// How an index names this one, where it is the attestation of that manifest.
    #[must_use]
    pub fn entry_attesting(&self, subject: &Manifest) -> Value {
        let mut entry = self.entry_for("unknown/unknown");
        entry["annotations"] = json!({
            "vnd.docker.reference.digest": subject.document.digest(), "vnd.docker.reference.type": "attestation-manifest",
        });
        entry
    }
}

/// A program in one layer.
#[derive(Debug)]
pub struct Program<'a> {
    /// What it was built for, such as `arm64` ([`platform`]).
    pub architecture: &'a str,
    /// The program and its arguments.
    pub entrypoint: &'a [&'a str],
    /// Labels of its configuration.
    pub labels: &'a BTreeMap<String, String>,
    /// The hash of the layer before it was compressed.
    pub unpacked: String,
}

impl Program<'_> {
    /// The image of it.
    #[must_use]
    pub fn image(&self, layer: Document) -> Manifest {
        let mut config = json!({
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Entrypoint": self.entrypoint, "User": "10001",
                "Labels": self.labels,
            },
            "created": "2026-01-01T00:00:00Z",
            "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "COPY server /app/server # buildkit" }],
            "rootfs": { "type": "layers", "diff_ids": [self.unpacked] },
        });
        for (key, value) in platform(self.architecture).as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        Manifest::of(Document::json(CONFIG, &config), layer)
    }
}

/// A platform as indexes and configurations have it, from an architecture such as `arm64`, `arm/v7` with its variant, or
/// `windows/amd64` with another system than Linux.
#[must_use]
pub fn platform(name: &str) -> Value {
    match name.split_once('/') {
        Some((architecture, variant)) if variant.starts_with('v') => {
            json!({ "architecture": architecture, "os": "linux", "variant": variant })
        }
        Some((os, architecture)) => json!({ "architecture": architecture, "os": os }),
        None => json!({ "architecture": name, "os": "linux" }),
    }
}

/// An index of these entries.
#[must_use]
pub fn index(entries: &[Value]) -> Document {
    Document::json(INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_names_what_it_is_made_of_by_hash_and_size() {
        let layer = Document::text(LAYER, "a layer");
        let program = Program {
            architecture: "arm64",
            entrypoint: &["/server", "crash"],
            labels: &BTreeMap::from([("one".to_owned(), "two".to_owned())]),
            unpacked: digest(b"before"),
        };
        let image = program.image(layer.clone());
        let read = |document: &Document| serde_json::from_slice::<Value>(&document.bytes).unwrap();
        let (manifest, config) = (read(&image.document), read(&image.config));
        assert_eq!(manifest["config"], image.config.descriptor());
        assert_eq!(manifest["layers"], json!([{ "mediaType": LAYER, "digest": digest(b"a layer"), "size": 7 }]));
        assert_eq!((&config["architecture"], &config["os"]), (&"arm64".into(), &"linux".into()));
        assert_eq!(config["config"]["Entrypoint"], json!(["/server", "crash"]));
        assert_eq!(config["rootfs"]["diff_ids"], json!([digest(b"before")]));

        let attestation = image.attestation();
        let index = read(&index(&[image.entry_for("arm64"), attestation.entry_attesting(&image)]));
        assert_eq!(index["manifests"][0]["digest"], image.document.digest());
        assert_eq!(index["manifests"][1]["annotations"]["vnd.docker.reference.digest"], image.document.digest());
        assert_eq!(index["manifests"][1]["platform"], json!({ "architecture": "unknown", "os": "unknown" }));
    }
}
