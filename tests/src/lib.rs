//! What the integration tests and the measuring programs share.

pub mod account;
pub mod arm64;
pub mod cost;
pub mod drift;
pub mod matrix;
pub mod node;
pub mod probe;
mod rig;
pub mod rollouts;
pub mod skyfox;
pub mod table;

pub use rig::{Ended, Rig, acm, binaries, built, keys_of, root, root_keys};
