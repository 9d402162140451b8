//! Images put into ECR as `docker buildx` puts them: configuration, layers, manifest, and an index where there are several
//! platforms or an attestation. Labels of the configuration say how the image behaves when a task runs it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use skydeck_core::oci::{self, CONFIG, Document, INDEX, MANIFEST, Manifest, Program, digest};

use crate::Error;
use crate::answer::Answer;
use crate::asg::Place;
use crate::gateway::Shared;

/// What is pushed that is no image, but lies in a repository beside images: tools borrow an image's media types for some of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Artifact {
    /// As cosign puts a signature under the tag `sha256-….sig`.
    Signature,
    /// As cosign puts an attestation under the tag `sha256-….att`.
    Attestation,
    /// A Helm chart.
    Chart,
    /// A bill of materials that refers to an image, by the Open Container Initiative's version 1.1.
    Referrer,
}

impl Artifact {
    /// All, by the names that `behaving` takes.
    const NAMES: [(&str, Artifact); 4] = [
        ("signature", Artifact::Signature),
        ("attestation", Artifact::Attestation),
        ("chart", Artifact::Chart),
        ("referrer", Artifact::Referrer),
    ];

    /// Media types of its config and of its one layer.
    fn media_types(self) -> (&'static str, &'static str) {
        match self {
            Artifact::Signature => (CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"),
            Artifact::Attestation => (CONFIG, "application/vnd.dsse.envelope.v1+json"),
            Artifact::Chart => {
                ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
            }
            Artifact::Referrer => ("application/vnd.oci.empty.v1+json", "application/spdx+json"),
        }
    }
}

/// An image to push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its platforms: an architecture such as `arm64`, `arm/v7` with its variant, `windows/amd64` with another system than Linux.
    #[serde(default = "arm")]
    pub architectures: Vec<String>,
    /// Labels of its configuration: `skydeck.behaves`, `skydeck.serves`, any others.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What makes its digest another than that of the same image otherwise, such as a version.
    #[serde(default)]
    pub content: String,
    /// Whether an attestation goes with it, as with `docker buildx` by default; then there is an index.
    #[serde(default = "yes")]
    pub attested: bool,
    /// Whether its index does not say for which platforms its entries are.
    #[serde(default)]
    pub unsaid: bool,
    /// What it is instead of an image.
    #[serde(default)]
    pub artifact: Option<Artifact>,
    /// Whether its manifest leaves its own media type out, as Podman and Buildah do; the registry is told it in a header.
    #[serde(default)]
    pub bare: bool,
}

fn arm() -> Vec<String> {
    vec!["arm64".to_owned()]
}

fn yes() -> bool {
    true
}

impl Image {
    /// An image for arm64 that behaves well, as `docker buildx build --push` makes it: an index of it and its attestation.
    pub fn new(content: &str) -> Self {
        let (labels, content) = (BTreeMap::new(), content.to_owned());
        Self { architectures: arm(), labels, content, attested: true, unsaid: false, bare: false, artifact: None }
    }

    /// How it behaves: `healthy`, `large:SECONDS`, `slow:SECONDS`, `crash`, `crash-later`, `error`, `fails-check-later`, `wrong-path`,
    /// `hang`, `other-processor`, `too-big`; `amd64`: built for that alone, and `plain-amd64`: without an index; `podman`: healthy, pushed as Podman
    /// does; or no image at all: `signature`, `attestation`, `chart`, `referrer`.
    #[must_use]
    pub fn behaving(mut self, how: &str) -> Self {
        match how {
            "amd64" => return self.built_for(&["amd64"]),
            "plain-amd64" => return self.built_for(&["amd64"]).plain(),
            _ => {
                self.artifact = Artifact::NAMES.into_iter().find(|(name, _)| *name == how).map(|(_, artifact)| artifact)
            }
        }
        if self.artifact.is_some() {
            return self;
        }
        if how == "podman" {
            self.bare = true;
            return self.plain();
        }
        self.labels.insert("skydeck.behaves".to_owned(), how.to_owned());
        self
    }

    /// What it answers, by path: JSON such as `{"/health": {"status": 200, "body": {"status": "ok"}}}`. A path may be a
    /// pattern with `*`; `{"fetch": "${URL}/x", "key": "NAME"}` instead passes on another service's answer.
    #[must_use]
    pub fn serving(mut self, paths: &Value) -> Self {
        self.labels.insert("skydeck.serves".to_owned(), paths.to_string());
        self
    }

    /// The programs that it has, such as `sh wget` of an Alpine image: all that a command inside its container can run. `NAME=CODE`
    /// is one of its own that ends with that code. An image that does not say it has its server alone, but for SkyFox's own.
    #[must_use]
    pub fn having(mut self, programs: &str) -> Self {
        self.labels.insert("skydeck.has".to_owned(), programs.to_owned());
        self
    }

    /// For these architectures instead of arm64.
    #[must_use]
    pub fn built_for(mut self, architectures: &[&str]) -> Self {
        self.architectures = architectures.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// With an index that does not say for which platforms its entries are.
    #[must_use]
    pub fn unsaid(mut self) -> Self {
        (self.attested, self.unsaid) = (false, true);
        self
    }

    /// One plain manifest, as `docker push` and `--provenance=false` make it.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.attested = false;
        self
    }
}

/// What stands in ECR after a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The digest to which the tag points: of the index, or of the only manifest.
    pub digest: String,
    /// The digests of the manifests in the index.
    pub children: Vec<String>,
}

/// What a push asks for over the network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) image: Image,
}

struct Registry<'a> {
    shared: &'a Shared,
    place: &'a Place,
    repository: &'a str,
}

/// Puts an image into a repository under a tag.
pub(crate) async fn push(shared: &Shared, place: &Place, request: &Request) -> Result<Pushed, Error> {
    let registry = Registry { shared, place, repository: &request.repository };
    let image = &request.image;
    if let Some(artifact) = image.artifact {
        let manifest = artifact_of(image, artifact);
        return registry.alone(&manifest, &request.tag).await;
    }
    let mut entries = Vec::new();
    let mut manifests = Vec::new();
    for architecture in &image.architectures {
        let manifest = platform_of(image, architecture);
        entries.push(if image.unsaid { manifest.entry() } else { manifest.entry_for(architecture) });
        manifests.push(manifest);
    }
    if !image.attested && !image.unsaid && manifests.len() == 1 {
        return registry.alone(&manifests[0], &request.tag).await;
    }
    if image.attested {
        for number in 0..manifests.len() {
            let attestation = manifests[number].attestation();
            entries.push(attestation.entry_attesting(&manifests[number]));
            manifests.push(attestation);
        }
    }
    let mut children = Vec::new();
    for manifest in &manifests {
        let name = manifest.document.digest();
        registry.put(manifest, &name).await?;
        children.push(name);
    }
    let index = oci::index(&entries);
    registry.manifest(&index, &request.tag).await?;
    Ok(Pushed { digest: index.digest(), children })
}

/// The image for one architecture, its layer some bytes of text.
fn platform_of(image: &Image, architecture: &str) -> Manifest {
    let layer = Document::text(oci::LAYER, format!("{architecture} {}", image.content));
    let unpacked = layer.digest();
    let mut manifest =
        Program { architecture, entrypoint: &["/app/server"], labels: &image.labels, unpacked }.image(layer);
    if image.bare {
        let text = String::from_utf8_lossy(&manifest.document.bytes);
        manifest.document = Document::text(MANIFEST, text.replace(&format!("\"mediaType\":\"{MANIFEST}\","), ""));
    }
    manifest
}

/// Something that is no image.
fn artifact_of(image: &Image, artifact: Artifact) -> Manifest {
    let (config, layer) = artifact.media_types();
    let layer = Document::json(layer, &json!({ "about": image.content }));
    let text = if artifact == Artifact::Signature || artifact == Artifact::Attestation {
        // Cosign's have an image's configuration in which nothing is said.
        json!({ "architecture": "", "os": "", "config": {}, "rootfs": { "type": "layers", "diff_ids": [] } })
    } else {
        json!({})
    };
    let kind = layer.kind;
    let mut manifest = Manifest::of(Document::json(config, &text), layer);
    if artifact == Artifact::Referrer {
        let mut read: Value = serde_json::from_slice(&manifest.document.bytes).unwrap_or_default();
        read["artifactType"] = kind.into();
        read["subject"] = json!({ "mediaType": INDEX, "digest": digest(image.content.as_bytes()), "size": 1 });
        manifest.document = Document::json(MANIFEST, &read);
    }
    manifest
}

impl Registry<'_> {
    /// Puts a manifest that stands for itself.
    async fn alone(&self, manifest: &Manifest, tag: &str) -> Result<Pushed, Error> {
        self.put(manifest, tag).await?;
        Ok(Pushed { digest: manifest.document.digest(), children: Vec::new() })
    }

    /// Puts a manifest, after what it names.
    async fn put(&self, manifest: &Manifest, name: &str) -> Result<(), Error> {
        self.blob(&manifest.config).await?;
        self.blob(&manifest.layer).await?;
        self.manifest(&manifest.document, name).await
    }

    async fn blob(&self, document: &Document) -> Result<(), Error> {
        let path = format!("/v2/{}/blobs/uploads/?digest={}", self.repository, document.digest());
        self.send("POST", &path, "application/octet-stream", &document.bytes).await
    }

    async fn manifest(&self, document: &Document, name: &str) -> Result<(), Error> {
        self.send("PUT", &format!("/v2/{}/manifests/{name}", self.repository), document.kind, &document.bytes).await
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<(), Error> {
        let headers = [("content-type", kind)];
        let Place { account, region } = self.place;
        let scope = (account.as_str(), region.as_str(), "ecr");
        let mut answer: Answer = self.shared.upstream.call(scope, method, path, &headers, body).await?;
        self.shared.events.take(self.shared.clock, &mut answer);
        if answer.status.is_success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&answer.body).into_owned();
        Err(Error::Net { what: format!("pushing to {}", self.repository), message })
    }
}
