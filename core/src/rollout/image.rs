//! Images of a repository.

/// Tags that begin so are skydeck's own: no policy ever wants an image by one.
pub const OWN_TAGS: &str = "skydeck-";

/// Whether a tag is skydeck's own.
#[must_use]
pub fn is_own(tag: &str) -> bool {
    tag.starts_with(OWN_TAGS)
}

/// An image as a person knows it: by its tag, where it has one, and enough of its digest.
#[must_use]
pub fn name(digest: &str, tag: Option<&str>) -> String {
    let digest: String = digest.chars().take("sha256:".len() + 12).collect();
    tag.map_or(digest.clone(), |tag| format!("{tag} ({digest})"))
}

/// An image of a repository: an index where several platforms, or an attestation, were pushed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its digest.
    pub digest: String,
    /// Its tags. What has none is a part of an index, or what a tag has left behind.
    pub tags: Vec<String>,
    /// When it was pushed, in milliseconds since 1970.
    pub at: i64,
}
