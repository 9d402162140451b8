//! What the command of a container's health check does: it runs inside the container, with the programs of its image and
//! nothing else.

use std::collections::{BTreeMap, HashMap};

use super::request::{self, Request};
use super::words::{self, Glue};

/// The programs of an image, by the label `skydeck.has`: names as in `sh wget curl`, or `NAME=CODE` for one of the image's own
/// that ends with that code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Programs(BTreeMap<String, Option<i32>>);

/// Where a shell, or an exec, finds no such program.
const NOT_FOUND: i32 = 127;

impl Programs {
    pub(super) fn of(label: &str) -> Self {
        let program = |word: &str| match word.split_once('=') {
            Some((name, code)) => (name.to_owned(), Some(code.parse().unwrap_or(1))),
            None => (word.to_owned(), None),
        };
        Self(label.split_whitespace().map(program).collect())
    }
}

/// What an HTTP server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
}

/// A container, as its programs find it.
pub(super) trait Inside {
    /// Asks a port of the container itself; `None` where nothing answers.
    async fn ask(&self, request: &Request) -> Option<Answer>;
}

/// A command that runs.
pub(super) struct Command<'a, I> {
    pub(super) programs: &'a Programs,
    pub(super) environment: &'a HashMap<String, String>,
    pub(super) inside: &'a I,
}

impl<I: Inside> Command<'_, I> {
    /// The exit code of a health check's command, or why the sandbox cannot tell it.
    pub(super) async fn run(&self, command: &[String]) -> Result<i32, String> {
        match command {
            [kind, arguments @ ..] if kind == "CMD" && !arguments.is_empty() => self.exec(arguments).await,
            // As Docker has it: the first is the script, any others are the script's arguments.
            [kind, script, ..] if kind == "CMD-SHELL" => self.shell(script).await,
            _ => Err(format!("{command:?} is no health check's command")),
        }
    }

    async fn shell(&self, script: &str) -> Result<i32, String> {
        if !self.programs.0.contains_key("sh") {
            return Ok(NOT_FOUND);
        }
        let mut code = 0;
        for (glue, words) in words::script(script, self.environment)? {
            let runs = match glue {
                Glue::Then => true,
                Glue::And => code == 0,
                Glue::Or => code != 0,
            };
            if !runs {
                continue;
            }
            code = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["exit", number] => return Ok(number.parse().unwrap_or(2)),
                ["exit"] => return Ok(code),
                ["true" | ":"] => 0,
                ["false"] => 1,
                ["echo", ..] => 0,
                _ => self.exec(&words).await?,
            };
        }
        Ok(code)
    }

    async fn exec(&self, arguments: &[String]) -> Result<i32, String> {
        let (program, rest) = arguments.split_first().ok_or("an empty command")?;
        let name = program.rsplit('/').next().unwrap_or(program);
        match (self.programs.0.get(name), name) {
            (None, _) => Ok(NOT_FOUND),
            (Some(Some(code)), _) => Ok(*code),
            (_, "true") => Ok(0),
            (_, "false") => Ok(1),
            (_, "wget") => request::wget(rest, self.inside).await,
            (_, "curl") => request::curl(rest, self.inside).await,
            (_, "sh") => match rest {
                [flag, script, ..] if flag == "-c" => Box::pin(self.shell(script)).await,
                _ => Err(format!("sh with {rest:?}")),
            },
            (Some(None), other) => Err(format!("the program {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Listens on port 8080; a path is the status that it answers, and `/moved` is elsewhere.
    struct Server;

    impl Inside for Server {
        async fn ask(&self, request: &Request) -> Option<Answer> {
            let moved = || Answer { status: 302, location: Some("/200".into()) };
            let plain = |status| Answer { status, location: None };
            match (request.port, request.path.as_str()) {
                (8080, "/moved") => Some(moved()),
                (8080, path) => Some(plain(path.trim_start_matches('/').parse().unwrap_or(404))),
                _ => None,
            }
        }
    }

    async fn ends(has: &str, command: &[&str]) -> Result<i32, String> {
        let environment = HashMap::from([("PORT".to_owned(), "8080".to_owned())]);
        let programs = Programs::of(has);
        let run = Command { programs: &programs, environment: &environment, inside: &Server };
        run.run(&command.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).await
    }

    #[tokio::test]
    async fn what_the_image_does_not_have_cannot_run() {
        let curl = "curl -f http://localhost:8080/200 || exit 1";
        assert_eq!(ends("", &["CMD-SHELL", curl]).await, Ok(127), "no shell");
        assert_eq!(ends("sh wget", &["CMD-SHELL", curl]).await, Ok(1), "no curl");
        assert_eq!(ends("sh curl", &["CMD-SHELL", curl]).await, Ok(0));
        assert_eq!(ends("", &["CMD", "wget", "-qO-", "http://localhost:8080/200"]).await, Ok(127));
        assert_eq!(ends("wget", &["CMD", "/usr/bin/wget", "-qO-", "http://localhost:8080/200"]).await, Ok(0));
        // One word is one program's name, blanks and all.
        assert_eq!(ends("sh curl", &["CMD", curl]).await, Ok(127));
        assert_eq!(ends("check=0", &["CMD", "/check"]).await, Ok(0));
        assert_eq!(ends("check=3", &["CMD", "/check"]).await, Ok(3));
    }

    #[tokio::test]
    async fn curl_and_wget_take_an_answer_each_in_its_way() {
        for (path, curl, curl_fails, wget) in [
            ("200", 0, 0, 0),
            ("204", 0, 0, 0),
            ("moved", 0, 0, 0),
            ("302", 0, 0, 1),
            ("401", 0, 22, 1),
            ("500", 0, 22, 1),
        ] {
            let url = format!("http://localhost:8080/{path}");
            assert_eq!(ends("curl", &["CMD", "curl", "-s", &url]).await, Ok(curl), "curl {path}");
            assert_eq!(ends("curl", &["CMD", "curl", "-fsS", &url]).await, Ok(curl_fails), "curl -f {path}");
            assert_eq!(ends("wget", &["CMD", "wget", "-qO-", &url]).await, Ok(wget), "wget {path}");
        }
        let nobody = "http://localhost:9/200";
        assert_eq!(ends("curl", &["CMD", "curl", "--fail", nobody]).await, Ok(7));
        assert_eq!(ends("wget", &["CMD", "wget", "--spider", "-q", nobody]).await, Ok(1));
    }

    #[tokio::test]
    async fn a_shell_joins_commands() {
        let has = "sh wget";
        for (script, code) in [
            ("wget -q -O /dev/null http://127.0.0.1:$PORT/200 >/dev/null 2>&1 || exit 1", 0),
            ("wget -qO- \"http://localhost:${PORT}/500\" || exit 1", 1),
            ("wget -qO- http://localhost:8080/200 && false", 1),
            ("false; true", 0),
            ("exit 4", 4),
            ("curl -f http://localhost:8080/200 || wget -qO- http://localhost:8080/200", 0),
        ] {
            assert_eq!(ends(has, &["CMD-SHELL", script]).await, Ok(code), "{script}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_told_passes_nowhere() {
        for (has, command) in [
            ("sh wget", ["CMD-SHELL", "wget -qO- http://localhost:8080/200 | grep ok"]),
            ("sh wget", ["CMD-SHELL", "wget --body-file=x http://localhost:8080/200"]),
            ("sh curl", ["CMD-SHELL", "curl -f $(cat url)"]),
            ("sh pg_isready", ["CMD-SHELL", "pg_isready"]),
            ("sh", ["CMD-SHELL", "if true; then exit 0; fi"]),
            ("sh", ["NONE", ""]),
        ] {
            assert!(ends(has, &command).await.is_err(), "{command:?}");
        }
    }
}
