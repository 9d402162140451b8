//! A number in the tag: the highest.

use std::cmp::Ordering;

/// A decimal number of any length: a tag has up to 128 digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Number<'t>(&'t str);

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.len(), self.0).cmp(&(other.0.len(), other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The number that stands between prefix and suffix, where nothing else does.
pub(super) fn number<'t>(prefix: &str, suffix: &str, tag: &'t str) -> Option<Number<'t>> {
    let digits = tag.strip_prefix(prefix)?.strip_suffix(suffix)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| Number(digits.trim_start_matches('0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_is_all_that_stands_in_the_place_of_the_star() {
        for (prefix, suffix, tag) in [("build-", "", "build-7"), ("", "", "7"), ("", "-arm64", "007-arm64")] {
            assert_eq!(number(prefix, suffix, tag), Some(Number("7")), "{tag}");
        }
        for (prefix, suffix, tag) in [
            ("build-", "", "build-"),
            ("build-", "", "build-7a"),
            ("build-", "", "build--7"),
            ("build-", "", "7"),
            ("", "", "7.5"),
            ("1", "1", "1"),
            ("", "-arm64", "7"),
        ] {
            assert_eq!(number(prefix, suffix, tag), None, "{tag}");
        }
    }

    #[test]
    fn numbers_longer_than_a_machines_are_compared() {
        let (less, more) = (format!("{}8", "9".repeat(126)), "9".repeat(127));
        assert!(number("", "", &less) < number("", "", &more));
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_numbers_whatever_zeros_lead(one: u64, other: u64, zeros in 0..4usize) {
            let (tag, another) = (format!("{}{one}", "0".repeat(zeros)), other.to_string());
            prop_assert_eq!(number("", "", &tag).cmp(&number("", "", &another)), one.cmp(&other));
        }
    }
}
