//! The SDK side of skydeck: how each layer's world is observed, and how each planned change is carried out.
//!
//! The way of the data: [`client::Clients`] are made once, at a function's start. [`layer::converge`] observes a
//! layer, asks `skydeck-core` for the plan, lets [`execute`] carry it out, and observes again.

pub mod client;
pub mod error;
mod event;
pub mod execute;
mod execution;
pub mod foreign;
pub mod function;
pub mod home;
pub mod layer;
pub mod lock;
mod logs;
mod number;
pub mod rollout;
pub mod run;
pub mod tag;
pub mod transient;

pub use client::Clients;
pub use error::{Error, Result};
