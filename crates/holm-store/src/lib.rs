//! Remembers: the catalog in PostgreSQL, its only SQL and its migrations.
//!
//! Promises: every statement is a constant in its module's `STATEMENTS`, prepared against the migrated schema by a test;
//! PostgreSQL itself refuses rows that cross environments; a change of routes is visible with its version or not at all.
//! Refuses: DDL outside migrations, a call to any other system, the reading of sealed bytes, the clock of this process.

pub mod address;
pub mod approval;
pub mod audit;
pub mod backup;
pub mod break_glass;
pub mod catalog;
pub mod cluster;
pub mod credential;
pub mod data_key;
pub mod data_node;
pub mod database;
pub mod environment;
pub mod error;
pub mod grant;
pub mod idempotency;
pub mod mail;
pub mod master_key;
pub mod migrate;
pub mod node;
pub mod operation;
pub mod page;
pub mod parity;
pub mod place;
pub mod principal;
pub mod pulse;
pub mod residency;
pub mod route;
pub mod schedule;
pub mod sealed;
pub mod sealed_directly;
pub mod standing;
pub mod state;
pub mod statistics;
pub mod template;
pub mod tenant;
pub mod token;
pub mod tx;
pub mod webhook;

mod encrypted;
mod row;
mod session;
mod wake;

#[cfg(test)]
mod tests;
