//! What was measured, and what failed.

use serde::Serialize;

use super::trial::Seen;

/// The most that a function's archive may have, in bytes: 6 MB.
pub const ZIP_LIMIT: usize = 6_000_000;

/// A function, built for ARM64.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// The size of the archive that `skydeck bootstrap` uploads.
    pub zip_bytes: usize,
    /// Milliseconds from the start of its process until it asked for its first event, emulated; none where it never did.
    pub cold_ms: Option<u64>,
    /// Its resident memory at that moment in MB, with the emulator's own.
    pub rss_mb: Option<f64>,
}

impl Measured {
    pub(super) fn of(name: &str, zip_bytes: usize, seen: Option<Seen>) -> Self {
        let cold_ms = seen.map(|seen| u64::try_from(seen.cold.as_millis()).unwrap_or(u64::MAX));
        let tenths = seen.map(|seen| (seen.resident * 1024).div_ceil(100_000));
        let rss_mb = tenths.map(|tenths| f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0);
        Self { name: name.to_owned(), zip_bytes, cold_ms, rss_mb }
    }
}

/// What came of all functions that were asked for.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// In the order of their names.
    pub functions: Vec<Measured>,
    /// Why the program fails, if it does.
    #[serde(skip)]
    pub failures: Vec<miette::Report>,
}

impl Report {
    /// Whether every function does what it should, and is small enough.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failures.is_empty()
    }

    /// The figures as a table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{:<12} {:>10} {:>8} {:>7}\n", "function", "zip bytes", "cold ms", "rss MB");
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        for one in &self.functions {
            let (cold, rss) = (one.cold_ms.map(|ms| ms.to_string()), one.rss_mb.map(|mb| format!("{mb:.1}")));
            text += &format!("{:<12} {:>10} {:>8} {:>7}\n", one.name, one.zip_bytes, shown(cold), shown(rss));
        }
        text
    }
}
