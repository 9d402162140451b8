//! Rollouts: which image a service should run, whether a trigger becomes a rollout, who may write meanwhile, and whether what
//! was released serves.
//!
//! The way of the data: a [`trigger`] and what was read of the account make a [`decide::Decision`] by the service's
//! [`policy`] and its [`record`]; [`release`] says what is registered; [`verdict`] judges what is seen of it; the
//! [`ledger`] remembers how it ended.

pub mod content;
pub mod decide;
pub mod image;
pub mod ledger;
pub mod manifest;
pub mod policy;
pub mod record;
pub mod release;
pub mod room;
pub mod run;
pub mod stop;
pub mod story;
pub mod tags;
pub mod trigger;
pub mod verdict;
pub mod wait;
