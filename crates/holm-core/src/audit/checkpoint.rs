//! Checkpoints: what the chain's end was at some time, one signed line each, in a file outside of the catalog.
//!
//! Promises: a line says exactly what its signature covers, and one that was touched is told from one that was not. The
//! signing itself needs a key, and is the engine's.

use std::fmt::Write as _;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Hash;
use crate::approval::ContentHash;

/// What a line says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the last entry.
    pub seq: i64,
    /// Its hash.
    pub hash: ContentHash,
    /// When this was noted, by the clock of whoever did.
    pub at: Timestamp,
}

/// A line of the file: a checkpoint and its signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The format of the line and of what is signed.
    pub version: u16,
    /// See [`Checkpoint`].
    pub seq: i64,
    /// See [`Checkpoint`].
    pub hash: ContentHash,
    /// See [`Checkpoint`].
    pub at: Timestamp,
    /// HMAC-SHA256 of [`Checkpoint::signed`].
    pub mac: ContentHash,
}

/// The only format so far.
pub const VERSION: u16 = 1;

impl Checkpoint {
    /// The bytes that are signed.
    pub fn signed(&self) -> Vec<u8> {
        let mut text = String::new();
        let _ = write!(text, "holm audit checkpoint {VERSION}\n{}\n{}\n{}\n", self.seq, self.hash, self.at);
        text.into_bytes()
    }

    /// The bytes of its hash.
    pub const fn chain_hash(&self) -> &Hash {
        self.hash.as_bytes()
    }

    /// The line with its signature, and the end of the line.
    pub fn line(&self, mac: [u8; 32]) -> String {
        let line = Line { version: VERSION, seq: self.seq, hash: self.hash, at: self.at, mac: ContentHash::from_bytes(mac) };
        format!("{}\n", serde_json::to_string(&line).expect("a struct of numbers and texts is JSON"))
    }
}

/// A line that no Holm wrote, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a line of the checkpoints")]
pub struct InvalidLine;

impl FromStr for Line {
    type Err = InvalidLine;

    fn from_str(text: &str) -> Result<Self, InvalidLine> {
        serde_json::from_str(text).ok().filter(|line: &Self| line.version == VERSION && line.seq >= 0).ok_or(InvalidLine)
    }
}

impl Line {
    /// What it says, if its signature is right.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { seq: self.seq, hash: self.hash, at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_and_a_cut_off_one_does_not() {
        let checkpoint = Checkpoint { seq: 7, hash: ContentHash::of(b"x"), at: Timestamp::UNIX_EPOCH };
        let text = checkpoint.line([9; 32]);
        let line: Line = text.trim_end().parse().unwrap();
        assert_eq!((line.checkpoint(), line.mac), (checkpoint, ContentHash::from_bytes([9; 32])));
        for end in [0, 1, text.len() / 2, text.len() - 2] {
            assert_eq!(text[..end].parse::<Line>(), Err(InvalidLine));
        }
        assert_eq!(text.replace("\"version\":1", "\"version\":2").parse::<Line>(), Err(InvalidLine));
        assert_eq!(text.replace("\"version\":1", "\"more\":1,\"version\":1").parse::<Line>(), Err(InvalidLine));
    }
}
