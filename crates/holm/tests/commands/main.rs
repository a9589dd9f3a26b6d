//! Every command against a running API with a real catalog and a real cluster.

#![allow(clippy::unwrap_used, reason = "everything here is a test's, and a test stops at what it did not expect")]

mod as_of;
mod encrypted_servers;
mod env_parity;
mod every;
mod importing;
mod installation;
mod operations;
mod parity;
mod placing;
mod records;
mod residency;
mod residency_answers;
mod statistics;
mod stories;
mod webhooks;
