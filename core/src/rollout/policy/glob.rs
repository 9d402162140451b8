//! A pattern in which `*` stands for any characters, also none, and `?` for one.

pub(super) fn matches(glob: &str, tag: &str) -> bool {
    let (glob, tag) = (glob.as_bytes(), tag.as_bytes());
    let (mut at, mut read) = (0, 0);
    // The last star, and up to where it reaches: it takes one more character whenever what follows does not match.
    let mut star = None;
    while read < tag.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == tag[read] => (at, read) = (at + 1, read + 1),
            _ => {
                let Some((place, reach)) = star else { return false };
                star = Some((place, reach + 1));
                (at, read) = (place + 1, reach + 1);
            }
        }
    }
    glob[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn a_glob_is_about_the_whole_tag() {
        for (glob, tag) in [("release-*", "release-"), ("release-*", "release-7"), ("*", "a"), ("v?.?", "v1.2")] {
            assert!(matches(glob, tag), "{glob} {tag}");
        }
        for (glob, tag) in [("release-*", "a-release-7"), ("v?", "v10"), ("v?", "v"), ("*-rc", "1-rc2"), ("v1", "v")] {
            assert!(!matches(glob, tag), "{glob} {tag}");
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_what_its_regular_expression_does(glob in "[ab.*?]{0,8}", tag in "[ab.]{0,10}") {
            let regex = regex::escape(&glob).replace(r"\*", ".*").replace(r"\?", ".");
            prop_assert_eq!(matches(&glob, &tag), Regex::new(&format!("^{regex}$")).unwrap().is_match(&tag));
        }
    }
}
