//! The planners of the load balancers, the cluster and the services, against worlds written out by hand from the
//! reference's numbers.

#![expect(clippy::unwrap_used, reason = "a fixture that is not there fails its test")]

mod balancer;
mod balancer_world;
mod cluster;
mod fingerprint;
mod fixture;
mod hand;
mod https;
mod refresh;
mod service;
mod service_world;
