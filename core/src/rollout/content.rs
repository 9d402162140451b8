//! What is known of a repository's images by their manifests and configurations, as far as these were read.

use std::collections::BTreeMap;

use super::manifest::{Manifest, Part, Platform};

/// What was read. What ECR does not give is remembered as that, so that it is not asked for again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    manifests: BTreeMap<String, Option<Manifest>>,
    configs: BTreeMap<String, Option<Platform>>,
}

impl Content {
    /// Adds the text of a manifest, or that there is none.
    pub fn manifest(&mut self, digest: &str, text: Option<&str>) {
        self.manifests.insert(digest.to_owned(), text.map(Manifest::parse));
    }

    /// Adds the text of a configuration, or that it cannot be had.
    pub fn config(&mut self, digest: &str, text: Option<&str>) {
        self.configs.insert(digest.to_owned(), text.and_then(Platform::of_config));
    }

    fn known(&self, digest: &str) -> Option<&Manifest> {
        self.manifests.get(digest)?.as_ref()
    }

    /// Whether ECR gave its manifest.
    #[must_use]
    pub fn has(&self, digest: &str) -> bool {
        self.known(digest).is_some()
    }

    /// The manifests still to be read until it is known whether this is an image, and for what: its own, and those of the
    /// entries of an index that names no platform that would do.
    #[must_use]
    pub fn unread(&self, digest: &str) -> Vec<String> {
        match self.manifests.get(digest) {
            None => vec![digest.to_owned()],
            Some(Some(Manifest::Index(parts))) if !parts.iter().any(fits) => {
                let unsaid = parts.iter().filter(|part| part.platform.is_none());
                unsaid.flat_map(|part| self.unread(&part.digest)).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    /// Whether it is a container image, or an index with one in it at least.
    #[must_use]
    pub fn is_image(&self, digest: &str) -> bool {
        match self.known(digest) {
            Some(Manifest::Image { .. }) => true,
            Some(Manifest::Index(parts)) => {
                // An entry that cannot be read is no evidence against the index.
                let is_lost = |part: &Part| self.manifests.get(&part.digest) == Some(&None);
                parts.iter().any(|part| part.platform.is_some() || is_lost(part) || self.is_image(&part.digest))
            }
            Some(Manifest::Other) | None => false,
        }
    }

    /// Whether it is an index that lists this image.
    #[must_use]
    pub fn lists(&self, index: &str, image: &str) -> bool {
        matches!(self.known(index), Some(Manifest::Index(parts)) if parts.iter().any(|part| part.digest == image))
    }

    /// The configurations still to be read until it is known for what the image is.
    #[must_use]
    pub fn unread_configs(&self, digest: &str) -> Vec<String> {
        match self.known(digest) {
            Some(Manifest::Image { config }) if !self.configs.contains_key(config) => vec![config.clone()],
            Some(Manifest::Index(parts)) if !parts.iter().any(fits) => {
                let unsaid = parts.iter().filter(|part| part.platform.is_none());
                unsaid.flat_map(|part| self.unread_configs(&part.digest)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What the image is for; `None` among them is an image that does not say so, or whose configuration cannot be had.
    fn platforms(&self, digest: &str) -> Vec<Option<Platform>> {
        match self.known(digest) {
            Some(Manifest::Image { config }) => vec![self.configs.get(config).cloned().flatten()],
            Some(Manifest::Index(parts)) => {
                let of = |part: &Part| match &part.platform {
                    Some(platform) => vec![Some(platform.clone())],
                    None => self.platforms(&part.digest),
                };
                parts.iter().flat_map(of).collect()
            }
            Some(Manifest::Other) => Vec::new(),
            None => vec![None],
        }
    }

    /// Why the container instances cannot run it; `None` where they can, or where it cannot be known before a task tries.
    #[must_use]
    pub fn unfit(&self, digest: &str) -> Option<String> {
        if self.has(digest) && !self.is_image(digest) {
            return Some("it is not a container image".into());
        }
        let mut names = Vec::new();
        for platform in self.platforms(digest) {
            let platform = platform.filter(|platform| !platform.fits())?;
            if !names.contains(&platform.name()) {
                names.push(platform.name());
            }
        }
        Some(format!(
            "the image is for {}, and the container instances are linux/arm64. Build it with `docker buildx build --platform linux/arm64`",
            names.join(", ")
        ))
    }
}

fn fits(part: &Part) -> bool {
    part.platform.as_ref().is_some_and(Platform::fits)
}
