//! Keys, types, ranges and choices.

use crate::golden::{File, golden, minimal};

golden! {
    a_file_that_is_not_toml_is_told_where: minimal().with("port = 8080", "port = ");
    a_key_that_is_there_twice_is_told: minimal().with("port = 8080", "port = 8080\nport = 8081");
    an_unknown_key_is_told_with_the_nearest_known: minimal().with("port = 8080", "port = 8080\nmemmory = 512");
    an_unknown_key_near_none_is_told_with_all_known: minimal().and("[network]\nnat-gateways = 3");
    an_unknown_table_is_told: minimal().and("[bucket.images]");
    a_key_with_underscores_is_told_with_hyphens: minimal().and("[cluster]\nlog_retention_days = 7");
    a_missing_key_is_told_with_an_example: minimal().with("name = \"hello\"\n", "");
    a_missing_port_is_told: minimal().with("port = 8080\n", "");
    a_missing_table_is_told_by_its_keys: File("[load-balancers.a]\nscheme = \"internal\"\n[services.a]\nport = 1".into());
    a_file_without_services_is_told: File(minimal().0.split("[services").next().unwrap().into());
    a_table_of_services_without_one_is_told: File(format!("{}[services]", minimal().0.split("[services").next().unwrap()));
    services_that_are_no_table_are_told_once: File(format!("services = 3\n{}", minimal().0.split("[services").next().unwrap()));
    a_number_in_quotes_is_told: minimal().with("port = 8080", "port = \"8080\"");
    a_text_without_quotes_is_told: minimal().and("[services.web.environment]\nPORT = 8080");
    a_flag_in_quotes_is_told: minimal().and("[cluster]\ncontainer-insights = \"on\"");
    a_list_that_is_a_text_is_told: minimal().and("[buckets.images]\ncors-origins = \"https://a.example\"");
    a_table_that_is_a_text_is_told_without_its_keys: minimal().with("health = { path = \"/health\" }", "probe = \"/health\"");
    a_decimal_number_is_told: minimal().with("port = 8080", "port = 8080\ncpu = 0.5");
    a_number_too_large_is_told_with_its_limits: minimal().with("port = 8080", "port = 70000");
    a_number_too_small_is_told_with_its_limits: minimal().with("port = 8080", "port = 8080\nmemory = 5");
    a_number_beyond_all_integers_is_told: minimal().with("8080", "99999999999999999999999999999999999999999999");
    a_scheme_that_is_none_is_told_with_the_choices: minimal().with("internet-facing", "internet_facing");
    a_strategy_other_than_rolling_is_told: minimal().with("port = 8080", "port = 8080\nstrategy = \"blue-green\"");
    a_log_retention_that_cloudwatch_refuses_is_told_with_the_next_longer: minimal().and("[cluster]\nlog-retention-days = 10");
    fewer_instances_wanted_than_the_minimum_is_told: minimal().and("[cluster.instances]\nmin = 3\ndesired = 2\nmax = 4");
    more_instances_wanted_than_the_maximum_is_told: minimal().and("[cluster.instances]\nmax = 1\nmin = 2");
    an_instance_type_that_is_not_arm_is_told: minimal().and("[cluster.instances]\ntype = \"t3.small\"");
    an_instance_type_with_a_g_for_graphics_is_told: minimal().and("[cluster.instances]\ntype = \"g4dn.xlarge\"");
    an_instance_type_without_a_size_is_told: minimal().and("[cluster.instances]\ntype = \"t4g\"");
    a_region_of_the_wrong_shape_is_told_with_the_nearest: minimal().with("eu-central-1", "eu-central1");
    a_region_like_none_is_told: minimal().with("eu-central-1", "Frankfurt");
    a_misspelt_certificate_is_told_with_the_right_key: certificate("certficate = \"x\"");
    a_certificate_without_a_host_is_told: certificate(&format!("certificate = \"{CERTIFICATE}\""));
    a_certificate_that_is_no_arn_is_told: https("my-certificate", "api.example.com");
    a_certificate_of_iam_is_told: https("arn:aws:iam::123456789012:server-certificate/old", "api.example.com");
    a_certificate_of_no_region_is_told: https(&CERTIFICATE.replace("eu-central-1", ""), "api.example.com");
    a_certificate_of_no_account_is_told: https(&CERTIFICATE.replace("123456789012", "1234"), "api.example.com");
    an_arn_of_acm_that_is_no_certificate_is_told: https(&CERTIFICATE.replace("certificate/", ""), "api.example.com");
    a_certificate_of_another_region_is_told_with_both: https(&CERTIFICATE.replace("eu-central-1", "us-east-1"), "api.example.com");
    a_host_that_is_a_url_is_told_with_the_name: https(CERTIFICATE, "https://api.example.com/");
    a_host_with_capitals_and_a_port_is_told_with_the_name: https(CERTIFICATE, "API.example.com:443");
    a_host_with_a_wildcard_is_told_with_a_name_below: https(CERTIFICATE, "*.example.com");
    a_host_that_is_an_address_is_told: https(CERTIFICATE, "10.0.0.1");
    a_host_of_two_load_balancers_is_told: https(CERTIFICATE, "api.example.com").and("[load-balancers.b]\nscheme = \"internal\"\nhost = \"api.example.com\"").with("port = 8080", "port = 8080\nload-balancer = \"public\"");
    an_origin_with_a_path_is_told: minimal().and("[buckets.images]\ncors-origins = [\"https://a.example/app\"]");
    more_tags_than_a_resource_takes_are_told: minimal().and(&tags(40));
    a_tag_of_skydeck_or_aws_is_told: minimal().and("[platform.tags]\n\"skydeck:x\" = \"\"\n\"AWS:y\" = \"\"\nenvironment = \"\"");
    tags_that_differ_only_in_case_are_told: minimal().and("[platform.tags]\nteam = \"a\"\nTeam = \"b\"");
    a_tag_with_characters_that_aws_refuses_is_told: minimal().and("[platform.tags]\nteam = \"a&b\"\n\"\" = \"c\"");
    a_tag_longer_than_aws_takes_is_told: minimal().and(&format!("[platform.tags]\n{} = \"{}\"", "k".repeat(129), "v".repeat(257)));
}

const CERTIFICATE: &str = "arn:aws:acm:eu-central-1:123456789012:certificate/0123abcd-4567-89ef-0123-456789abcdef";

/// The smallest file, with something more about its load balancer.
fn certificate(lines: &str) -> File {
    minimal().with("internet-facing\"", &format!("internet-facing\"\n{lines}"))
}

fn https(arn: &str, host: &str) -> File {
    certificate(&format!("certificate = \"{arn}\"\nhost = \"{host}\""))
}

#[test]
fn hosts_as_long_as_a_load_balancer_takes_are_fine_and_longer_ones_are_not() {
    let read = |host: &str| skydeck_core::spec::parse("platform.toml", &https(CERTIFICATE, host).0);
    let label = |length: usize| "a".repeat(length);
    for host in ["api.example.com", "1.2.3.4.xn--p1ai", &format!("{}.com", label(63)), "a-b.example.co.uk"] {
        assert_eq!(read(host).unwrap().load_balancers["public"].host.as_deref(), Some(host));
    }
    let long = [label(63), label(62), label(1)].join(".");
    assert_eq!(long.len(), 128);
    read(&long).unwrap();
    for host in ["", "localhost", "a..b", "-a.b", "a-.b", &format!("{}.com", label(64)), &format!("{long}b")] {
        read(host).unwrap_err();
    }
}

fn tags(count: usize) -> String {
    (0..count).fold("[platform.tags]".into(), |text, number| format!("{text}\ntag-{number} = \"\""))
}

#[test]
fn every_number_has_its_limits() {
    let limits = [
        ("network.zones", 2, 6),
        ("registry.keep-images", 1, 100_000),
        ("registry.expire-untagged-days", 1, 3_650),
        ("cluster.log-retention-days", 1, 3_653),
        ("cluster.instances.min", 1, 5_000),
        ("cluster.instances.max", 1, 5_000),
        ("cluster.instances.grace-seconds", 0, 7_200),
        ("services.web.port", 1, 65_535),
        ("services.web.cpu", 2, 196_608),
        ("services.web.memory", 6, 4_194_304),
        ("services.web.desired", 1, 5_000),
        ("services.web.maximum-percent", 101, 200),
        ("services.web.minimum-healthy-percent", 0, 100),
        ("services.web.keep-revisions", 2, 100),
        ("services.web.grace-seconds", 0, 7_200),
        ("services.web.deregistration-delay-seconds", 0, 3_600),
        ("services.web.health.interval-seconds", 6, 300),
        ("services.web.health.timeout-seconds", 2, 29),
        ("services.web.health.healthy-threshold", 2, 10),
        ("services.web.health.unhealthy-threshold", 2, 10),
        ("services.web.container-check.interval-seconds", 5, 300),
        ("services.web.container-check.timeout-seconds", 2, 60),
        ("services.web.container-check.retries", 1, 10),
        ("services.web.container-check.start-seconds", 0, 300),
    ];
    let others = [
        ("platform", "{ name = 'a', environment = 'b', region = 'eu-west-1' }"),
        ("load-balancers.a.scheme", "'internal'"),
        ("services.web.port", "8080"),
        ("services.web.desired", "100"),
        ("services.web.container-check.command", "['CMD', '/check']"),
    ];
    for (key, least, most) in limits {
        let read = |number: i64| {
            let others = others.iter().filter(|(other, _)| *other != key);
            let others: String = others.map(|(other, value)| format!("{other} = {value}\n")).collect();
            let read = skydeck_core::spec::parse("platform.toml", &format!("{others}{key} = {number}"));
            read.map(drop).map_err(|problems| problems.to_string())
        };
        for number in [least, most] {
            assert_eq!(read(number), Ok(()), "{key} = {number}");
        }
        for number in [least - 1, most + 1] {
            assert!(read(number).is_err(), "{key} = {number}");
        }
    }
}

#[test]
fn a_key_with_line_breaks_is_told_in_one_line() {
    let file = minimal().with("port = 8080", "port = 8080\n\"a\\nb\\u001b[31m\" = 1");
    let problems = skydeck_core::spec::parse("platform.toml", &file.0).unwrap_err();
    assert_eq!(problems.to_string().lines().count(), 1, "{problems}");
    assert!(!problems.to_string().contains('\u{1b}'), "{problems}");
}

#[test]
fn as_many_tags_as_a_resource_takes_are_fine() {
    skydeck_core::spec::parse("platform.toml", &minimal().and(&tags(38)).0).unwrap();
}
