//! Identifiers in the forms of AWS.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// 32 hexadecimal digits that nobody has had yet.
pub(crate) fn hex32() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    digest(&format!("{}-{count}-{nanos}", std::process::id()))
}

/// 32 hexadecimal digits that follow from a text.
pub(crate) fn digest(text: &str) -> String {
    let mut hash = hex::encode(Sha256::digest(text));
    hash.truncate(32);
    hash
}

/// Such as a request id.
pub(crate) fn uuid() -> String {
    let hex = hex32();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// An EC2 instance's.
pub(crate) fn instance() -> String {
    format!("i-{}", &hex32()[..17])
}

/// Such as the number in `ecs-svc/1234567890123456789`.
pub(crate) fn number() -> String {
    let digits: String = hex32().chars().map(|digit| char::from(b'0' + (digit as u8) % 10)).take(18).collect();
    format!("4{digits}")
}
