//! Numbers in the tag: the highest, compared one after another. Calendar versions such as `2022.04.2` are of this kind.

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

/// The numbers that stand between these texts, where nothing else does. No text between two numbers has a digit in it.
pub(super) fn numbers<'t>(texts: &[String], tag: &'t str) -> Option<Vec<Number<'t>>> {
    let [prefix, between @ .., suffix] = texts else { return None };
    let mut rest = tag.strip_prefix(prefix.as_str())?.strip_suffix(suffix.as_str())?;
    let mut numbers = Vec::new();
    for text in between {
        let (number, behind) = rest.split_once(text.as_str())?;
        numbers.push(Number::read(number)?);
        rest = behind;
    }
    numbers.push(Number::read(rest)?);
    Some(numbers)
}

impl<'t> Number<'t> {
    fn read(digits: &'t str) -> Option<Self> {
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| Number(digits.trim_start_matches('0')))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'t>(pattern: &str, tag: &'t str) -> Option<Vec<Number<'t>>> {
        numbers(&pattern.split('*').map(Into::into).collect::<Vec<_>>(), tag)
    }

    #[test]
    fn the_number_is_all_that_stands_in_the_place_of_the_star() {
        for (pattern, tag) in [("build-*", "build-7"), ("*", "7"), ("*-arm64", "007-arm64")] {
            assert_eq!(read(pattern, tag), Some(vec![Number("7")]), "{tag}");
        }
        for (pattern, tag) in [
            ("build-*", "build-"),
            ("build-*", "build-7a"),
            ("build-*", "build--7"),
            ("build-*", "7"),
            ("*", "7.5"),
            ("1*1", "1"),
            ("*-arm64", "7"),
        ] {
            assert_eq!(read(pattern, tag), None, "{tag}");
        }
    }

    #[test]
    fn several_numbers_are_compared_one_after_another() {
        let rising = ["2021.12.31", "2022.04.2", "2022.4.10", "2022.10.1", "2022.010.2"];
        for pair in rising.windows(2) {
            assert!(read("*.*.*", pair[0]) < read("*.*.*", pair[1]), "{pair:?}");
        }
        assert_eq!(read("*.*.*", "2022.04.2"), read("*.*.*", "2022.4.02"));
        for tag in ["2022.04", "2022.04.2.1", "2022.04.x", "2022..2", "v2022.04.2", "2022.04.2-rc1"] {
            assert_eq!(read("*.*.*", tag), None, "{tag}");
        }
        assert!(read("v*-*-rc*", "v7-08-rc3").is_some());
    }

    #[test]
    fn numbers_longer_than_a_machines_are_compared() {
        let (less, more) = (format!("{}8", "9".repeat(126)), "9".repeat(127));
        assert!(read("*", &less) < read("*", &more));
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_numbers_whatever_zeros_lead(one: u64, other: u64, zeros in 0..4usize) {
            let (tag, another) = (format!("{}{one}", "0".repeat(zeros)), other.to_string());
            prop_assert_eq!(read("*", &tag).cmp(&read("*", &another)), one.cmp(&other));
        }
    }
}
