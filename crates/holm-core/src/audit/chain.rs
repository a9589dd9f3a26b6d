//! The chain: each entry's hash is made of its content, its number, its time and the hash before it.
//!
//! Promises: walking the entries in order finds the first that was edited, removed, inserted or moved, and says which of
//! these it looks like. The chain alone cannot see that all of it was written anew, or that its end and its head were cut
//! off together: [`checkpoint`](super::checkpoint)s, which lie outside of the catalog, do. Pure: the caller fetches.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Content, VERSION};

/// SHA-256.
pub type Hash = [u8; 32];

/// What the first entry is linked to.
pub const GENESIS: Hash = [0; 32];

/// PostgreSQL counts microseconds from 2000-01-01 (`timestamptz_send`), jiff from 1970-01-01.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// An entry as the catalog has it. Whatever PostgreSQL can hold can be read here, so that tampering is named and not an
/// error of reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its number; the first is 1, and none is missing.
    pub seq: i64,
    /// When it was written, by the catalog's clock, in microseconds since 2000-01-01 UTC.
    pub at_micros: i64,
    /// The encoding of its hash.
    pub version: i16,
    /// What it says.
    pub content: Content,
    /// The hash of the entry before.
    pub previous_hash: Box<[u8]>,
    /// Its own.
    pub hash: Box<[u8]>,
}

impl Entry {
    /// When it was written, as near as a calendar has it.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.at_micros.saturating_add(POSTGRES_EPOCH_MICROS)).unwrap_or(Timestamp::MAX)
    }

    /// The hash that it would have with another number and another predecessor.
    fn hash_as(&self, seq: i64, previous: &[u8]) -> Hash {
        link(self.version, previous, seq, self.at_micros, &self.content.digest())
    }

    /// Whether it says what it said when it was written with this number.
    fn verifies_as(&self, seq: i64) -> bool {
        *self.hash == self.hash_as(seq, &self.previous_hash)
    }

    /// The number that it was written with, if its content is what it was.
    fn written_as(&self, seq_max: i64) -> Option<i64> {
        let digest = self.content.digest();
        let matches = |seq: &i64| *self.hash == link(self.version, &self.previous_hash, *seq, self.at_micros, &digest);
        Some(self.seq).filter(matches).or_else(|| (1..=seq_max).find(matches))
    }
}

/// The hash of an entry: version, previous hash, number, time, digest of the content, all of fixed length. The catalog
/// computes the same when it writes; `audit.rs` of the store has the statement.
pub fn link(version: i16, previous: &[u8], seq: i64, at_micros: i64, digest: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update(version.to_be_bytes());
    hash.update(previous);
    hash.update(seq.to_be_bytes());
    hash.update(at_micros.to_be_bytes());
    hash.update(digest);
    hash.finalize().into()
}

/// Where the catalog says that the chain ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The number of the last entry; 0 of none.
    pub seq: i64,
    /// Its hash.
    pub hash: Box<[u8]>,
}

/// What is wrong with the log, at the first place where something is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Break {
    /// An entry is not as it was written.
    Edited {
        /// Which.
        seq: i64,
    },
    /// Entries are missing, others follow.
    Removed {
        /// The first.
        seq: i64,
        /// The last.
        to: i64,
    },
    /// An entry is there that was not written here.
    Inserted {
        /// Where it stands.
        seq: i64,
    },
    /// An entry stands in another place.
    Reordered {
        /// Its own place.
        seq: i64,
        /// Where it is.
        now_at: i64,
    },
    /// The end is missing.
    Truncated {
        /// The first that is missing.
        seq: i64,
        /// The last that was there for certain.
        to: i64,
    },
    /// Everything is linked well and is not what a checkpoint saw: written anew, at some place after the checkpoint before.
    Rewritten {
        /// The first that may have been.
        seq: i64,
        /// The one that a checkpoint knows differently.
        to: i64,
    },
    /// The catalog's own note of where the chain ends is gone or wrong.
    HeadEdited {
        /// Where it should be.
        seq: i64,
    },
}

impl Break {
    /// The first entry that is concerned.
    pub const fn seq(&self) -> i64 {
        match self {
            Self::Edited { seq }
            | Self::Removed { seq, .. }
            | Self::Inserted { seq }
            | Self::Reordered { seq, .. }
            | Self::Truncated { seq, .. }
            | Self::Rewritten { seq, .. }
            | Self::HeadEdited { seq } => *seq,
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { seq } => write!(f, "entry {seq} was edited"),
            Self::Removed { seq, to } if seq == to => write!(f, "entry {seq} was removed"),
            Self::Removed { seq, to } => write!(f, "entries {seq} to {to} were removed"),
            Self::Inserted { seq } => write!(f, "entry {seq} was inserted"),
            Self::Reordered { seq, now_at } => write!(f, "entry {seq} was moved to place {now_at}"),
            Self::Truncated { seq, to } if seq == to => write!(f, "entry {seq}, the last, was cut off"),
            Self::Truncated { seq, to } => write!(f, "the end was cut off: entries {seq} to {to}"),
            Self::Rewritten { seq, to } => write!(f, "entries were written anew between {seq} and {to}, with hashes that fit"),
            Self::HeadEdited { seq } => write!(f, "the note of where the chain ends was edited; it ends at {seq}"),
        }
    }
}

/// The walk along the chain, entry by entry.
#[derive(Debug)]
pub struct Chain {
    last: Head,
    /// What is still to be met, by number; of two for one number, the later one in the file, and the first is compared too.
    marks: BTreeMap<i64, Vec<Hash>>,
    last_mark: i64,
}

impl Chain {
    /// Begins before the first entry, with what checkpoints saw.
    pub fn new(checkpoints: impl IntoIterator<Item = (i64, Hash)>) -> Self {
        let mut marks: BTreeMap<i64, Vec<Hash>> = BTreeMap::new();
        for (seq, hash) in checkpoints {
            marks.entry(seq).or_default().push(hash);
        }
        // The chain before its first entry is the same everywhere.
        marks.remove(&0);
        Self { last: Head { seq: 0, hash: GENESIS.into() }, marks, last_mark: 0 }
    }

    /// The last entry that was taken.
    pub const fn last(&self) -> &Head {
        &self.last
    }

    /// Whether an entry is the next, as it was written.
    pub fn continues(&self, entry: &Entry) -> bool {
        entry.version == VERSION && entry.seq == self.last.seq + 1 && entry.previous_hash == self.last.hash && entry.verifies_as(entry.seq)
    }

    /// Goes on over an entry that [`continues`](Self::continues) the chain.
    ///
    /// # Errors
    /// A checkpoint saw another one with this number.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Break> {
        debug_assert!(self.continues(entry), "only the next one is taken");
        self.last = Head { seq: entry.seq, hash: entry.hash.clone() };
        if let Some(seen) = self.marks.remove(&entry.seq) {
            if seen.iter().any(|hash| *hash != *entry.hash) {
                return Err(Break::Rewritten { seq: self.last_mark + 1, to: entry.seq });
            }
            self.last_mark = entry.seq;
        }
        Ok(())
    }

    /// Names what is wrong with an entry that does not continue the chain. `successors` are those whose previous hash is the
    /// last one's, wherever they stand; `head` is where the catalog says that the chain ends.
    pub fn diagnose(&self, found: &Entry, successors: &[Entry], head: i64) -> Break {
        let seq = self.last.seq + 1;
        if let Some(moved) = successors.iter().find(|entry| entry.seq != seq && entry.verifies_as(seq)) {
            let genuine = found.seq != seq || found.written_as(head.max(found.seq)).is_some();
            // What verifies with the number that it has now, and with this one's predecessor, is a forgery in its place.
            let forged = found.seq == seq && found.verifies_as(seq);
            return if genuine && !forged { Break::Reordered { seq, now_at: moved.seq } } else { Break::Inserted { seq } };
        }
        let own = found.written_as(head.max(found.seq));
        match own {
            _ if found.seq < seq => Break::Inserted { seq: found.seq },
            _ if found.seq > seq => Break::Removed { seq, to: found.seq - 1 },
            _ if found.previous_hash == self.last.hash && seq <= head => Break::Edited { seq },
            // Its link alone.
            _ if *found.hash == found.hash_as(seq, &self.last.hash) => Break::Edited { seq },
            Some(own) if own > seq => Break::Removed { seq, to: own - 1 },
            Some(own) if own < seq => Break::Inserted { seq: own },
            _ if seq > head => Break::Inserted { seq },
            // It is as it was, so that the one before it is not: edited, with a hash that fits.
            Some(_) if seq > 1 => Break::Edited { seq: seq - 1 },
            _ => Break::Edited { seq },
        }
    }

    /// Ends the walk where there are no more entries.
    ///
    /// # Errors
    /// The catalog or a checkpoint knows another end.
    pub fn end(&self, head: Option<&Head>) -> Result<(), Break> {
        let after = self.last.seq + 1;
        if let Some((&to, _)) = self.marks.last_key_value() {
            return Err(Break::Truncated { seq: after, to });
        }
        match head {
            Some(head) if head.seq > self.last.seq => Err(Break::Truncated { seq: after, to: head.seq }),
            Some(head) if head.seq < self.last.seq => Err(Break::Inserted { seq: head.seq + 1 }),
            Some(head) if head.hash == self.last.hash => Ok(()),
            Some(_) | None => Err(Break::HeadEdited { seq: self.last.seq }),
        }
    }
}

#[cfg(test)]
mod tests;
