//! What a node keeps on its disk, so that it can start and serve while the catalog is away (ADR-0011).
//!
//! Promises: a table that closes something is on disk before anybody hears that it is closed; what is on disk is whole, this
//! node's and this installation's, or refused by name. A refused file is never written over.

use std::time::Duration;

use holm_core::route::RouteTable;
use holm_link::Publisher;
use jiff::Timestamp;

mod clock;
mod identity;
mod keeper;
mod seen;
mod source;
mod store;

#[cfg(test)]
mod tests;

/// Publishes routes that were heard of so long ago: it is so much later where certificates are signed.
pub(super) fn publish_after(publisher: &Publisher, table: RouteTable, age: Duration) {
    let told = table.authority().map(|authority| authority.told_at);
    publisher.publish(table);
    if let Some(told) = told {
        publisher.is_now(told.saturating_add(age).unwrap_or(Timestamp::MAX));
    }
}

pub(super) use clock::now;
pub(super) use identity::{Identity, random};
pub(super) use keeper::Keeper;
pub(super) use source::Source;
pub(super) use store::Store;
