//! PgBouncer's configuration, and what it becomes in Holm.
//!
//! Promises: reading and planning touch nothing but the files that are named, and no secret of theirs is ever printed. Refuses
//! to guess: what the files do not say is asked for.

pub(crate) mod config;
pub(crate) mod conninfo;
pub(crate) mod files;
pub(crate) mod ini;
pub(crate) mod owners;
pub(crate) mod plan;
pub(crate) mod settings;
#[cfg(test)]
mod tests;
pub(crate) mod userlist;
