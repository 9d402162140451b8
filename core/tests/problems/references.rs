//! References: to nothing, to the wrong thing, in the wrong place, in a circle.

use crate::golden::{File, golden, minimal};

/// The minimal platform with things to refer to, and a variable.
fn variable(value: &str) -> File {
    things().and(&format!("[services.web.environment]\nURL = \"{value}\""))
}

fn things() -> File {
    minimal().and("[buckets.images]\n[secrets.api-key]\nparameter = \"/hello/api-key\"")
}

fn parameter(value: &str) -> File {
    things().and(&format!("[secrets.written]\nparameter = \"/hello/written\"\nvalue = \"{value}\""))
}

golden! {
    a_reference_to_an_unknown_kind_is_told: variable("x-${bucket.images.name}");
    a_reference_to_an_unknown_bucket_is_told: variable("${buckets.image.name}");
    a_reference_to_an_unknown_service_is_told: variable("${services.api.url}");
    a_reference_to_an_unknown_load_balancer_is_told: variable("${load-balancers.pubic.url}");
    a_reference_to_an_unknown_attribute_is_told: variable("${buckets.images.url}");
    a_reference_to_an_unknown_variable_is_told: variable("${services.web.environment.URI}");
    a_reference_to_an_unknown_platform_key_is_told: variable("${platform.regions}");
    a_reference_that_breaks_off_is_told: variable("${buckets.images}");
    a_reference_that_goes_on_is_told: variable("${services.web.url.path}");
    a_reference_to_nothing_where_nothing_is_there_is_told: minimal().and("[services.web.environment]\nA = \"${buckets.a.name}\"");
    a_reference_that_is_not_closed_is_told: variable("${buckets.images.name");
    an_empty_reference_is_told: variable("a${}b");
    the_right_place_is_underlined_in_a_text_with_escapes: variable("a\\tb ${bucket.images.name}");
    the_right_line_is_underlined_in_a_long_text: things().and("[services.web.environment]\nA = \"\"\"\none\n${bucket.a.name}\n\"\"\"");
    a_secret_in_the_environment_is_told_with_its_place: variable("${secrets.api-key}");
    a_variable_under_secrets_that_is_plain_text_is_told: things().and("[services.web.secrets]\nKEY = \"hunter2\"");
    a_variable_under_secrets_that_is_a_bucket_is_told: things().and("[services.web.secrets]\nKEY = \"${buckets.images.name}\"");
    an_unknown_secret_is_told_with_the_nearest: things().and("[services.web.secrets]\nKEY = \"${secrets.apikey}\"");
    a_parameter_that_needs_a_load_balancer_is_told: parameter("${services.web.url}");
    a_parameter_that_copies_a_secret_is_told: parameter("${secrets.api-key}");
    an_empty_parameter_is_told: parameter("");
    a_parameter_longer_than_aws_takes_is_told: parameter(&"a".repeat(4097));
    the_url_of_a_service_behind_a_pattern_is_told: variable("${services.img.url}")
        .and("[services.img]\nport = 8081\npath = \"/*.png\"\npriority = 1");
    a_variable_that_refers_to_itself_is_told: variable("a${services.web.environment.URL}");
    a_circle_of_variables_is_told_whole: variable("${services.api.environment.HOST}/v1").and(
        "[services.api]\nport = 8081\npath = \"/api*\"\npriority = 1\n[services.api.environment]\n\
         HOST = \"api-${services.img.environment.NAME}\"\n\
         [services.img]\nport = 8082\npath = \"/img*\"\npriority = 2\n[services.img.environment]\n\
         NAME = \"${platform.name}.${services.web.environment.URL}\""
    );
    two_circles_are_both_told: minimal().and(
        "[services.web.environment]\nA = \"${services.web.environment.B}\"\nB = \"${services.web.environment.A}\"\n\
         C = \"${services.web.environment.D}\"\nD = \"${services.web.environment.C} ${services.web.environment.A}\""
    );
    a_reference_to_a_wrong_variable_is_not_told_again: minimal().and(
        "[services.web.environment]\nPORT = 8080\nURL = \":${services.web.environment.PORT}\""
    );
    a_variable_that_doubles_itself_too_often_is_told: minimal().and(&doubling(20));
}

/// Each variable is the one before it twice.
fn doubling(count: u32) -> String {
    (1..count).fold("[services.web.environment]\nV0 = \"text\"".into(), |text, number| {
        let before = format!("${{services.web.environment.V{}}}", number - 1);
        format!("{text}\nV{number} = \"{before}{before}\"")
    })
}

#[test]
fn a_long_chain_of_variables_is_fine() {
    let chain =
        (0..20_000).rev().fold("[services.web.environment]\nV20000 = \"end\"".into(), |text: String, number| {
            format!("{text}\nV{number} = \"${{services.web.environment.V{}}}\"", number + 1)
        });
    // So many variables are more than a task definition holds, and nothing else is wrong with them.
    let problems = skydeck_core::spec::parse("platform.toml", &minimal().and(&chain).0).unwrap_err().problems;
    let told: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(told.len() == 1 && told[0].starts_with("the task definition of service `web` has"), "{told:#?}");
}
