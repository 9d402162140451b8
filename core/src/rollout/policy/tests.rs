use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::layer::registry::KEEP_PREFIX;
use crate::layer::service::AWAITING_TAG;
use crate::spec::Pattern;

fn image(digest: &str, tags: &[&str], at: i64) -> Pushed {
    Pushed { digest: digest.into(), tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), at }
}

fn semver(range: &str) -> ImagePolicy {
    ImagePolicy::Semver(range.parse().unwrap())
}

fn numeric(prefix: &str, suffix: &str) -> ImagePolicy {
    ImagePolicy::Numeric(vec![prefix.into(), suffix.into()])
}

fn regex(pattern: &str) -> ImagePolicy {
    ImagePolicy::Regex(Pattern::new(pattern).unwrap())
}

fn every_policy() -> Vec<ImagePolicy> {
    vec![
        ImagePolicy::Tag("v1.0.0".into()),
        semver("*"),
        numeric("build-", ""),
        ImagePolicy::Glob("*".into()),
        regex(""),
        ImagePolicy::Newest,
    ]
}

/// Digest and tag of what is wanted.
fn told<'a>(policy: &ImagePolicy, images: &'a [Pushed]) -> Option<(&'a str, &'a str)> {
    wanted(policy, images).map(|wanted| (wanted.image.digest.as_str(), wanted.tag))
}

#[test]
fn an_exact_tag_wants_the_image_that_bears_it_now_older_or_not() {
    let before = [image("old", &["v1"], 1), image("new", &["v2", "latest"], 2)];
    let after = [image("old", &["v1", "latest"], 1), image("new", &["v2"], 2)];
    let policy = ImagePolicy::Tag("latest".into());
    assert_eq!(told(&policy, &before), Some(("new", "latest")));
    assert_eq!(told(&policy, &after), Some(("old", "latest")), "a promotion of an older image");
    assert_eq!(told(&policy, &[image("other", &["late", "latest2", "Latest"], 1)]), None);
}

#[test]
fn a_range_wants_the_highest_version_whenever_it_was_pushed() {
    let images = [
        image("ten", &["v1.10.0"], 1),
        image("nine", &["1.9.0", "latest"], 2),
        image("two", &["v2.0.0"], 3),
        image("next", &["v1.11.0-rc.1"], 4),
    ];
    assert_eq!(told(&semver(">=1.2, <2"), &images), Some(("ten", "v1.10.0")));
    assert_eq!(told(&semver("1.11.0-rc.1"), &images), Some(("next", "v1.11.0-rc.1")));
    assert_eq!(told(&semver("3"), &images), None);
}

#[test]
fn where_there_are_only_pre_releases_a_range_that_takes_them_finds_the_highest() {
    let images =
        [image("two", &["v1.0.0-rc.2"], 1), image("ten", &["v1.0.0-rc.10"], 2), image("old", &["v0.9.0-rc.1"], 3)];
    assert_eq!(told(&semver(">=0.0.0-0"), &images), Some(("ten", "v1.0.0-rc.10")));
    assert_eq!(told(&semver(">=0.0.0"), &images), None);
    let released = [image("out", &["1.0.0"], 1), image("rc", &["1.0.0-rc.10"], 2)];
    assert_eq!(told(&semver(">=0.0.0-0"), &released), Some(("out", "1.0.0")));
}

#[test]
fn calendar_versions_are_compared_by_their_numbers() {
    let images =
        [image("april", &["2022.04.2"], 3), image("october", &["2022.10.1"], 1), image("may", &["2022.5.30"], 2)];
    let policy = ImagePolicy::Numeric(vec![String::new(), ".".into(), ".".into(), String::new()]);
    assert_eq!(told(&policy, &images), Some(("october", "2022.10.1")));
}

#[test]
fn a_version_that_two_images_claim_is_the_later_ones() {
    let images = [image("a", &["1.0.0"], 2), image("b", &["v1.0.0"], 1)];
    assert_eq!(told(&semver("1"), &images), Some(("a", "1.0.0")));
}

#[test]
fn numbers_are_compared_as_such() {
    let images = [image("ten", &["build-10"], 1), image("nine", &["build-9"], 2), image("other", &["11"], 3)];
    assert_eq!(told(&numeric("build-", ""), &images), Some(("ten", "build-10")));
    assert_eq!(told(&numeric("", ""), &images), Some(("other", "11")));
    let zeros = [image("one", &["07"], 2), image("other", &["7"], 1)];
    assert_eq!(told(&numeric("", ""), &zeros), Some(("one", "07")), "the same number: the later push");
}

#[test]
fn by_pattern_the_latest_push_with_a_matching_tag_is_wanted() {
    let images = [
        image("first", &["release-9"], 1),
        image("second", &["release-10", "nightly"], 2),
        image("third", &["nightly-2"], 3),
    ];
    assert_eq!(told(&ImagePolicy::Glob("release-*".into()), &images), Some(("second", "release-10")));
    assert_eq!(told(&ImagePolicy::Glob("release-?".into()), &images), Some(("first", "release-9")));
    assert_eq!(told(&regex("^release-[0-9]$"), &images), Some(("first", "release-9")));
    assert_eq!(told(&regex("[0-9]"), &images), Some(("third", "nightly-2")), "found anywhere in the tag");
    assert_eq!(told(&ImagePolicy::Newest, &images), Some(("third", "nightly-2")));
}

#[test]
fn without_a_tag_of_a_person_no_image_is_wanted() {
    let images = [image("child", &[], 3), image("kept", &["skydeck-keep-def"], 4)];
    for policy in every_policy() {
        assert_eq!(told(&policy, &images), None, "{policy:?}");
    }
    assert_eq!(told(&ImagePolicy::Tag("skydeck-keep-def".into()), &images), None);
}

#[test]
fn the_tags_that_skydeck_gives_are_its_own() {
    assert!(is_own(KEEP_PREFIX) && is_own(AWAITING_TAG) && !is_own("skydeck") && !is_own("v1-skydeck-"));
}

#[test]
fn a_kept_image_is_wanted_by_its_other_tags() {
    let images = [image("kept", &["skydeck-keep-def", "v1.0.0"], 4), image("old", &["v0.9.0"], 1)];
    assert_eq!(told(&ImagePolicy::Newest, &images), Some(("kept", "v1.0.0")));
}

#[test]
fn a_policy_admits_what_it_could_want() {
    assert!(admits(&ImagePolicy::Tag("latest".into()), "latest"));
    assert!(!admits(&ImagePolicy::Tag("latest".into()), "v1.0.0"));
    assert!(admits(&semver("1"), "v1.2.3") && !admits(&semver("1"), "v2.0.0"));
    assert!(admits(&numeric("build-", ""), "build-3") && !admits(&numeric("build-", ""), "build-x"));
    assert!(!admits(&ImagePolicy::Glob("a*".into()), "b") && !admits(&regex("^a"), "ba"));
    assert!(admits(&ImagePolicy::Newest, "anything"));
    for policy in every_policy() {
        assert!(!admits(&policy, "skydeck-keep-0123456789ab"), "{policy:?}");
    }
}

/// Whether a policy goes by the time of the push, so that an image can be older than the one that runs and for that
/// reason not wanted. By the others an older push can be the wanted one.
fn by_time(policy: &ImagePolicy) -> bool {
    match policy {
        ImagePolicy::Glob(_) | ImagePolicy::Regex(_) | ImagePolicy::Newest => true,
        ImagePolicy::Tag(_) | ImagePolicy::Semver(_) | ImagePolicy::Numeric(_) => false,
    }
}

/// A repository: each tag on one image.
fn repository() -> impl Strategy<Value = Vec<Pushed>> {
    const TAGS: [&str; 9] =
        ["v1.0.0", "1.0.0", "v1.10.0", "v1.9.0-rc.1", "build-7", "build-007", "build-12", "latest", "skydeck-keep-1"];
    let times = prop::collection::vec(0..3i64, 4);
    (prop::collection::vec(prop::option::of(0..4usize), TAGS.len()), times).prop_map(|(bearers, times)| {
        let tags = |index| {
            let borne = TAGS.iter().zip(&bearers).filter(move |(_, bearer)| **bearer == Some(index));
            borne.map(|(tag, _)| *tag).collect::<Vec<_>>()
        };
        times.iter().enumerate().map(|(index, at)| image(&format!("sha256:{index}"), &tags(index), *at)).collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_images_and_tags_does_not_matter(
        (images, shuffled) in repository().prop_flat_map(|images| (Just(images.clone()), Just(images).prop_shuffle())),
        policy in select(every_policy()),
    ) {
        let mut shuffled = shuffled;
        shuffled.iter_mut().for_each(|image| image.tags.reverse());
        prop_assert_eq!(told(&policy, &images), told(&policy, &shuffled));
    }

    #[test]
    fn what_is_wanted_bears_an_admitted_tag_and_is_there_whenever_one_is(
        images in repository(),
        policy in select(every_policy()),
    ) {
        let admitted = |image: &Pushed| image.tags.iter().any(|tag| admits(&policy, tag));
        match wanted(&policy, &images) {
            Some(Wanted { image, tag }) => {
                prop_assert!(image.tags.iter().any(|own| own == tag) && admits(&policy, tag) && !is_own(tag));
                let later = images.iter().any(|other| admitted(other) && other.at > image.at);
                prop_assert!(!by_time(&policy) || !later);
            }
            None => prop_assert!(!images.iter().any(admitted)),
        }
    }
}
