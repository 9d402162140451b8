//! A shell's script as commands: as much of it as health checks use.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// What stands before a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glue {
    /// Nothing, or `;`.
    Then,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// Words of the shell's grammar, which are no programs.
const GRAMMAR: [&str; 12] = ["if", "then", "else", "fi", "for", "while", "until", "do", "done", "case", "!", "{"];

/// The commands of a script, variables filled in and redirections left out, or what the sandbox does not know.
pub(super) fn script(text: &str, environment: &HashMap<String, String>) -> Result<Vec<(Glue, Vec<String>)>, String> {
    let mut reader = Reader { rest: text.chars().peekable(), environment, commands: vec![(Glue::Then, Vec::new())] };
    while reader.step()? {}
    let commands = reader.commands;
    if let Some(word) = commands.iter().filter_map(|(_, words)| words.first()).find(|word| is_grammar(word)) {
        return Err(format!("a script with {word}"));
    }
    Ok(commands.into_iter().filter(|(_, words)| !words.is_empty()).collect())
}

fn is_grammar(word: &str) -> bool {
    GRAMMAR.contains(&word)
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    environment: &'a HashMap<String, String>,
    commands: Vec<(Glue, Vec<String>)>,
}

impl Reader<'_> {
    /// Reads one word, or what stands between commands; false at the end.
    fn step(&mut self) -> Result<bool, String> {
        let Some(next) = self.rest.peek().copied() else { return Ok(false) };
        match next {
            ' ' | '\t' => drop(self.rest.next()),
            ';' | '\n' => {
                self.rest.next();
                self.commands.push((Glue::Then, Vec::new()));
            }
            '|' | '&' => {
                self.rest.next();
                if self.rest.next() != Some(next) {
                    return Err(format!("a script with {next}"));
                }
                self.commands.push((if next == '|' { Glue::Or } else { Glue::And }, Vec::new()));
            }
            '(' | ')' | '`' | '*' => return Err(format!("a script with {next}")),
            '>' | '<' => self.redirection()?,
            _ => {
                let word = self.word()?;
                // A number before a redirection is a file's.
                let is_file = word.chars().all(|c| c.is_ascii_digit()) && matches!(self.rest.peek(), Some('>' | '<'));
                if !is_file && let Some((_, words)) = self.commands.last_mut() {
                    words.push(word);
                }
            }
        }
        Ok(true)
    }

    /// Where output goes is nobody's business here.
    fn redirection(&mut self) -> Result<(), String> {
        while self.rest.next_if(|c| matches!(c, '>' | '<' | '&' | ' ')).is_some() {}
        self.word().map(drop)
    }

    fn word(&mut self) -> Result<String, String> {
        let mut word = String::new();
        let mut quote = None;
        while let Some(next) = self.rest.peek().copied() {
            match (quote, next) {
                (None, ' ' | '\t' | '\n' | ';' | '|' | '&' | '>' | '<' | '(' | ')') => break,
                (None, '\'' | '"') => quote = self.rest.next(),
                (Some(open), close) if open == close => {
                    self.rest.next();
                    quote = None;
                }
                (None | Some('"'), '$') => word += &self.variable()?,
                (None | Some('"'), '`') => return Err("a script with `".to_owned()),
                (None | Some('"'), '\\') => {
                    self.rest.next();
                    word.extend(self.rest.next());
                }
                _ => word.extend(self.rest.next()),
            }
        }
        if quote.is_some() { Err("a quote without its end".to_owned()) } else { Ok(word) }
    }

    /// `$NAME` or `${NAME}`.
    fn variable(&mut self) -> Result<String, String> {
        self.rest.next();
        let braced = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        if name.is_empty() || (braced && self.rest.next() != Some('}')) {
            return Err("a script with $".to_owned());
        }
        Ok(self.environment.get(&name).cloned().unwrap_or_default())
    }
}
