//! A regular expression that is found in the tag.

use crate::spec::Pattern;

pub(super) fn matches(pattern: &Pattern, tag: &str) -> bool {
    pattern.is_found_in(tag)
}
