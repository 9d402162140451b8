//! Programs that are run to their end.

use std::process::Stdio;
use std::time::Duration;

use miette::miette;
use tokio::process::Command;

/// None of them takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(600);
/// As many lines of a program that failed as a person reads.
const LAST_LINES: usize = 20;

/// What a program prints. Where it fails, its last words are told, and what to do.
pub(super) async fn output(command: &mut Command, help: &str) -> miette::Result<String> {
    let name = named(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(LIMIT, command.output()).await;
    let ended = ended.map_err(|_| miette!(help = help.to_owned(), "`{name}` did not end within {LIMIT:?}"))?;
    let ended = ended.map_err(|error| miette!(help = help.to_owned(), "`{name}` cannot be run: {error}"))?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let text = [ended.stdout, ended.stderr].concat();
    let last = last_lines(&String::from_utf8_lossy(&text));
    Err(miette!(help = help.to_owned(), "`{name}` failed ({}):\n{last}", ended.status))
}

/// A program and its verb, such as `apt-get update`.
fn named(command: &Command) -> String {
    let command = command.as_std();
    let words = [command.get_program()].into_iter().chain(command.get_args().take(1));
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The end of a text.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
