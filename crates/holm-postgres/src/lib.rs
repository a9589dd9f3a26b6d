//! Finds, fetches and runs PostgreSQL servers, unprivileged.
//!
//! Promises: a server of Holm's own listens on 127.0.0.1 only, wants SCRAM, lies in private directories and ends with the
//! process that started it. Refuses to change the system: nothing is installed, no system cluster is touched.

pub mod account;
mod advice;
mod apt;
pub mod archive;
mod cache;
mod child;
mod directory;
mod distribution;
mod explain;
pub mod finder;
mod initdb;
pub mod installation;
mod launch;
mod libraries;
pub mod lock;
mod log;
mod port;
pub mod postmaster;
mod ready;
pub mod roots;
mod run;
pub mod server;
pub mod version;
