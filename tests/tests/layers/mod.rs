//! Each layer alone, against the sandbox and against moto: what it makes is read back with the SDK, a second run writes
//! nothing, drift is repaired, a destroy leaves nothing of ours, and what is not the platform's stays as it is.

#![expect(clippy::unwrap_used, reason = "a call that fails fails its test")]

mod balancer;
mod cluster;
mod ground;
mod harness;
mod identity;
mod network;
mod others;
mod registry;
mod rollouts;
mod secrets;
mod service;
mod storage;
