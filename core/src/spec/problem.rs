//! What is wrong with a platform file, and how it is told: as one line each, as JSON, or drawn with the source
//! underlined.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, LabeledSpan, NamedSource, Report, SourceCode};
use serde::Serialize;

/// Bytes of the file's text.
pub(super) type Span = Range<usize>;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Kinds of problems. Their names are stable: scripts may tell problems apart by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every code, in the order in which the reference lists them.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The stable name, such as `skydeck::spec::unknown_key`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// The file is not TOML, or says the same key twice.
    Syntax = "skydeck::spec::syntax",
    /// A key that means nothing here.
    UnknownKey = "skydeck::spec::unknown_key",
    /// A key that has no default is not there.
    MissingKey = "skydeck::spec::missing_key",
    /// A value of another type than the key's.
    WrongType = "skydeck::spec::wrong_type",
    /// A number that AWS would refuse.
    OutOfRange = "skydeck::spec::out_of_range",
    /// A value that is none of the possible ones.
    WrongChoice = "skydeck::spec::wrong_choice",
    /// Numbers that are each possible but do not go together, such as a minimum above its maximum.
    Contradiction = "skydeck::spec::contradiction",
    /// Too many, or too few, of a thing.
    WrongCount = "skydeck::spec::wrong_count",
    /// A name with characters that AWS would refuse.
    InvalidName = "skydeck::spec::invalid_name",
    /// A name that, with the platform's prefix, is longer than AWS takes.
    NameTooLong = "skydeck::spec::name_too_long",
    /// A name that AWS or skydeck keeps for itself.
    ReservedName = "skydeck::spec::reserved_name",
    /// Text that does not have the form that its key needs.
    InvalidFormat = "skydeck::spec::invalid_format",
    /// A VPC block that is not one, or not one that AWS takes.
    InvalidCidr = "skydeck::spec::invalid_cidr",
    /// A VPC block without room for a subnet in every zone.
    CidrTooSmall = "skydeck::spec::cidr_too_small",
    /// An instance type that is not ARM64.
    NotArm64 = "skydeck::spec::not_arm64",
    /// Two services with the same container port.
    DuplicatePort = "skydeck::spec::duplicate_port",
    /// Two rules of a load balancer with the same priority.
    DuplicatePriority = "skydeck::spec::duplicate_priority",
    /// Two rules of a load balancer with the same path.
    DuplicatePath = "skydeck::spec::duplicate_path",
    /// Two services that are their load balancer's default.
    TwoDefaults = "skydeck::spec::two_defaults",
    /// Two things that would have the same name in AWS.
    DuplicateName = "skydeck::spec::duplicate_name",
    /// A deployment that could never replace a task.
    StuckDeployment = "skydeck::spec::stuck_deployment",
    /// A deployment strategy that skydeck does not have.
    UnsupportedStrategy = "skydeck::spec::unsupported_strategy",
    /// A reference that cannot be read as one.
    InvalidReference = "skydeck::spec::invalid_reference",
    /// A reference to something that the file does not have.
    UnknownReference = "skydeck::spec::unknown_reference",
    /// A reference to something that has no place here.
    MisplacedReference = "skydeck::spec::misplaced_reference",
    /// Environment variables that refer to each other in a circle.
    ReferenceCycle = "skydeck::spec::reference_cycle",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A place in the file and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is said about the place.
    pub text: String,
    /// The bytes that are underlined.
    #[serde(skip)]
    pub span: Range<usize>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
    /// Where: the offending text first, then what it clashes with.
    pub labels: Vec<Label>,
}

impl Problem {
    /// Something wrong, as yet without a place and a remedy.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Problem { code, message: message.into(), help: String::new(), labels: Vec::new() }
    }

    /// Adds a place; the first is the offending one.
    pub(super) fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { line: 0, column: 0, text: text.into(), span });
        self
    }

    /// Says what would be right.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Where the problem is: the start of its first label.
    fn start(&self) -> usize {
        self.labels.first().map_or(0, |label| label.span.start)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().enumerate().map(|(index, label)| {
            let text = Some(label.text.clone());
            match index {
                0 => LabeledSpan::new_primary_with_span(text, label.span.clone()),
                _ => LabeledSpan::new_with_span(text, label.span.clone()),
            }
        })))
    }
}

/// Everything that is wrong with a platform file, in the file's order; never empty.
///
/// Shown as text it is one line for each problem, `file:line:column: message (help)`, for logs and errors. Turned into
/// a [`miette::Report`], as `?` does it, each problem is drawn with its source underlined.
#[derive(Debug, Clone, Serialize)]
pub struct Problems {
    /// The name of the file.
    pub file: String,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The file's text.
    #[serde(skip)]
    text: String,
}

impl Problems {
    /// The problems of a file, sorted by place.
    pub(super) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::start);
        for problem in &mut problems {
            problem.message = one_line(&problem.message);
            problem.help = one_line(&problem.help);
        }
        for label in problems.iter_mut().flat_map(|problem| &mut problem.labels) {
            (label.line, label.column) = position(text, label.span.start);
        }
        Problems { file: file.into(), problems, text: text.into() }
    }
}

/// A text without control characters: a quoted key may hold any, and a problem is one line in a log.
fn one_line(text: &str) -> String {
    text.chars().fold(String::new(), |line, c| {
        if c.is_control() { line + &c.escape_debug().to_string() } else { line + c.encode_utf8(&mut [0; 4]) }
    })
}

/// Line and column of a byte, both from 1, the column in characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let (line, column) = problem.labels.first().map_or((1, 1), |label| (label.line, label.column));
            write!(f, "{}:{line}:{column}: {} ({})", self.file, problem.message, problem.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// [`Problems`] as miette draws them: a headline, and each problem related to it. A type of its own because the
/// headline is not the text of [`Problems`], which already holds every problem.
#[derive(Debug)]
struct Drawn {
    source: NamedSource<String>,
    problems: Vec<Problem>,
}

impl From<Problems> for Report {
    fn from(Problems { file, mut problems, text }: Problems) -> Self {
        let cuts = cuts(&text, &problems);
        for label in problems.iter_mut().flat_map(|problem| &mut problem.labels) {
            label.span = moved(label.span.start, &cuts)..moved(label.span.end, &cuts);
        }
        let source = NamedSource::new(&file, cut(&text, &cuts)).with_language("TOML");
        Report::new(Drawn { source, problems })
    }
}

/// A line longer than this is not drawn to its end.
const WIDEST: usize = 240;
/// What stands in the place of the rest.
const REST: &str = "…";

/// The ends of lines that are too long to be drawn. Where a problem begins in one, the cut comes after that.
fn cuts(text: &str, problems: &[Problem]) -> Vec<Span> {
    let mut cuts = Vec::new();
    let mut begin = 0;
    for line in text.split('\n') {
        let end = begin + line.len();
        let starts = problems.iter().flat_map(|problem| &problem.labels).map(|label| label.span.start);
        let last = starts.filter(|start| (begin..end).contains(start)).max().unwrap_or(begin);
        let mut from = (begin + WIDEST).max(last + WIDEST / 2);
        while from < end && !text.is_char_boundary(from) {
            from += 1;
        }
        if from < end {
            cuts.push(from..end);
        }
        begin = end + 1;
    }
    cuts
}

fn cut(text: &str, cuts: &[Span]) -> String {
    let (mut short, mut begin) = (String::new(), 0);
    for cut in cuts {
        short += &text[begin..cut.start];
        short += REST;
        begin = cut.end;
    }
    short + &text[begin..]
}

/// Where a byte of the text is after the cuts.
fn moved(at: usize, cuts: &[Span]) -> usize {
    let gone = |cut: &Span| at.clamp(cut.start, cut.end) - cut.start;
    let put = |cut: &&Span| at >= cut.end;
    at - cuts.iter().map(gone).sum::<usize>() + cuts.iter().filter(put).count() * REST.len()
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, count) = (self.source.name(), self.problems.len());
        write!(f, "{name} has {count} problem{}", if count == 1 { "" } else { "s" })
    }
}

impl std::error::Error for Drawn {}

impl Diagnostic for Drawn {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}
