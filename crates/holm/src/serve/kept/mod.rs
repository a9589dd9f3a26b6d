//! What a node keeps on its disk, so that it can start and serve while the catalog is away (ADR-0011).
//!
//! Promises: a table that closes something is on disk before anybody hears that it is closed; what is on disk is whole, this
//! node's and this installation's, or refused by name. A refused file is never written over.

mod clock;
mod identity;
mod keeper;
mod seen;
mod source;
mod store;

#[cfg(test)]
mod tests;

pub(super) use clock::now;
pub(super) use identity::{Identity, random};
pub(super) use keeper::Keeper;
pub(super) use source::Source;
pub(super) use store::Store;
