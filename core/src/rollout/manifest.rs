//! What an image's manifest says: whether it is an image at all, and of which processors.
//!
//! A repository holds whatever has a manifest: signatures, attestations, bills of materials, Helm charts. Many of them borrow the
//! media types of images, so that only config and layers together tell (<https://github.com/opencontainers/image-spec/blob/main/manifest.md>).

use serde::Deserialize;

/// Manifests of one image, by Docker and by the Open Container Initiative.
const IMAGES: [&str; 2] =
    ["application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json"];
/// Indexes of several.
const INDEXES: [&str; 2] =
    ["application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"];
/// The configuration of an image.
const CONFIGS: [&str; 2] =
    ["application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"];
/// How the media types of an image's layers begin, compressed and encrypted ones included.
const LAYERS: [&str; 2] = ["application/vnd.docker.image.rootfs.", "application/vnd.oci.image.layer."];

/// What the registry's list says of something in it, without its manifest.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listed<'a> {
    /// Media type of the manifest.
    pub manifest: Option<&'a str>,
    /// Media type of the config; none for an index.
    pub artifact: Option<&'a str>,
    /// What it is attached to: it is a signature or the like.
    pub subject: Option<&'a str>,
}

impl<'a> Listed<'a> {
    /// What it is instead of an image; `None` where it may be one, and only its manifest tells.
    #[must_use]
    pub fn other(&self) -> Option<&'a str> {
        let said = |kind: Option<&'a str>| kind.filter(|kind| !kind.is_empty());
        let is_manifest = |kind: &&str| IMAGES.contains(kind) || INDEXES.contains(kind);
        let manifest = said(self.manifest).filter(|kind| !is_manifest(kind));
        // ECR may say the manifest's own type where there is no config.
        let artifact = said(self.artifact).filter(|kind| !CONFIGS.contains(kind) && !is_manifest(kind));
        manifest.or(artifact).or(said(self.subject).map(|_| "something attached to another image"))
    }
}

/// The processor and system of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: String,
}

impl Platform {
    /// Reads an image's configuration; `None` where it does not say its processor.
    #[must_use]
    pub fn of_config(text: &str) -> Option<Platform> {
        let read: Platform = serde_json::from_str(text).ok()?;
        (!read.architecture.is_empty()).then_some(read)
    }

    /// Whether the container instances run it. Without a system it is for Linux, as Docker takes it.
    pub(super) fn fits(&self) -> bool {
        (self.os.is_empty() || self.os == "linux") && self.architecture == "arm64"
    }

    /// `docker buildx` marks attestations so.
    fn is_nothing(&self) -> bool {
        self.architecture == "unknown"
    }

    pub(super) fn name(&self) -> String {
        let os = if self.os.is_empty() { "linux" } else { &self.os };
        let variant = if self.variant.is_empty() { String::new() } else { format!("/{}", self.variant) };
        format!("{os}/{}{variant}", self.architecture)
    }
}

/// A manifest, as far as skydeck looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// One image.
    Image {
        /// Digest of its configuration.
        config: String,
    },
    /// Several, of which one is run.
    Index(Vec<Part>),
    /// No image.
    Other,
}

/// An entry of an index that may be an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Digest of its manifest.
    pub digest: String,
    /// What it is for, where the index says so.
    pub platform: Option<Platform>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: Option<String>,
    artifact_type: Option<String>,
    subject: Option<serde_json::Value>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    digest: String,
    artifact_type: Option<String>,
    platform: Option<Platform>,
}

impl Document {
    fn is_artifact(&self) -> bool {
        let kind = self.artifact_type.as_deref().filter(|kind| !kind.is_empty());
        self.subject.is_some() || kind.is_some_and(|kind| !CONFIGS.contains(&kind))
    }

    /// Whether its own media type, where it has one, is among these.
    fn is_of(&self, kinds: [&str; 2]) -> bool {
        self.media_type.as_deref().is_none_or(|kind| kinds.contains(&kind))
    }
}

impl Descriptor {
    /// Whether an index means an image by it.
    fn is_part(&self) -> bool {
        let is_manifest = |kind: &str| kind.is_empty() || IMAGES.contains(&kind) || INDEXES.contains(&kind);
        let kind = self.artifact_type.as_deref().filter(|kind| !kind.is_empty());
        is_manifest(&self.media_type)
            && kind.is_none_or(|kind| CONFIGS.contains(&kind))
            && self.platform.as_ref().is_none_or(|platform| !platform.is_nothing())
    }

    fn is_layer(&self) -> bool {
        LAYERS.iter().any(|begin| self.media_type.starts_with(begin))
    }
}

impl Manifest {
    /// The media types that are asked for: those of what can run.
    pub const MEDIA_TYPES: [&str; 4] = [IMAGES[0], INDEXES[0], IMAGES[1], INDEXES[1]];

    /// Reads a manifest's text. What cannot be read is no image.
    #[must_use]
    pub fn parse(text: &str) -> Manifest {
        let Ok(read) = serde_json::from_str::<Document>(text) else { return Manifest::Other };
        if read.is_artifact() {
            return Manifest::Other;
        }
        if read.is_of(INDEXES)
            && let Some(manifests) = &read.manifests
        {
            let parts = manifests.iter().filter(|part| part.is_part());
            // A platform that names no processor says nothing.
            let platform =
                |part: &Descriptor| part.platform.clone().filter(|platform| !platform.architecture.is_empty());
            let part = |part: &Descriptor| Part { digest: part.digest.clone(), platform: platform(part) };
            return Manifest::Index(parts.map(part).collect());
        }
        let Some(config) = read.config.as_ref().filter(|config| CONFIGS.contains(&config.media_type.as_str())) else {
            return Manifest::Other;
        };
        let layers = read.layers.as_deref().unwrap_or_default();
        let is_image = read.is_of(IMAGES) && !layers.is_empty() && layers.iter().all(Descriptor::is_layer);
        if is_image { Manifest::Image { config: config.digest.clone() } } else { Manifest::Other }
    }

    /// Digests of the images in an index.
    #[must_use]
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Manifest::Index(parts) => parts.iter().map(|part| part.digest.as_str()).collect(),
            Manifest::Image { .. } | Manifest::Other => Vec::new(),
        }
    }
}
