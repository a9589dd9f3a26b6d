//! Reconcilers: each reads what is intended and what is there, and acts on the difference.
//!
//! They take no input: the timer and a signal run the same code, so that a signal may be lost.

pub(crate) mod answers;
pub(crate) mod backoff;
pub(crate) mod observe;
pub(crate) mod pool;
pub(crate) mod routes;
pub(crate) mod schedule;
pub(crate) mod tenants;
