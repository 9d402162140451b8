//! Numbers, between the SDK's signed optional ones and skydeck's own.

/// A count or a size as AWS tells it; none is zero.
pub(crate) fn from_aws(number: Option<i32>) -> u32 {
    u32::try_from(number.unwrap_or_default()).unwrap_or_default()
}

/// A port as AWS tells it; none is zero.
pub(crate) fn port(number: Option<i32>) -> u16 {
    u16::try_from(number.unwrap_or_default()).unwrap_or_default()
}

/// A number as AWS takes it.
pub(crate) fn to_aws(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
