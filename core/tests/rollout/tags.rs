//! A tag that is given to an older image counts as a push of it.

use skydeck_core::rollout::decide::Running;
use skydeck_core::rollout::image::Pushed;
use skydeck_core::rollout::policy::wanted;
use skydeck_core::rollout::tags::Tags;
use skydeck_core::spec::ImagePolicy;

fn image(digest: &str, tags: &[&str], at: i64) -> Pushed {
    Pushed { digest: digest.into(), tags: tags.iter().map(|tag| (*tag).into()).collect(), at }
}

/// Two images, a minute after each other.
fn pushed() -> Vec<Pushed> {
    vec![image("old", &["v1", "skydeck-keep-1"], 1_000_000), image("new", &["v2"], 1_060_000)]
}

/// The same, where the older one has got a tag since.
fn again() -> Vec<Pushed> {
    vec![image("old", &["v1", "v3", "skydeck-keep-1"], 1_000_000), image("new", &["v2"], 1_060_000)]
}

fn chosen(tags: &Tags, policy: &ImagePolicy, mut images: Vec<Pushed>) -> String {
    tags.date(policy, &mut images);
    wanted(policy, &images).map(|wanted| wanted.image.digest.clone()).unwrap_or_default()
}

fn newest(tags: &Tags, images: Vec<Pushed>) -> String {
    chosen(tags, &ImagePolicy::Newest, images)
}

#[test]
fn an_event_says_when_an_older_image_was_pushed_again() {
    let told = |at| Tags::default().told("old", Some("v3"), at, &again());
    assert_eq!(newest(&Tags::default(), again()), "new");
    assert_eq!(newest(&told(1_120_000), again()), "old");
    assert_eq!(newest(&told(1_050_000), again()), "new", "an event that comes late tells of an older push");
    assert_eq!(told(1_003_000), Tags::default(), "that is its first push, by another clock");
    assert_eq!(Tags::default().told("old", Some("v2"), 1_120_000, &again()), Tags::default(), "the tag has moved on");
    let untagged = Tags::default().told("old", None, 1_120_000, &again());
    assert_eq!(newest(&untagged, again()), "old");
    assert_eq!(untagged.told("old", Some("v3"), 1_110_000, &again()), untagged, "doubled, and late");
}

#[test]
fn the_sweep_notices_a_tag_that_moved_without_a_word() {
    let looked = |tags: &Tags, images: &[Pushed], now| tags.looked(images, &Running::default(), now);
    let before = looked(&Tags::default(), &pushed(), 1_100_000);
    assert_eq!(newest(&before, pushed()), "new");
    let after = looked(&before, &again(), 1_200_000);
    assert_eq!(newest(&after, again()), "old");
    assert_eq!(looked(&after, &again(), 1_300_000).tags, after.tags, "it stays when it was");
    let late = [again(), vec![image("late", &["v4"], 1_250_000)]].concat();
    assert_eq!(newest(&looked(&after, &late, 1_300_000), late), "late");
    assert_eq!(newest(&looked(&before, &pushed(), 1_200_000), pushed()), "new", "nothing has moved");
}

#[test]
fn a_tag_that_goes_to_another_image_counts_for_that() {
    let moved = |to| vec![image("old", &["v1"], 1_000_000), image("new", &["v2"], 1_060_000), image(to, &["live"], 0)];
    let before = Tags::default().looked(&moved("third"), &Running::default(), 1_100_000);
    let images = vec![image("old", &["v1", "live"], 1_000_000), image("new", &["v2"], 1_060_000)];
    assert_eq!(newest(&before.looked(&images, &Running::default(), 1_200_000), images), "old");
}

#[test]
fn without_that_memory_what_runs_was_wanted_when_it_was_registered() {
    let running = Running { digest: Some("old".into()), registered: 1_130_000, ..Running::default() };
    assert_eq!(newest(&Tags::default().looked(&again(), &running, 1_200_000), again()), "old");
    let earlier = Running { registered: 1_010_000, ..running };
    assert_eq!(newest(&Tags::default().looked(&again(), &earlier, 1_200_000), again()), "new");
}

#[test]
fn only_tags_that_the_policy_admits_count_and_versions_stay_in_order() {
    let images = vec![image("old", &["rel-1", "x-3"], 1_000_000), image("new", &["rel-2"], 1_060_000)];
    let known = Tags::default().told("old", Some("x-3"), 1_120_000, &images);
    assert_eq!(chosen(&known, &ImagePolicy::Glob("rel-*".into()), images.clone()), "new");
    assert_eq!(newest(&known, images), "old");
    let versions = vec![image("old", &["1.0.0", "1.0.1"], 1_000_000), image("new", &["1.1.0"], 1_060_000)];
    let known = Tags::default().told("old", Some("1.0.1"), 1_120_000, &versions);
    assert_eq!(chosen(&known, &ImagePolicy::Semver(">=1".parse().unwrap()), versions), "new");
}
