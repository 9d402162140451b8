//! Rollouts: what a trigger is, what follows from it, what is remembered, and when what was released is good or bad.

#![expect(clippy::unwrap_used, reason = "a fixture that is not there fails its test")]

mod answers;
mod claims;
mod contents;
mod decisions;
mod ledger;
mod releases;
mod room;
mod stops;
mod tags;
mod triggers;
mod verdicts;
