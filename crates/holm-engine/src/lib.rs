//! Acts: operations, reconcilers, and every statement sent to a tenant cluster.
//!
//! Promises: what is to exist outside the catalog is committed there first and forgotten last, so that nothing is lost or
//! left over after a crash; what a tenant or an app authored runs only in a login as a role that owns that database and
//! nothing else. Refuses SQL on the catalog, which is `holm-store`'s.

pub mod access;
pub mod approval;
pub mod audit;
pub mod backup;
pub mod cluster;
pub mod control;
pub mod credential;
pub mod doctor;
pub mod environment;
pub mod idempotency;
pub mod key;
pub mod mail;
pub mod node;
pub mod notices;
pub mod operation;
pub mod programs;
mod pulse;
pub mod residency;
pub mod schedule;
pub mod secret;
pub mod tenant;
pub mod webhook;

mod child;
mod reconcile;
mod seed;
mod tasks;

// So that tests beside the code share their installation with the tests in `tests/`.
#[cfg(test)]
extern crate self as holm_engine;
#[cfg(test)]
#[path = "../tests/engine/support.rs"]
#[allow(dead_code)]
mod support;
