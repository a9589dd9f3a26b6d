//! What the API promises, on a real catalog and a real cluster.

#![allow(clippy::unwrap_used, reason = "everything here is a test's, and a test stops at what it did not expect")]

mod access;
mod conditions;
mod description;
mod installation;
mod limits;
mod listing;
mod once;
mod operations;
mod parity;
mod refusing;
mod statistics;
mod surveys;
mod tenants;
mod told;
mod unfriendly;
mod usage;
