//! run writes nothing, drift is repaired, and what is not the platform's stays as it is.

mod harness;
mod identity;
mod registry;
