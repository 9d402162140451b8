//! Platform files that somebody's cat walked over: reading never panics, a problem is always somewhere in the file, and
//! what is read refers to nothing that is not there.

use miette::{GraphicalReportHandler, GraphicalTheme, Report};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use skydeck_core::spec::{Part, Platform, Problems, Template, parse};

const SKYFOX: &str = include_str!("../../platforms/skyfox.toml");

/// What is written over a part of the file.
const WORDS: [&str; 30] = [
    "",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    "\r\n",
    "\t",
    "[",
    "]",
    "{",
    "}",
    "${",
    "$${",
    "=",
    ".",
    "0",
    "-1",
    "1e400",
    "é🦊",
    "\\u0041",
    "${services.movie.environment.PORT}",
    "${services.backend.environment.PORT}",
    "${secrets.s3-bucket}",
    "movie",
    "[services.movie]",
    "x = 1\n",
    "newest",
    "regex = '('",
    "numeric = '*'",
    "image = { semver = '1' }\n",
];

#[derive(Debug, Clone)]
enum Mutation {
    /// Writes a word over so many characters.
    Overwrite(Index, usize, &'static str),
    /// Takes a line out.
    Delete(Index),
    /// Writes a line over another.
    Copy(Index, Index),
    /// Replaces a word of the file by another of its words.
    Swap(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), 0..8usize, select(WORDS.to_vec()))
            .prop_map(|(at, length, word)| Mutation::Overwrite(at, length, word)),
        any::<Index>().prop_map(Mutation::Delete),
        any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Copy(from, to)),
        any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Swap(from, to)),
    ]
}

fn mutate(text: &str, mutation: &Mutation) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    match mutation {
        Mutation::Overwrite(at, length, word) => {
            let characters: Vec<char> = text.chars().collect();
            let start = at.index(characters.len() + 1);
            let end = (start + length).min(characters.len());
            let (before, after) = (&characters[..start], &characters[end..]);
            return before.iter().copied().chain(word.chars()).chain(after.iter().copied()).collect();
        }
        Mutation::Delete(at) if !lines.is_empty() => drop(lines.remove(at.index(lines.len()))),
        Mutation::Copy(from, to) if !lines.is_empty() => {
            let line = lines[from.index(lines.len())];
            let to = to.index(lines.len());
            lines[to] = line;
        }
        Mutation::Swap(from, to) => {
            let apart = |c: char| !c.is_alphanumeric() && !"-_".contains(c);
            let words: Vec<&str> = text.split(apart).filter(|word| !word.is_empty()).collect();
            if !words.is_empty() {
                let old = words[from.index(words.len())];
                return text.replacen(old, words[to.index(words.len())], 1);
            }
        }
        Mutation::Delete(_) | Mutation::Copy(..) => {}
    }
    lines.join("\n")
}

/// That every problem is told with a place in the file and a remedy, and can be drawn.
fn well_told(text: &str, problems: &Problems) -> Result<(), TestCaseError> {
    prop_assert!(!problems.problems.is_empty());
    for problem in &problems.problems {
        prop_assert!(!problem.message.is_empty() && !problem.help.is_empty() && !problem.labels.is_empty());
        for label in &problem.labels {
            prop_assert!(text.get(label.span.clone()).is_some(), "{:?} is no part of the file", label.span);
            prop_assert!(label.line >= 1 && label.column >= 1);
        }
    }
    prop_assert_eq!(problems.to_string().lines().count(), problems.problems.len());
    let mut drawn = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
    prop_assert!(handler.render_report(&mut drawn, Report::from(problems.clone()).as_ref()).is_ok());
    Ok(())
}

/// That everything a platform mentions is in it.
fn nothing_dangles(platform: &Platform) -> Result<(), TestCaseError> {
    for balancer in platform.load_balancers.values() {
        prop_assert!(balancer.default_service.iter().all(|service| platform.services.contains_key(service)));
    }
    for service in platform.services.values() {
        prop_assert!(platform.load_balancers.contains_key(&service.load_balancer));
        prop_assert!(service.secrets.values().all(|key| platform.secrets.contains_key(key)));
        prop_assert!(service.buckets.iter().all(|key| platform.buckets.contains_key(key)));
        let default = platform.load_balancers[&service.load_balancer].default_service.as_ref();
        let is_default = default.is_some_and(|name| std::ptr::eq(&platform.services[name], service));
        prop_assert!(is_default != service.rule.is_some(), "a service is reached by its rule or as the default");
    }
    let environments = platform.services.values().flat_map(|service| service.environment.values());
    for Template(parts) in environments.chain(platform.secrets.values().filter_map(|secret| secret.value.as_ref())) {
        for part in parts {
            let there = match part {
                Part::Text(_) => true,
                Part::BucketName(key) | Part::BucketArn(key) => platform.buckets.contains_key(key),
                Part::LoadBalancerUrl(key) => platform.load_balancers.contains_key(key),
                Part::ServiceUrl(name) => platform.services.contains_key(name),
            };
            prop_assert!(there, "{:?} refers to nothing", part);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_a_file_is_read_or_told(mutations in prop::collection::vec(mutation(), 0..6)) {
        let text = mutations.iter().fold(SKYFOX.to_owned(), |text, mutation| mutate(&text, mutation));
        match parse("platform.toml", &text) {
            Ok(platform) => nothing_dangles(&platform)?,
            Err(problems) => well_told(&text, &problems)?,
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_told(text in ".{0,200}") {
        if let Err(problems) = parse("platform.toml", &text) {
            well_told(&text, &problems)?;
        }
    }
}
