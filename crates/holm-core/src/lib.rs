//! Decides: ids, names, credentials, routes, capabilities, who may do what, the chain of the audit log, and error codes.
//!
//! Promises: every value of a type in this crate is valid, and every decision returns its reason.
//! Refuses: async, I/O, a clock, randomness. Time and entropy are arguments.

pub mod access;
pub mod actor;
pub mod approval;
pub mod audit;
pub mod capability;
pub mod cluster;
pub mod credential;
pub mod environment;
pub mod error;
pub mod id;
pub mod key;
pub mod limits;
pub mod operation;
pub mod parameter;
pub mod parity;
pub mod placement;
pub mod role;
pub mod route;
pub mod scram;
pub mod secret;
pub mod slug;
pub mod statistics;
pub mod tenant;
pub mod webhook;
