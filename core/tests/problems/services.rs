//! Services: what each says of itself, and what two may not share.

use skydeck_core::spec::parse;

use crate::golden::{File, golden, minimal};

/// The minimal platform's service with another key.
fn service(key: &str) -> File {
    minimal().with("port = 8080", &format!("port = 8080\n{key}"))
}

fn health(health: &str) -> File {
    minimal().with("path = \"/health\"", health)
}

fn second(keys: &str) -> File {
    minimal().and(&format!("[services.api]\n{keys}"))
}

fn many(count: usize) -> File {
    (0..count).fold(minimal(), |file, number| {
        file.and(&format!(
            "[services.s{number}]\nport = {}\npath = \"/{number}\"\npriority = {}",
            number + 1,
            number + 1
        ))
    })
}

golden! {
    a_task_definition_larger_than_ecs_takes_is_told_by_its_largest_variable: large();
    two_services_on_the_same_port_are_told: second("port = 8080\npath = \"/api*\"\npriority = 1");
    two_services_with_the_same_repository_are_told: second("port = 8081\npath = \"/api*\"\npriority = 1\nrepository = \"web\"");
    two_rules_with_the_same_priority_are_told: second("port = 8081\npath = \"/api*\"\npriority = 1")
        .and("[services.img]\nport = 8082\npath = \"/img*\"\npriority = 1");
    two_rules_with_the_same_path_are_told: second("port = 8081\npath = \"/api*\"\npriority = 1")
        .and("[services.img]\nport = 8082\npath = \"/api*\"\npriority = 2");
    two_services_that_take_everything_are_told: second("port = 8081");
    a_load_balancer_that_is_not_there_is_told_with_the_nearest: service("load-balancer = \"pubic\"");
    a_service_that_has_two_load_balancers_to_choose_from_must_say_which:
        minimal().and("[load-balancers.private]\nscheme = \"internal\"");
    a_bucket_that_is_not_there_is_told: service("buckets = [\"images\"]");
    a_path_without_a_priority_is_told: service("path = \"/api*\"");
    a_priority_without_a_path_is_told: service("priority = 5");
    a_path_that_begins_without_a_slash_is_told: service("path = \"api*\"\npriority = 5");
    a_path_with_characters_that_no_rule_takes_is_told: service("path = \"/api/{id}\"\npriority = 5");
    a_path_with_too_many_wildcards_is_told: service("path = \"/*/*/*/*/*/*\"\npriority = 5");
    a_path_longer_than_a_rule_takes_is_told: service(&format!("path = \"/{}\"\npriority = 5", "a".repeat(128)));
    a_priority_out_of_range_is_told: service("path = \"/api*\"\npriority = 50001");
    a_variable_that_is_also_a_secret_is_told: minimal()
        .and("[secrets.key]\nparameter = \"/hello/key\"")
        .and("[services.web.environment]\nKEY = \"x\"\n[services.web.secrets]\nKEY = \"${secrets.key}\"");
    a_deployment_that_can_never_move_is_told: service("desired = 1\nmaximum-percent = 150\nminimum-healthy-percent = 50");
    a_deployment_without_head_room_is_told: service("desired = 3\nmaximum-percent = 100");
    a_timeout_not_below_the_interval_is_told: health("interval-seconds = 10, timeout-seconds = 10");
    an_interval_not_above_the_default_timeout_is_told: health("interval-seconds = 5");
    a_health_path_that_a_shell_would_read_is_told: health("path = \"/health;ls\"");
    a_health_path_without_a_slash_is_told: health("path = \"health\"");
    a_health_path_longer_than_aws_takes_is_told: health(&format!("path = \"/{}\"", "a".repeat(1024)));
    a_matcher_beyond_499_is_told: health("matcher = \"200,500\"");
    a_matcher_of_another_form_is_told: health("matcher = \"2xx\"");
    a_range_of_codes_that_runs_backwards_is_told: health("matcher = \"299-200\"");
    a_probe_without_a_path_is_told: service("probe = {}");
    health_numbers_out_of_range_are_told: health(
        "interval-seconds = 301, timeout-seconds = 121, healthy-threshold = 1, unhealthy-threshold = 11"
    );
    the_start_of_a_container_is_no_business_of_the_load_balancer: health("start-seconds = 60");
    a_container_check_without_a_command_is_told: service("container-check = { retries = 3 }");
    a_command_that_does_not_say_how_it_is_run_is_told: service("container-check = { command = [\"wget\", \"-qO-\"] }");
    a_command_with_nothing_to_run_is_told: service("container-check = { command = [\"CMD-SHELL\"] }");
    a_shell_with_more_than_one_text_is_told:
        service("container-check = { command = [\"CMD-SHELL\", \"wget\", \"-qO-\"] }");
    a_program_with_a_blank_in_its_name_is_told: service("container-check = { command = [\"CMD\", \"wget -qO- x\"] }");
    container_check_numbers_out_of_range_are_told: service(
        "container-check = { command = [\"CMD\", \"/check\"], interval-seconds = 4, timeout-seconds = 61, retries = 11, \
         start-seconds = 301 }"
    );
    a_check_that_fails_on_what_the_matcher_takes_is_told: health("path = \"/health\", matcher = \"401\"").with(
        "port = 8080",
        "port = 8080\ncontainer-check = { command = [\"CMD-SHELL\", \"curl -f http://localhost:8080/health || exit 1\"] }",
    );
    a_variable_with_a_nul_is_told: service("environment = { A = \"x\\u0000y\" }");
    service_numbers_out_of_range_are_told: service(
        "cpu = 1\ndesired = 0\nmaximum-percent = 99\nminimum-healthy-percent = 101\ngrace-seconds = -1\n\
         deregistration-delay-seconds = 3601"
    );
    more_services_than_fit_are_told: many(50);
}

#[test]
fn deployments_that_can_move_are_fine() {
    for (desired, maximum, minimum) in
        [(1, 200, 100), (1, 100, 0), (2, 150, 100), (2, 150, 50), (3, 134, 100), (4, 100, 75)]
    {
        let keys = format!("desired = {desired}\nmaximum-percent = {maximum}\nminimum-healthy-percent = {minimum}");
        parse("platform.toml", &service(&keys).0).unwrap_or_else(|problems| panic!("{problems}"));
    }
}

#[test]
fn the_remedy_for_a_stuck_deployment_is_one() {
    for desired in 1..=20 {
        let stuck = |keys: &str| service(&format!("desired = {desired}\n{keys}"));
        let problems = parse("platform.toml", &stuck("maximum-percent = 100").0).unwrap_err();
        let help = &problems.problems[0].help;
        let numbers: Vec<u32> = help.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let (more, fewer) = (numbers[0], numbers[1]);
        for remedy in
            [format!("maximum-percent = {more}"), format!("maximum-percent = 100\nminimum-healthy-percent = {fewer}")]
        {
            parse("platform.toml", &stuck(&remedy).0).unwrap_or_else(|problems| panic!("{desired}: {problems}"));
        }
    }
}

#[test]
fn the_same_priority_and_path_on_two_load_balancers_are_fine() {
    let file = minimal()
        .and("[load-balancers.private]\nscheme = \"internal\"")
        .with("port = 8080", "port = 8080\npath = \"/a\"\npriority = 1\nload-balancer = \"public\"")
        .and("[services.api]\nport = 8081\npath = \"/a\"\npriority = 1\nload-balancer = \"private\"");
    parse("platform.toml", &file.0).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn matchers_of_every_form_are_fine() {
    for matcher in ["200", "200,202", "200-299", "200-204,301,400-499"] {
        parse("platform.toml", &health(&format!("matcher = \"{matcher}\"")).0)
            .unwrap_or_else(|problems| panic!("{problems}"));
    }
}

#[test]
fn a_check_that_takes_what_the_matcher_takes_is_fine() {
    for (matcher, command) in [
        ("200-399", "wget -qO- http://localhost:8080/health || exit 1"),
        ("401", "curl -s http://localhost:8080/health || exit 1"),
        ("401", "curl -f http://localhost:8080/healthy || exit 1"),
        ("401", "curl -f http://localhost:9090/health || exit 1"),
        ("401", "/app/check"),
    ] {
        let keys = format!("port = 8080\ncontainer-check = {{ command = [\"CMD-SHELL\", \"{command}\"] }}");
        let file = health(&format!("path = \"/health\", matcher = \"{matcher}\"")).with("port = 8080", &keys);
        parse("platform.toml", &file.0).unwrap_or_else(|problems| panic!("{matcher} {command}: {problems}"));
    }
}

#[test]
fn fifty_services_are_fine() {
    parse("platform.toml", &many(49).0).unwrap_or_else(|problems| panic!("{problems}"));
}

/// The smallest file with variables of a service.
fn variables(count: usize, bytes: usize) -> File {
    let lines = (0..count).map(|at| format!("A{at} = \"{}\"\n", "v".repeat(bytes)));
    minimal().and(&format!("[services.web.environment]\n{}", lines.collect::<String>()))
}

#[test]
fn a_task_definition_is_measured_whole() {
    for (count, bytes) in [(1, 60_000), (2, 30_000), (600, 60)] {
        parse("platform.toml", &variables(count, bytes).0).unwrap_or_else(|problems| panic!("{problems}"));
    }
    for (count, bytes) in [(1, 64_000), (2, 33_000), (16, 4_096), (1_200, 20)] {
        let problems = parse("platform.toml", &variables(count, bytes).0).unwrap_err().to_string();
        assert!(problems.contains("the task definition of service `web` has"), "{count} of {bytes}: {problems}");
    }
    // Escapes count as JSON has them, and references with what they refer to.
    let quotes = variables(1, 1).with("A0 = \"v\"", &format!("A0 = '{}'", "\"".repeat(33_000)));
    let twice = variables(1, 40_000).and("B = \"${services.web.environment.A0}\"");
    for file in [quotes, twice] {
        parse("platform.toml", &file.0).unwrap_err();
    }
}

#[test]
fn a_roles_policy_has_room_for_its_parameters() {
    let secrets = |count: usize| {
        let secret = |at| format!("[secrets.s{at}]\nparameter = \"/team/{}/{at}\"\n", "p".repeat(60));
        let names: String = (0..count).map(|at| format!("S{at} = \"${{secrets.s{at}}}\"\n")).collect();
        minimal().and(&(0..count).map(secret).collect::<String>()).and(&format!("[services.web.secrets]\n{names}"))
    };
    parse("platform.toml", &secrets(70).0).unwrap_or_else(|problems| panic!("{problems}"));
    let problems = parse("platform.toml", &secrets(90).0).unwrap_err().to_string();
    assert!(problems.contains("the parameters of service `web` make a policy of"), "{problems}");
}

fn large() -> File {
    let small: String = (0..1_200).map(|at| format!("A{at} = \"{}\"\n", "v".repeat(30))).collect();
    minimal().and(&format!("[services.web.environment]\nLARGE = \"{}\"\n{small}", "v".repeat(60)))
}
