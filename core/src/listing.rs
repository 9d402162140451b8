//! A list within an error, as a person reads it.

use std::fmt::Display;

/// A line for each of the first `most`, and how many more there are: an error of Lambda's and of Step Functions' has an end.
#[must_use]
pub fn lines(found: &[impl Display], most: usize) -> String {
    let lines = found.iter().take(most).map(|one| format!("\n- {one}"));
    let rest = found.len().saturating_sub(most);
    let rest = (rest > 0).then(|| format!("\n- and {rest} more"));
    lines.chain(rest).collect()
}
