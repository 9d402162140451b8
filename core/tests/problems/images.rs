//! Policies that say which image a service should run.

use skydeck_core::spec::{ImagePolicy, Pattern, parse};

use crate::golden::{File, golden, minimal};

fn image(image: &str) -> File {
    minimal().with("port = 8080", &format!("port = 8080\nimage = {image}"))
}

golden! {
    an_image_without_a_policy_is_told: image("{}");
    an_image_with_two_policies_is_told: image("{ tag = \"latest\", newest = true }");
    an_image_with_three_policies_is_told: image("{ tag = \"latest\", glob = \"*\", semver = \"1\" }");
    an_image_that_is_a_text_is_told_once: image("\"latest\"");
    an_unknown_policy_is_told_with_the_nearest: image("{ semver = \"1\", tags = \"latest\" }");
    not_the_newest_is_no_policy: image("{ newest = false }");
    a_tag_that_ecr_refuses_is_told: image("{ tag = \"feature/new\" }");
    a_tag_that_begins_with_a_dot_is_told: image("{ tag = \".latest\" }");
    an_empty_tag_is_told: image("{ tag = \"\" }");
    a_tag_longer_than_ecr_takes_is_told: image(&format!("{{ tag = \"{}\" }}", "a".repeat(129)));
    a_tag_of_skydeck_is_told: image("{ tag = \"skydeck-keep-0123456789ab\" }");
    a_tag_with_a_star_is_told: image("{ tag = \"v*\" }");
    a_number_in_a_tag_of_skydeck_is_told: image("{ numeric = \"skydeck-*\" }");
    a_range_that_is_none_is_told: image("{ semver = \"v1.2\" }");
    an_empty_range_is_told: image("{ semver = \"\" }");
    a_number_without_a_place_is_told: image("{ numeric = \"build\" }");
    two_numbers_with_nothing_between_are_told: image("{ numeric = \"build-**\" }");
    two_numbers_with_a_digit_between_are_told: image("{ numeric = \"*.1.*\" }");
    a_number_with_a_question_mark_is_told: image("{ numeric = \"build-?\" }");
    a_glob_with_braces_is_told: image("{ glob = \"{a,b}-*\" }");
    a_glob_of_skydecks_tags_is_told: image("{ glob = \"skydeck-*\" }");
    a_regular_expression_that_is_none_is_told: image("{ regex = \"^v([0-9]+$\" }");
    an_empty_regular_expression_is_told: image("{ regex = \"\" }");
}

#[test]
fn each_policy_is_read() {
    let numeric = |prefix: &str, suffix: &str| ImagePolicy::Numeric(vec![prefix.into(), suffix.into()]);
    let policies = [
        ("{ tag = \"latest\" }", ImagePolicy::Tag("latest".into())),
        ("{ tag = \"_1.0-x\" }", ImagePolicy::Tag("_1.0-x".into())),
        ("{ semver = \">=1.2, <2\" }", ImagePolicy::Semver(">=1.2, <2".parse().unwrap())),
        ("{ numeric = \"build-*\" }", numeric("build-", "")),
        ("{ numeric = \"*\" }", numeric("", "")),
        ("{ numeric = \"v*-arm64\" }", numeric("v", "-arm64")),
        ("{ numeric = \"*.*.*\" }", ImagePolicy::Numeric(["", ".", ".", ""].map(Into::into).to_vec())),
        ("{ glob = \"release-*-?\" }", ImagePolicy::Glob("release-*-?".into())),
        ("{ regex = '^v\\d+(?i)RC$' }", ImagePolicy::Regex(Pattern::new(r"^v\d+(?i)RC$").unwrap())),
        ("{ newest = true }", ImagePolicy::Newest),
    ];
    for (text, policy) in policies {
        let platform = parse("platform.toml", &image(text).0).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(platform.services["web"].image, policy, "{text}");
        // It goes through the bucket between two functions.
        let json = serde_json::to_string(&platform).unwrap();
        assert_eq!(serde_json::from_str::<skydeck_core::spec::Platform>(&json).unwrap(), platform, "{text}");
    }
}
