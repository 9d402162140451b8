//! What is told of wrong platform files, drawn as a person sees it. The drawings are golden files in `snapshots/`;
//! `INSTA_UPDATE=always cargo test -p skydeck-core` writes them anew.

mod golden;
mod images;
mod names;
mod network;
mod references;
mod services;
mod values;

use std::collections::BTreeSet;
use std::fs;

use golden::{drawn, minimal};
use skydeck_core::spec::{Code, parse};

/// A file with something wrong in every table.
const MANY: &str = r#"
[platform]
name = "SkyFox"
enviroment = "devprod"
region = "ap-south1"

[network]
cidr = "10.0.0.0/27"
zones = 3

[cluster.instances]
type = "t3.small"
min = 5
max = 4

[load-balancers.external]
scheme = "public"

[services.backend]
port = "8080"
load-balancer = "extrenal"
health = { path = "health", timeout-seconds = 30 }

[services.backend.environment]
MOVIE_SERVICE_URL = "${services.movies.url}"

[services.movie]
port = 4567
path = "/movie-service*"
"#;

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    insta::assert_snapshot!("all_problems_of_a_file_are_told_at_once", drawn(MANY));
}

#[test]
fn each_problem_is_one_line_of_text() {
    let problems = parse("platforms/wrong.toml", MANY).unwrap_err();
    insta::assert_snapshot!("each_problem_is_one_line_of_text", problems.to_string());
    assert_eq!(problems.to_string().lines().count(), problems.problems.len());
}

#[test]
fn problems_can_be_read_as_json() {
    let problems = parse("platform.toml", &minimal().with("port = 8080", "port = 0").0).unwrap_err();
    let json = serde_json::to_string_pretty(&problems).unwrap();
    insta::assert_snapshot!("problems_can_be_read_as_json", json);
}

#[test]
fn columns_are_counted_in_characters() {
    let problems = parse("platform.toml", &minimal().and("[platform.tags]\n\"é\" = \"ü&\"").0).unwrap_err();
    let place = &problems.problems[0].labels[0];
    let line = minimal().0.lines().count() + 3;
    assert_eq!((place.line, place.column), (line, 9), "{problems}");
}

#[test]
fn every_code_is_shown_by_a_golden_file_and_explained_in_the_reference() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/problems/snapshots");
    let shown: String =
        fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let shown: BTreeSet<&str> = shown.split_whitespace().filter(|word| word.starts_with("skydeck::spec::")).collect();
    let reference = include_str!("../../../docs/platform-file.md");
    for code in Code::ALL {
        assert!(shown.contains(code.name()), "no golden file shows {code}");
        let word = code.name().trim_start_matches("skydeck::spec::");
        assert!(reference.contains(&format!("`{word}`")), "docs/platform-file.md does not explain {code}");
    }
}
