//! What the gateway promises to browsers, apps and operators, tried over real sockets: raw clients on one side, a real
//! HTTP server on the other.

#![allow(clippy::unwrap_used, reason = "everything here is a test's, and a test stops at what it did not expect")]

mod attacks;
mod bodies;
mod hosts;
mod limits;
mod suspension;
mod tunnels;
mod world;
