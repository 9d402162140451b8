//! What an image's manifest says of the processors that it runs on.

use serde::Deserialize;

/// A manifest, or an index of several.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    #[serde(default)]
    manifests: Option<Vec<Part>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Part {
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

impl Manifest {
    /// The media types of what can run: images and indexes of them, by Docker and by the Open Container Initiative.
    pub const MEDIA_TYPES: [&str; 4] = [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ];

    /// Reads a manifest's text; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Manifest> {
        serde_json::from_str(text).ok()
    }

    /// Why the container instances cannot run it; `None` where they can, or where only its config would tell: a single
    /// image's processor stands there, and ECS tells of a wrong one when its first task starts.
    #[must_use]
    pub fn unfit(&self) -> Option<String> {
        let parts = self.manifests.as_ref()?;
        let known: Vec<&Platform> = parts.iter().filter_map(|part| part.platform.as_ref()).collect();
        if known.iter().any(|platform| platform.os == "linux" && platform.architecture == "arm64") {
            return None;
        }
        let names = known.iter().filter(|platform| platform.os != "unknown");
        let mut names: Vec<String> = names.map(|found| format!("{}/{}", found.os, found.architecture)).collect();
        names.dedup();
        Some(format!(
            "the image is for {}, and the container instances are linux/arm64. Build it with `docker buildx build --platform linux/arm64`",
            if names.is_empty() { "no platform that it names".into() } else { names.join(", ") }
        ))
    }

    /// Digests of the images in an index.
    #[must_use]
    pub fn parts(&self) -> Vec<&str> {
        self.manifests.iter().flatten().map(|part| part.digest.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    fn index(architectures: &[&str]) -> Manifest {
        let part = |architecture: &&str| serde_json::json!({ "digest": format!("sha256:{architecture}"), "platform": { "os": "linux", "architecture": architecture } });
        let parts: Vec<_> = architectures.iter().map(part).collect();
        Manifest::parse(&serde_json::json!({ "manifests": parts }).to_string()).unwrap()
    }

    #[test]
    fn an_index_must_hold_an_image_for_the_instances() {
        assert_eq!(index(&["amd64", "arm64"]).unfit(), None);
        let why = index(&["amd64"]).unfit().unwrap();
        assert!(why.starts_with("the image is for linux/amd64, and"), "{why}");
        assert_eq!(index(&["amd64", "arm64"]).parts(), ["sha256:amd64", "sha256:arm64"]);
    }

    #[test]
    fn a_single_image_is_left_to_ecs() {
        assert_eq!(Manifest::parse(r#"{"schemaVersion": 2, "config": {}}"#).unwrap().unfit(), None);
        assert!(Manifest::parse("not json").is_none());
    }
}
