//! Identity, registry, storage and secrets against an emulator: what a layer makes is read back with the SDK, a second
//! run writes nothing, drift is repaired, and what is not the platform's stays as it is.

mod harness;
mod identity;
mod registry;
mod secrets;
mod storage;
