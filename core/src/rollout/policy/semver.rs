//! A range of versions: the highest in it, pre-releases as Cargo has them.

use semver::{Version, VersionReq};

/// The version that a tag is, with or without a `v` before it, where the range has it. A tag such as `v1.2` moves along
/// with the releases and is no version.
pub(super) fn version(range: &VersionReq, tag: &str) -> Option<Version> {
    let version = Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
    range.matches(&version).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_whole_version_in_the_range() {
        let range = VersionReq::parse(">=1.2, <2").unwrap();
        for tag in ["1.2.0", "v1.2.0", "v1.99.7"] {
            assert!(version(&range, tag).is_some(), "{tag}");
        }
        for tag in ["1.1.9", "v2.0.0", "v1.2", "1", "vv1.2.0", "V1.2.0", "release-1.2.0", "01.2.0", "latest", "v"] {
            assert!(version(&range, tag).is_none(), "{tag}");
        }
    }

    #[test]
    fn a_pre_release_is_in_a_range_that_names_one_of_the_same_version() {
        let takes = |range: &str, tag: &str| version(&VersionReq::parse(range).unwrap(), tag).is_some();
        assert!(!takes("1.3", "1.3.0-rc.1"));
        assert!(!takes("*", "1.3.0-rc.1"));
        assert!(takes("1.3.0-rc.1", "v1.3.0-rc.2"));
        assert!(!takes("1.3.0-rc.1", "1.3.1-rc.2"));
        assert!(takes("1.3.0-rc.1", "1.3.1"));
    }
}
