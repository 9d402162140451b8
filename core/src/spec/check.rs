//! `container-check`: the health check that ECS has Docker run inside the container.

use super::limits;
use super::model::{ContainerCheck, Health};
use super::problem::{Code, Problem};
use super::reader::{At, Section, or_blank};

/// Words that say how a command is run
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>).
const KINDS: [&str; 2] = ["CMD", "CMD-SHELL"];
const EXAMPLE: &str = "`command`, such as [\"CMD-SHELL\", \"wget -qO- http://localhost:8080/health || exit 1\"]";

/// A container's check, or none where the file has none.
pub(super) fn check(section: &mut Section<'_>, port: Option<u32>, health: &Health) -> Option<ContainerCheck> {
    let says = section.has("container-check");
    section.table("container-check", |section| {
        if !says {
            return None;
        }
        let command = command(section);
        agrees(section, &command, port, health);
        Some(ContainerCheck {
            command: command.into_iter().map(|word| word.value).collect(),
            interval_seconds: or_blank(section.number_or("interval-seconds", limits::CHECK_INTERVAL_SECONDS, 30)),
            timeout_seconds: or_blank(section.number_or("timeout-seconds", limits::CHECK_TIMEOUT_SECONDS, 5)),
            retries: or_blank(section.number_or("retries", limits::CHECK_RETRIES, 3)),
            start_seconds: or_blank(section.number_or("start-seconds", limits::CHECK_START_SECONDS, 60)),
        })
    })
}

fn command(section: &mut Section<'_>) -> Vec<At<String>> {
    if !section.has("command") {
        section.missing("command", EXAMPLE);
    }
    let words = section.texts("command", super::format::value);
    let name = section.name_of("command");
    let help = "begin with \"CMD\" for a program and its arguments, or with \"CMD-SHELL\" for one text that the container's shell runs";
    let problem = match words.as_slice() {
        [] => None,
        [kind, ..] if !KINDS.contains(&kind.value.as_str()) => {
            let message = format!("`{name}` begins with `{}`, which does not say how it is run", kind.value);
            Some(Problem::new(Code::WrongChoice, message).at(kind.span.clone(), "neither CMD nor CMD-SHELL").help(help))
        }
        [kind] => {
            let message = format!("`{name}` has nothing to run");
            Some(Problem::new(Code::WrongCount, message).at(kind.span.clone(), "nothing after this").help(help))
        }
        [kind, script, more, ..] if kind.value == "CMD-SHELL" => {
            let message = format!("`{name}` has more than one text for the shell");
            let problem = Problem::new(Code::WrongCount, message).at(more.span.clone(), "the shell does not run this");
            Some(problem.at(script.span.clone(), "it runs this alone").help("write all of the script as one text"))
        }
        [kind, program, ..] if kind.value == "CMD" && program.value.contains(' ') => {
            let message = format!("`{name}` runs a program whose name has a blank");
            let help = "write each argument as a text of its own, or begin with \"CMD-SHELL\"";
            let problem = Problem::new(Code::InvalidFormat, message);
            Some(problem.at(program.span.clone(), "one program's name, to CMD").help(help))
        }
        _ => None,
    };
    if let Some(problem) = problem {
        section.file().tell(problem);
    } else if words.is_empty() && section.has("command") {
        section.missing("command", EXAMPLE);
    }
    words
}

/// Tells a check that fails on an answer which the load balancer takes for healthy: one of the two would never be content, or
/// change its mind with the service's mood.
fn agrees(section: &Section<'_>, command: &[At<String>], port: Option<u32>, health: &Health) {
    let text: Vec<&str> = command.iter().map(|word| word.value.as_str()).collect();
    let (Some(program), Some(code)) = (strict(&text), first_error(&health.matcher)) else { return };
    let Some(port) = port else { return };
    let address = format!(":{port}{}", health.path);
    let asks = |word: &&str| {
        let after = word.find(&address).map(|at| &word[at + address.len()..]);
        after.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "/-_.?".contains(c)))
    };
    let Some(place) = command.iter().find(|word| asks(&word.value.as_str())) else { return };
    let message = format!(
        "`{}` fails on {code} from `{}`, which `health.matcher` takes for healthy",
        section.name_of("command"),
        health.path
    );
    section.file().tell(
        Problem::new(Code::Contradiction, message)
            .at(place.span.clone(), format!("{program} fails on 400 and above"))
            .help(format!(
                "let both take the same answers: a `matcher` below 400, or a command that takes {code}, such as curl without -f"
            )),
    );
}

/// The program of a command that fails on answers of 400 and above.
fn strict(text: &[&str]) -> Option<&'static str> {
    let words: Vec<&str> = text.iter().flat_map(|text| text.split_whitespace()).collect();
    let named = |name: &str| words.iter().any(|word| word.rsplit('/').next() == Some(name));
    let letter_f = |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.contains('f');
    let fails = words.iter().any(|word| letter_f(word) || word.starts_with("--fail"));
    match (named("wget"), named("curl") && fails) {
        (true, _) => Some("wget"),
        (_, true) => Some("curl -f"),
        _ => None,
    }
}

/// The first code of a matcher that is an error to HTTP.
fn first_error(matcher: &str) -> Option<u32> {
    let pieces = matcher.split(',').filter_map(|piece| {
        let (from, to) = piece.split_once('-').unwrap_or((piece, piece));
        Some((from.parse::<u32>().ok()?, to.parse::<u32>().ok()?))
    });
    pieces.filter(|(_, to)| *to >= 400).map(|(from, _)| from.max(400)).min()
}
