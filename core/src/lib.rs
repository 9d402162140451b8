//! The pure half of skydeck: what a platform file means, and what has to change in an account for it to be true.
//!
//! Nothing here calls AWS, waits, or reads a clock. The way of the data: a platform file is read into a
//! [`spec::Platform`]; together with account, region and the facts of earlier layers it is a [`Scope`]; each module
//! of [`layer`] compares that with the world that the `skydeck-aws` crate observed, and answers with a [`plan::Plan`].

#![warn(missing_docs)]

pub mod facts;
pub mod foreign;
pub mod format;
pub mod layer;
pub mod listing;
pub mod logs;
pub mod obstacle;
pub mod oci;
pub mod outputs;
pub mod placement;
pub mod plan;
pub mod preview;
pub mod rollout;
pub mod run;
pub mod scope;
pub mod spec;
pub mod verdict;

pub use scope::Scope;
