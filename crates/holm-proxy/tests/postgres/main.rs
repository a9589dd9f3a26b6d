//! What the PostgreSQL proxy promises, tried with real clients against a real server.
#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod budget;
mod cancel;
mod clients;
mod hostile_clients;
mod hostile_servers;
mod isolation;
mod protocol;
mod raw;
mod refusals;
mod rotation;
mod shutdown;
mod support;
mod suspend;
mod tls;
mod traffic;
