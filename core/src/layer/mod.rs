//! One module per layer: its settings, its observed world, its changes, and the pure planner.
//!
//! Every layer module has the same four things: `World` (what was observed), `Change` (one variant per AWS write),
//! `plan` (desired against observed), `teardown` (everything of ours, in the order that AWS allows) and `facts`.

pub mod balancer;
pub mod cluster;
pub mod identity;
pub mod network;
pub mod registry;
pub mod secrets;
pub mod service;
pub mod storage;

#[cfg(test)]
pub(crate) mod fixtures;
