//! Which image a service is to start with.

use crate::scope::Scope;

/// Tags that begin so are skydeck's own.
const OWN_TAGS: &str = "skydeck-";

/// An image of a repository: an index where several platforms, or an attestation, were pushed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its digest.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed, in milliseconds since 1970.
    pub at: i64,
}

/// The repository of a service.
#[must_use]
pub fn repository(scope: &Scope, service: &str) -> Option<String> {
    scope.platform.services.get(service).map(|service| scope.name(&service.repository))
}

/// The digest that a service is to start with: of the image pushed last among those that a person tagged. What has no
/// tag is a part of an index, or what a tag has left behind.
#[must_use]
pub fn wanted(images: &[Pushed]) -> Option<&str> {
    let tagged = images.iter().filter(|image| image.tags.iter().any(|tag| !tag.starts_with(OWN_TAGS)));
    let newest = tagged.max_by(|one, other| (one.at, &one.digest).cmp(&(other.at, &other.digest)));
    newest.map(|image| image.digest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(digest: &str, tags: &[&str], at: i64) -> Pushed {
        Pushed { digest: digest.into(), tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), at }
    }

    #[test]
    fn the_newest_image_with_a_tag_of_a_person_is_wanted() {
        let images = [
            image("sha256:old", &["v1"], 1),
            image("sha256:new", &["v2", "skydeck-keep-abc"], 2),
            image("sha256:child", &[], 3),
            image("sha256:kept", &["skydeck-keep-def"], 4),
        ];
        assert_eq!(wanted(&images), Some("sha256:new"));
        assert_eq!(wanted(&images[2..]), None);
        assert_eq!(wanted(&[]), None);
    }
}
