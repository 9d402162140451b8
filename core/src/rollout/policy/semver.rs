//! A range of versions: the highest in it, pre-releases as Cargo has them.

use semver::{BuildMetadata, Prerelease, Version, VersionReq};

/// The version that a tag is, with or without a `v` before it, where the range has it. A tag such as `v1.2` moves along
/// with the releases and is no version.
pub(super) fn version(range: &VersionReq, tag: &str) -> Option<Version> {
    let version = Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
    // A pre-release stands for the release that it leads to: what leads to 2.0.0 is not below 2.
    let release = || Version { pre: Prerelease::EMPTY, build: BuildMetadata::EMPTY, ..version.clone() };
    (range.matches(&version) || (takes_pre_releases(range) && range.matches(&release()))).then_some(version)
}

/// Whether a range means pre-releases of all of its versions. `-0` is the lowest of them, and no release is called so: as other
/// tools have it, `>=0.0.0-0` is any version at all.
fn takes_pre_releases(range: &VersionReq) -> bool {
    range.comparators.iter().any(|comparator| comparator.pre.as_str() == "0")
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

    #[test]
    fn a_range_from_the_lowest_pre_release_takes_them_all() {
        let takes = |range: &str, tag: &str| version(&VersionReq::parse(range).unwrap(), tag).is_some();
        for tag in ["0.0.0-alpha", "v1.3.0-rc.1", "1.3.0", "2.0.0-0"] {
            assert!(takes(">=0.0.0-0", tag), "{tag}");
        }
        assert!(takes(">=1.2.0-0, <2", "1.2.0-beta") && takes(">=1.2.0-0, <2", "1.9.0-rc.1"));
        assert!(!takes(">=1.2.0-0, <2", "2.0.0-rc.1"), "it leads to what the range leaves out");
        assert!(!takes(">=1.2.0-0, <2", "1.1.9-rc.1"));
        assert!(!takes(">=0.0.0", "1.3.0-rc.1"));
    }
}
