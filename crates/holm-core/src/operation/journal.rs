//! A journal as it is stored: numbered rows whose digests hang together.
//!
//! Promises: a row that was edited, taken out, put in or moved is noticed before anything is done on its word.
//! Refuses to hash: the function is an argument, since this crate has no cryptography.

use jiff::Timestamp;

use super::event::Event;
use super::standing::{Illegal, Standing};

/// 32 bytes over a row and everything before it.
pub type Digest = [u8; 32];

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number, from 1.
    pub seq: u64,
    /// The lease that wrote it; 0 for what people ask.
    pub epoch: u64,
    /// When.
    pub at: Timestamp,
    /// The event's JSON, byte by byte as it was written.
    pub text: String,
    /// Over this row and everything before it.
    pub digest: Digest,
}

/// Why a journal is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A row is missing, or one is there twice.
    #[error("row {expected} of the journal is missing")]
    Gap {
        /// The number that should have come.
        expected: u64,
    },
    /// A row is not what was written.
    #[error("row {seq} of the journal was changed after it was written")]
    Edited {
        /// Its number.
        seq: u64,
    },
    /// The rows end before, or after, what the operation remembers.
    #[error("the journal ends with row {found} where row {expected} was the last")]
    Cut {
        /// The last row that is there.
        found: u64,
        /// The last that was written.
        expected: u64,
    },
    /// A row cannot be read.
    #[error("row {seq} of the journal cannot be read: {why}")]
    Unreadable {
        /// Its number.
        seq: u64,
        /// Why.
        why: String,
    },
    /// A row has no meaning where it stands.
    #[error("row {seq} of the journal cannot be: {illegal}")]
    Illegal {
        /// Its number.
        seq: u64,
        /// What does not fit.
        illegal: Illegal,
    },
}

/// What a row's digest is made over.
pub fn digest_input(previous: &Digest, seq: u64, epoch: u64, at: Timestamp, text: &str) -> Vec<u8> {
    let mut input = Vec::with_capacity(previous.len() + 24 + text.len());
    input.extend_from_slice(previous);
    input.extend_from_slice(&seq.to_be_bytes());
    input.extend_from_slice(&epoch.to_be_bytes());
    input.extend_from_slice(&at.as_microsecond().to_be_bytes());
    input.extend_from_slice(text.as_bytes());
    input
}

/// Replays a journal that ends with `last` and `head`.
///
/// # Errors
/// [`Broken`], with the first row that does not fit.
pub fn replay(rows: &[Row], last: u64, head: &Digest, hash: impl Fn(&[u8]) -> Digest) -> Result<Standing, Broken> {
    let mut previous = Digest::default();
    let mut standing: Option<Standing> = None;
    for (row, expected) in rows.iter().zip(1..) {
        if row.seq != expected {
            return Err(Broken::Gap { expected });
        }
        if hash(&digest_input(&previous, row.seq, row.epoch, row.at, &row.text)) != row.digest {
            return Err(Broken::Edited { seq: row.seq });
        }
        previous = row.digest;
        let event: Event = serde_json::from_str(&row.text).map_err(|error| Broken::Unreadable { seq: row.seq, why: error.to_string() })?;
        let next = match standing {
            None => Standing::begin(&event),
            Some(standing) => standing.after(&event, row.at),
        };
        standing = Some(next.map_err(|illegal| Broken::Illegal { seq: row.seq, illegal })?);
    }
    let found = rows.last().map_or(0, |row| row.seq);
    if found != last || previous != *head {
        return Err(if found == last { Broken::Edited { seq: last } } else { Broken::Cut { found, expected: last } });
    }
    standing.ok_or(Broken::Cut { found: 0, expected: last })
}
