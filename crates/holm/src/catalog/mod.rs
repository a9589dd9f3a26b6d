//! Commands that go to the catalog itself, past any server: making it ready, backing it up, restoring it.
//!
//! Promises: whoever has its URL and the master key needs nothing else; neither is ever printed.

pub(crate) mod backup;
mod file;
pub(crate) mod init;
pub(crate) mod open;
mod programs;
pub(crate) mod restore;
mod scratch;
