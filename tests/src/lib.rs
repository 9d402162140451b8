//! What the integration tests share.

pub mod account;
pub mod drift;
pub mod probe_code;
mod rig;
pub mod skyfox;

pub use rig::{Ended, Rig, binaries, root};
