//! The platform file: its model, how it is read, and what is checked.

pub mod model;

pub use model::*;
