//! What the proxy promises to clients with server connections of their own, tried where they share them: nothing of it may
//! depend on that. What does is in `postgres/own_connection` and `postgres/budget`, and what is new in `postgres/transaction`.
#![allow(clippy::unwrap_used, reason = "everything here is a test")]
#![allow(dead_code, reason = "helpers of what is not tried here")]

use holm_proxy::postgres::Pooling;

/// What sessions get that do not say.
pub(crate) const POOLING: Pooling = Pooling::Transaction;

#[path = "../postgres/cancel.rs"]
mod cancel;
#[path = "../postgres/clients.rs"]
mod clients;
#[path = "../postgres/encrypted.rs"]
mod encrypted;
#[path = "../postgres/hostile_clients.rs"]
mod hostile_clients;
#[path = "../postgres/hostile_servers.rs"]
mod hostile_servers;
#[path = "../postgres/isolation.rs"]
mod isolation;
#[path = "../postgres/meddler.rs"]
mod meddler;
#[path = "../postgres/placement.rs"]
mod placement;
#[path = "../postgres/protocol.rs"]
mod protocol;
#[path = "../postgres/raw.rs"]
mod raw;
#[path = "../postgres/refusals.rs"]
mod refusals;
#[path = "../postgres/rotation.rs"]
mod rotation;
#[path = "../postgres/server_tls.rs"]
mod server_tls;
#[path = "../postgres/shown_to_servers.rs"]
mod shown_to_servers;
#[path = "../postgres/shutdown.rs"]
mod shutdown;
#[path = "../postgres/support.rs"]
mod support;
#[path = "../postgres/suspend.rs"]
mod suspend;
#[path = "../postgres/tls.rs"]
mod tls;
#[path = "../postgres/traffic.rs"]
mod traffic;
