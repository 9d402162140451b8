//! What the integration tests and the measuring programs share.

pub mod account;
pub mod arm64;
mod canary;
pub mod cost;
pub mod drift;
pub mod matrix;
pub mod node;
pub mod permissions;
pub mod probe;
mod rig;
pub mod rollouts;
pub mod secret;
pub mod skyfox;
pub mod table;
mod watched;
mod worker;

pub use canary::canary;
pub use rig::{Ended, Rig, acm, binaries, built, keys_of, root, root_keys};
pub use watched::Watched;
pub use worker::role_keys;
