//! Rollouts: which image a service should run.

pub mod image;
pub mod policy;
