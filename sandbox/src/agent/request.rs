//! `wget` and `curl`: what they ask, and what they take for a success.

use super::command::{Answer, Inside};

/// A request to the container itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) head: bool,
}

/// Redirects that a program follows.
const REDIRECTS: usize = 5;

/// The options of a program that matter to its exit code, or say nothing about it.
struct Known {
    /// Letters without a value, and with one.
    letters: (&'static str, &'static str),
    /// Long options without a value, and with one.
    names: (&'static [&'static str], &'static [&'static str]),
}

const WGET: Known = Known {
    letters: ("qSnvcs46", "OTtYUP"),
    names: (
        &["quiet", "spider", "no-verbose", "server-response", "no-check-certificate"],
        &["output-document", "timeout", "tries", "header", "user-agent"],
    ),
};
const CURL: Known = Known {
    letters: ("fsSLkIivgN46", "omHXAuw"),
    names: (
        &["fail", "silent", "show-error", "location", "insecure", "head", "include", "no-progress-meter"],
        &["output", "max-time", "connect-timeout", "header", "request", "user-agent", "write-out"],
    ),
};

/// Options, and the one address.
struct Read {
    options: Vec<String>,
    url: String,
}

impl Known {
    fn read(&self, arguments: &[String]) -> Result<Read, String> {
        let (mut options, mut urls) = (Vec::new(), Vec::new());
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                match (self.names.0.contains(&name), self.names.1.contains(&name)) {
                    (true, _) => options.push(name.to_owned()),
                    (_, true) if value.is_none() => drop(rest.next()),
                    (_, true) => {}
                    _ => return Err(format!("the option {word}")),
                }
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                let mut left = letters.chars();
                while let Some(letter) = left.next() {
                    if self.letters.1.contains(letter) {
                        if left.as_str().is_empty() {
                            rest.next();
                        }
                        break;
                    }
                    if !self.letters.0.contains(letter) {
                        return Err(format!("the option {word}"));
                    }
                    options.push(letter.to_string());
                }
            } else {
                urls.push(word.clone());
            }
        }
        match urls.as_slice() {
            [url] => Ok(Read { options, url: url.clone() }),
            _ => Err(format!("{} addresses", urls.len())),
        }
    }
}

impl Read {
    fn has(&self, letter: &str, name: &str) -> bool {
        self.options.iter().any(|option| option == letter || option == name)
    }
}

/// Follows redirects, and fails where the last answer is no success; 8 and 4 of GNU's are 1 of `BusyBox`'s.
pub(super) async fn wget(arguments: &[String], inside: &impl Inside) -> Result<i32, String> {
    let read = WGET.read(arguments)?;
    let answer = fetch(&read.url, read.has("spider", "spider"), true, inside).await?;
    Ok(i32::from(!answer.is_some_and(|answer| (200..300).contains(&answer.status))))
}

/// Takes any answer, with `-f` any below 400; follows redirects with `-L` alone.
pub(super) async fn curl(arguments: &[String], inside: &impl Inside) -> Result<i32, String> {
    let read = CURL.read(arguments)?;
    let answer = fetch(&read.url, read.has("I", "head"), read.has("L", "location"), inside).await?;
    Ok(match answer {
        None => 7,
        Some(answer) if answer.status >= 400 && read.has("f", "fail") => 22,
        Some(_) => 0,
    })
}

async fn fetch(url: &str, head: bool, follows: bool, inside: &impl Inside) -> Result<Option<Answer>, String> {
    let mut request = address(url)?.map(|(port, path)| Request { port, path, head });
    for _ in 0..=REDIRECTS {
        // Nobody but the container itself is known to it here.
        let Some(asked) = &request else { return Ok(None) };
        let answer = inside.ask(asked).await;
        let moved = answer.as_ref().filter(|answer| follows && (300..400).contains(&answer.status));
        let Some(location) = moved.and_then(|answer| answer.location.clone()) else { return Ok(answer) };
        request = if location.starts_with('/') {
            Some(Request { path: location, ..asked.clone() })
        } else {
            address(&location)?.map(|(port, path)| Request { port, path, head })
        };
    }
    Ok(None)
}

/// Port and path of an address of the container itself; `None` of any other.
fn address(url: &str) -> Result<Option<(u16, String)>, String> {
    if url.starts_with("https:") {
        return Err("an address with https".to_owned());
    }
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let (host, port) = host.split_once(':').unwrap_or((host, "80"));
    let port = port.parse().map_err(|_| format!("the address {url}"))?;
    Ok(matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0").then(|| (port, format!("/{path}"))))
}
