//! Wrong files, made from the smallest right one, and how their problems are drawn.

use miette::{GraphicalReportHandler, GraphicalTheme, Report};
use skydeck_core::spec::parse;

/// A platform file's text.
pub(crate) struct File(pub(crate) String);

/// `platforms/minimal.toml`.
pub(crate) fn minimal() -> File {
    File(include_str!("../../../platforms/minimal.toml").into())
}

impl File {
    /// Replaces a text that stands in the file once.
    pub(crate) fn with(self, old: &str, new: &str) -> Self {
        assert_eq!(self.0.matches(old).count(), 1, "{old:?} stands in the file once");
        File(self.0.replace(old, new))
    }

    /// Appends to the file.
    pub(crate) fn and(self, more: &str) -> Self {
        File(format!("{}\n{more}\n", self.0))
    }
}

/// What is told of a wrong file, without colour, 100 columns wide.
pub(crate) fn drawn(text: &str) -> String {
    let problems = parse("platform.toml", text).expect_err("the file is wrong");
    let mut drawn = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut drawn, Report::from(problems).as_ref())
        .expect("a text can be written to");
    drawn
}

/// A test for each sentence: what is told of the file is what its golden file says.
macro_rules! golden {
    ($($sentence:ident: $file:expr;)*) => {
        $(
            #[test]
            fn $sentence() {
                insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                    insta::assert_snapshot!(stringify!($sentence), $crate::golden::drawn(&$file.0));
                });
            }
        )*
    };
}

pub(crate) use golden;
