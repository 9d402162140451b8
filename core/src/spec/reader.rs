//! Typed reading of TOML with the place of every key and value, that goes on after a problem.
//!
//! A reader method returns `None` where the value is missing or wrong; the problem is then told already, and whoever
//! compares values compares only those that are there.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::limits::Limit;
use super::problem::{Code, Problem, Span};
use super::suggest::{did_you_mean, list};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands; for a default, the table that could have said it.
    pub(super) span: Span,
    /// Whether the file says it.
    pub(super) given: bool,
}

impl<T> At<T> {
    fn given(value: T, span: Span) -> Self {
        At { value, span, given: true }
    }
}

/// The value for the model: where none could be read a problem was told, and the model is never seen.
pub(super) fn or_blank<T: Default>(read: Option<At<T>>) -> T {
    read.map(|at| at.value).unwrap_or_default()
}

/// The file that is read, and what was found wrong with it so far.
#[derive(Debug)]
pub(super) struct File<'f> {
    text: &'f str,
    problems: RefCell<Vec<Problem>>,
}

impl<'f> File<'f> {
    pub(super) fn new(text: &'f str) -> Self {
        File { text, problems: RefCell::default() }
    }

    pub(super) fn tell(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Where a part of a text stands: the whole text, where an escape makes the source differ from it.
    pub(super) fn part_of(&self, whole: &At<String>, part: &std::ops::Range<usize>) -> Span {
        let source = self.text.get(whole.span.clone()).unwrap_or_default();
        match source.find(&whole.value) {
            Some(offset) if !part.is_empty() => {
                let start = whole.span.start + offset;
                start + part.start..start + part.end
            }
            _ => whole.span.clone(),
        }
    }
}

/// What is wrong with a text, whichever key it belongs to.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The kind of the problem.
    pub(super) code: Code,
    /// The offending bytes of the text; empty where it is all of it.
    pub(super) part: std::ops::Range<usize>,
    /// What is wrong, as a sentence that goes on after the key's name.
    pub(super) what: String,
    /// What would be right.
    pub(super) help: String,
}

/// Outcome of checking a text.
pub(super) type Verdict = Result<(), Wrong>;

/// A table of the file. Its keys are known by being asked for.
#[derive(Debug)]
pub(super) struct Section<'f> {
    file: &'f File<'f>,
    /// Dotted name, such as `services.web.health`; empty for the whole file.
    path: String,
    span: Span,
    table: Option<&'f DeTable<'f>>,
    known: Vec<&'static str>,
    /// Whether this table could not be read, so that what it lacks is no news.
    muted: bool,
}

impl<'f> Section<'f> {
    /// The whole file.
    pub(super) fn root(file: &'f File<'f>, table: &'f DeTable<'f>) -> Self {
        Section { file, path: String::new(), span: 0..0, table: Some(table), known: Vec::new(), muted: false }
    }

    /// Where the table's name stands.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The file, for telling a problem.
    pub(super) fn file(&self) -> &'f File<'f> {
        self.file
    }

    /// Where a key of this table stands; the table, where the file does not say the key.
    pub(super) fn place_of(&self, key: &str) -> Span {
        self.table.and_then(|table| table.get_key_value(key)).map_or_else(|| self.span(), |(name, _)| name.span())
    }

    /// The dotted name of a key of this table.
    pub(super) fn name_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    fn get(&mut self, key: &'static str) -> Option<(Span, &'f Spanned<DeValue<'f>>)> {
        self.known.push(key);
        let (name, value) = self.table?.get_key_value(key)?;
        Some((name.span(), value))
    }

    fn wrong_type(&self, key: &str, expected: &str, example: &str, value: &Spanned<DeValue<'_>>) {
        let found = found(value.get_ref());
        self.file.tell(
            Problem::new(Code::WrongType, format!("`{}` is {found}, and must be {expected}", self.name_of(key)))
                .at(value.span(), format!("{found}, not {expected}"))
                .help(format!("write {example}")),
        );
    }

    /// Tells that a key without a default is not there.
    pub(super) fn missing(&self, key: &str, example: &str) {
        if !self.muted {
            self.file.tell(
                Problem::new(Code::MissingKey, format!("`{}` is missing", self.name_of(key)))
                    .at(self.span(), format!("`{key}` belongs here"))
                    .help(format!("add {example}")),
            );
        }
    }

    /// A text that passes a check.
    pub(super) fn text(&mut self, key: &'static str, check: impl Fn(&str) -> Verdict) -> Option<At<String>> {
        let (_, value) = self.get(key)?;
        self.text_value(key, value, check)
    }

    fn text_value(
        &self,
        key: &str,
        value: &'f Spanned<DeValue<'f>>,
        check: impl Fn(&str) -> Verdict,
    ) -> Option<At<String>> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(key, "a text", &quoted(value.get_ref()), value);
            return None;
        };
        let text = At::given(text.clone().into_owned(), value.span());
        self.check(key, &text, check).then_some(text)
    }

    /// Checks a text that belongs to a key, or is one.
    fn check(&self, key: &str, text: &At<String>, check: impl Fn(&str) -> Verdict) -> bool {
        let Err(wrong) = check(&text.value) else { return true };
        self.file.tell(
            Problem::new(wrong.code, format!("`{}` {}", self.name_of(key), wrong.what))
                .at(self.file.part_of(text, &wrong.part), "here")
                .help(wrong.help),
        );
        false
    }

    /// A text that must be there.
    pub(super) fn required_text(
        &mut self,
        key: &'static str,
        example: &str,
        check: impl Fn(&str) -> Verdict,
    ) -> Option<At<String>> {
        if !self.has(key) {
            self.missing(key, example);
        }
        self.text(key, check)
    }

    /// A text with a default.
    pub(super) fn text_or(
        &mut self,
        key: &'static str,
        default: &str,
        check: impl Fn(&str) -> Verdict,
    ) -> Option<At<String>> {
        if self.has(key) { self.text(key, check) } else { self.by_default(key, default.to_owned()) }
    }

    /// Whether the file says a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Tells that a key which stood here once has another place now.
    pub(super) fn moved(&mut self, key: &'static str, help: &str) {
        let Some((name, _)) = self.table.and_then(|table| table.get_key_value(key)) else { return };
        self.known.push(key);
        self.file.tell(
            Problem::new(Code::UnknownKey, format!("`{}` has no key `{key}` any more", self.path))
                .at(name.span(), "not here")
                .help(help),
        );
    }

    /// Whether the file says a key, and it is a table.
    pub(super) fn has_table(&self, key: &str) -> bool {
        self.table.and_then(|table| table.get(key)).is_some_and(|value| value.get_ref().is_table())
    }

    fn by_default<T>(&mut self, key: &'static str, value: T) -> Option<At<T>> {
        self.known.push(key);
        Some(At { value, span: self.span(), given: false })
    }

    /// A whole number within limits.
    pub(super) fn number(&mut self, key: &'static str, limit: Limit) -> Option<At<u32>> {
        let (_, value) = self.get(key)?;
        let Limit { least, most } = limit;
        let DeValue::Integer(digits) = value.get_ref() else {
            self.wrong_type(key, "a whole number", &format!("a number from {least} to {most}, without quotes"), value);
            return None;
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX);
        match u32::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Some(At::given(number, value.span())),
            _ => {
                self.file.tell(
                    Problem::new(Code::OutOfRange, format!("`{}` is {digits}", self.name_of(key)))
                        .at(value.span(), if number < i128::from(least) { "too small" } else { "too large" })
                        .help(format!("use a number from {least} to {most}")),
                );
                None
            }
        }
    }

    /// A number with a default.
    pub(super) fn number_or(&mut self, key: &'static str, limit: Limit, default: u32) -> Option<At<u32>> {
        if self.has(key) { self.number(key, limit) } else { self.by_default(key, default) }
    }

    /// A number that must be there.
    pub(super) fn required_number(&mut self, key: &'static str, example: &str, limit: Limit) -> Option<At<u32>> {
        if !self.has(key) {
            self.missing(key, example);
        }
        self.number(key, limit)
    }

    /// True or false, with a default.
    pub(super) fn flag_or(&mut self, key: &'static str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some((_, value)) => value.get_ref().as_bool().unwrap_or_else(|| {
                self.wrong_type(key, "true or false", "`true` or `false`, without quotes", value);
                default
            }),
        }
    }

    /// A list of texts; none where the key is not there.
    pub(super) fn texts(&mut self, key: &'static str, check: impl Fn(&str) -> Verdict) -> Vec<At<String>> {
        let Some((_, value)) = self.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list of texts", "a list, such as [\"one\", \"two\"]", value);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text_value(key, item, &check)).collect()
    }

    /// All keys of a table whose keys are free, in the file's order, with their texts where those can be read.
    pub(super) fn pairs(
        &mut self,
        key: &'static str,
        check_key: impl Fn(&str) -> Verdict,
        check_value: impl Fn(&str) -> Verdict,
    ) -> Vec<(At<String>, Option<At<String>>)> {
        let Some(section) = self.child(key) else { return Vec::new() };
        let pair = |(name, value): (At<String>, _)| {
            section.check(&name.value, &name, &check_key);
            let value = section.text_value(&name.value, value, &check_value);
            (name, value)
        };
        section.entries().into_iter().map(pair).collect()
    }

    /// Reads a table. Where the file does not have it, the reader finds it empty.
    pub(super) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'f>) -> T) -> T {
        let mut section = self.child(key).unwrap_or_else(|| Section {
            file: self.file,
            path: self.name_of(key),
            span: self.span(),
            table: None,
            known: Vec::new(),
            muted: self.muted || self.has(key),
        });
        let read = read(&mut section);
        section.finish();
        read
    }

    /// Reads every table of a table whose keys are names, in the file's order.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Verdict,
        mut read: impl FnMut(At<String>, &mut Section<'f>) -> T,
    ) -> Vec<T> {
        let Some(section) = self.child(key) else { return Vec::new() };
        let mut found = Vec::new();
        for (name, value) in section.entries() {
            section.check(&name.value, &name, &check);
            if let Some(mut inner) = section.open(&name.value, name.span.clone(), value) {
                found.push(read(name, &mut inner));
                inner.finish();
            }
        }
        found
    }

    /// Keys and values in the file's order.
    fn entries(&self) -> Vec<(At<String>, &'f Spanned<DeValue<'f>>)> {
        let mut entries: Vec<_> = self
            .table
            .into_iter()
            .flat_map(|table| table.iter())
            .map(|(key, value)| (At::given(key.get_ref().clone().into_owned(), key.span()), value))
            .collect();
        entries.sort_by_key(|(key, _)| key.span.start);
        entries
    }

    fn child(&mut self, key: &'static str) -> Option<Section<'f>> {
        let (span, value) = self.get(key)?;
        self.open(key, span, value)
    }

    fn open(&self, key: &str, span: Span, value: &'f Spanned<DeValue<'f>>) -> Option<Section<'f>> {
        let path = self.name_of(key);
        match value.get_ref() {
            DeValue::Table(table) => {
                Some(Section { file: self.file, path, span, table: Some(table), known: Vec::new(), muted: false })
            }
            _ => {
                self.wrong_type(key, "a table", &format!("[{path}] on a line of its own, and its keys below"), value);
                None
            }
        }
    }

    /// Tells every key that was not asked for.
    pub(super) fn finish(&self) {
        for (name, _) in self.entries() {
            if !self.known.contains(&name.value.as_str()) {
                let place = if self.path.is_empty() { "a platform file".into() } else { format!("`{}`", self.path) };
                let known = || format!("{place} has {}", list(&self.known));
                self.file.tell(
                    Problem::new(Code::UnknownKey, format!("{place} has no key `{}`", name.value))
                        .at(name.span, "unknown key")
                        .help(did_you_mean(&name.value, &self.known).unwrap_or_else(known)),
                );
            }
        }
    }
}

/// A type of TOML, in words.
fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A value as the text that was probably meant.
fn quoted(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) => format!("it in quotes: \"{number}\""),
        DeValue::Float(number) => format!("it in quotes: \"{number}\""),
        DeValue::Boolean(flag) => format!("it in quotes: \"{flag}\""),
        _ => "one text in quotes".into(),
    }
}
