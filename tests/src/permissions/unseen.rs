//! What the functions may do and no run shows, with the reason.

use super::{Pair, Pairs, allowed};

/// Functions, or all where there is none; actions; and why they may.
type Row = (&'static [&'static str], &'static [&'static str], &'static str);

const ROWS: &[Row] = &[(
    &[],
    &["logs:CreateLogStream", "logs:PutLogEvents"],
    "Lambda writes the log with the function's role; here the emulator writes it itself",
)];

/// These, and rows that are about nothing that may be done.
#[must_use]
pub fn unseen() -> (Pairs, Vec<&'static str>) {
    let of = |(functions, actions, _): &Row, pair: &Pair| {
        (functions.is_empty() || functions.contains(&&*pair.0)) && actions.contains(&&*pair.1)
    };
    let all = allowed();
    let found = all.iter().filter(|pair| ROWS.iter().any(|row| of(row, pair))).cloned().collect();
    let idle = ROWS.iter().filter(|row| !all.iter().any(|pair| of(row, pair))).map(|(_, _, why)| *why);
    (found, idle.collect())
}
