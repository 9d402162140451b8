//! An exact tag: the image that bears it now, whenever that was pushed.

pub(super) fn matches(wanted: &str, tag: &str) -> bool {
    wanted == tag
}
