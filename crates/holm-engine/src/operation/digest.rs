//! Rows for a journal: an event's JSON with a digest over it and everything before.

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::operation::event::Event;
use holm_core::operation::journal::{self, Digest};
use holm_store::operation::journal::NewRow;
use jiff::Timestamp;

/// SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> Digest {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The row of an event after the row `last`, whose digest is `head`. `epoch` is 0 for a person.
pub(crate) fn row(head: &Digest, last: u64, epoch: u64, at: Timestamp, event: &Event) -> NewRow {
    let text = serde_json::to_string(event).expect("an event is JSON");
    let seq = last + 1;
    NewRow { seq, at, digest: hash(&journal::digest_input(head, seq, epoch, at, &text)), text }
}

/// A time as PostgreSQL keeps it: without what is finer than a microsecond, so that a replay compares the same times.
pub(crate) fn kept(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).expect("it was one before")
}
