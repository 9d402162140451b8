//! Names that AWS would refuse.

use skydeck_core::spec::parse;

use crate::golden::{File, golden, minimal};

fn platform(name: &str) -> File {
    minimal().with("name = \"hello\"", &format!("name = \"{name}\""))
}

fn secret(parameter: &str) -> File {
    minimal().and(&format!("[secrets.key]\nparameter = \"{parameter}\""))
}

golden! {
    a_name_with_capitals_is_told: platform("Hello");
    a_name_with_two_hyphens_in_a_row_is_told: platform("he--llo");
    a_name_that_begins_with_a_digit_is_told: platform("1hello");
    a_name_that_begins_with_a_hyphen_is_told: platform("-hello");
    a_name_that_ends_with_a_hyphen_is_told: platform("hello-");
    an_empty_name_is_told: platform("");
    a_service_with_a_dot_in_its_name_is_told: minimal().with("services.web", "services.\"web.v2\"");
    a_load_balancer_with_too_long_a_name_is_told: minimal().with("load-balancers.public", "load-balancers.everybody-on-the-internet");
    a_bucket_with_too_long_a_name_is_told: minimal().and(&format!("[buckets.images]\nsuffix = \"{}\"", "x".repeat(48)));
    a_service_with_too_long_a_name_is_told: minimal().with("services.web", &format!("services.{}", "w".repeat(33)));
    a_repository_with_too_long_a_name_is_told: minimal().with("port = 8080", &format!("port = 8080\nrepository = \"{}\"", "r".repeat(247)));
    a_platform_with_too_long_a_name_is_told: platform(&"p".repeat(35));
    a_platform_whose_load_balancers_would_begin_with_internal_is_told: platform("internal");
    a_platform_whose_capacity_provider_would_begin_with_ecs_is_told: platform("ecsy");
    a_bucket_with_an_ending_that_s3_keeps_is_told: minimal().and("[buckets.images]\nsuffix = \"s3alias\"");
    two_buckets_of_the_same_name_are_told: minimal().and("[buckets.a-b]\n[buckets.a]\nsuffix = \"b\"");
    a_suffix_with_capitals_is_told: minimal().and("[buckets.images]\nsuffix = \"A1\"");
    a_parameter_without_a_slash_is_told: secret("hello/key");
    a_parameter_with_a_space_is_told: secret("/hello/api key");
    a_parameter_with_an_empty_level_is_told: secret("/hello//key");
    a_parameter_that_ends_with_a_slash_is_told: secret("/hello/");
    a_parameter_of_aws_is_told: secret("/AWS-hello/key");
    a_parameter_with_too_many_levels_is_told: secret(&"/a".repeat(16));
    a_parameter_with_too_long_a_name_is_told: secret(&format!("/{}", "a".repeat(955)));
    two_secrets_of_one_parameter_are_told: secret("/hello/key").and("[secrets.other]\nparameter = \"/hello/key\"");
    a_variable_with_a_hyphen_is_told: minimal().and("[services.web.environment]\nAPI-URL = \"x\"");
    a_variable_that_begins_with_a_digit_is_told: minimal().and("[services.web.environment]\n2ND = \"x\"");
}

#[test]
fn the_longest_names_are_fine() {
    for file in [
        minimal().with("load-balancers.public", &format!("load-balancers.{}", "b".repeat(22))),
        minimal().and(&format!("[buckets.images]\nsuffix = \"{}\"", "1".repeat(46))),
        minimal().with("services.web", &format!("services.{}", "w".repeat(31))),
        minimal().with("port = 8080", &format!("port = 8080\nrepository = \"{}\"", "r".repeat(246))),
        platform(&"p".repeat(37)).with("public", "a").with("services.web", "services.w").0.replace("dev", "d").into(),
        secret(&format!("/{}", "a".repeat(954))),
        secret(&"/a".repeat(15)),
    ] {
        if let Err(problems) = parse("platform.toml", &file.0) {
            assert!(problems.problems.iter().all(|problem| problem.message.contains("load balancer")), "{problems}");
        }
    }
}

impl From<String> for File {
    fn from(text: String) -> Self {
        File(text)
    }
}
