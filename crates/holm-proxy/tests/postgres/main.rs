//! What the PostgreSQL proxy promises, tried with real clients against a real server.
#![allow(clippy::unwrap_used, reason = "everything here is a test")]

use holm_proxy::postgres::Pooling;

/// What sessions get that do not say.
pub(crate) const POOLING: Pooling = Pooling::Session;

mod budget;
mod cancel;
mod certificates;
mod channel_binding;
mod client_certificates;
mod clients;
mod console;
mod console_acts;
mod console_extended;
mod differential;
mod encrypted;
mod executed;
mod handed_on;
mod hostile_clients;
mod hostile_servers;
mod isolation;
mod limits;
mod meddler;
mod not_handed_on;
mod own_connection;
mod pausing;
mod placement;
mod protocol;
mod raw;
mod refusals;
mod revoked_certificates;
mod rotation;
mod sequences;
mod server_tls;
mod sharing;
mod shown_to_servers;
mod shutdown;
mod statements;
mod succession;
mod support;
mod suspend;
mod throttle;
mod tls;
mod traffic;
mod transaction;
mod usage;
