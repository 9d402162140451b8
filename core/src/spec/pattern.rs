//! A regular expression that was found to be one.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// A regular expression, compiled once. It equals another of the same text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles a regular expression.
    ///
    /// # Errors
    /// What keeps the text from being one, as a part of a sentence.
    pub fn new(text: &str) -> Result<Self, String> {
        // The error has the pattern drawn on the lines before the one that says what is wrong.
        let last = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().to_owned();
        Regex::new(text).map(Pattern).map_err(|error| last(error).trim_start_matches("error: ").to_owned())
    }

    /// Whether some part of a text matches; all of it, where the pattern begins with `^` and ends with `$`.
    #[must_use]
    pub fn is_found_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Pattern::new(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.0.as_str().to_owned()
    }
}
