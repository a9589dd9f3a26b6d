//! A real PostgreSQL per test run, and small working fakes; for tests only.
//!
//! Promises: no fixed port, nothing shared between two test processes, nothing left behind: a server ends with its process,
//! and the next run removes the files of processes that are gone.

pub mod certificates;
mod database;
mod eventually;
pub mod hooks;
pub mod json_schema;
mod place;
mod server;
mod server_tls;
pub mod smtp;
mod tmpfs;
pub mod vault;
pub mod wire_faults;

pub use database::{TestDatabase, database};
pub use eventually::{Look, eventually};
pub use server::{TestServer, new_server, new_server_on_tmpfs, server};
