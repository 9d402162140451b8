//! Balancer, cluster and service against an emulator: a second run writes nothing, facts are complete, drift is
//! repaired, a destroy leaves nothing of ours, and what is not the platform's stays as it is.

#![expect(clippy::unwrap_used, reason = "a call that fails fails its test")]

mod balancer;
mod cluster;
mod harness;
mod service;
