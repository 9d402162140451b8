//! What the integration tests share.

mod rig;
pub mod rollouts;
pub mod skyfox;

pub use rig::{Ended, Rig, acm, binaries, root};
