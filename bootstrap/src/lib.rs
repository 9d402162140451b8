//! The `skydeck` command: installs skydeck into an account, starts runs and follows them, and runs the local sandbox.
//!
//! [`cli`] says what can be typed, [`command`] has a module per verb, [`install`] brings an account to what the
//! functions and state machines need, [`follow`] turns an execution's history into lines, [`acceptance`] tries all of it in a
//! real account.

#![allow(
    clippy::disallowed_methods,
    reason = "this is no Lambda: a command line waits for IAM, for functions to become active, and between two looks"
)]

pub mod acceptance;
mod archive;
pub mod cli;
pub mod command;
mod confirm;
mod context;
mod error;
pub mod follow;
pub mod install;
pub mod package;
mod patience;
pub mod prices;
mod project;
mod run;
mod show;
mod terminal;

pub use context::Account;
pub use error::Usage;
