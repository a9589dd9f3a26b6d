//! Decides: ids, names, credentials, routes and error codes.
//!
//! Promises: every value of a type in this crate is valid, and every decision returns its reason.
//! Refuses: async, I/O, a clock, randomness. Time and entropy are arguments.

pub mod cluster;
pub mod credential;
pub mod environment;
pub mod error;
pub mod id;
pub mod parameter;
pub mod role;
pub mod route;
pub mod scram;
pub mod secret;
pub mod slug;
pub mod tenant;
