//! A route table as bytes, for the wire and for disks: the whole of it, or what is new in it ([`Changes`]), and back.
//!
//! Promises: what is read back decides every login as the table that was written; the same table gives the same bytes. An
//! input that was cut or changed anywhere is refused, never read as another table. No copy of a key is left unwiped in memory
//! that was outgrown. Refuses other versions by number: whoever reads a newer one must be newer. The bytes carry keys that are
//! as good as passwords, and the digest keeps out accidents, not forgers: both are [`bundle`](super::bundle)'s business.
//!
//! A codec of its own, rather than one derived by serde: a `Secret` cannot be serialised, on purpose; derived formats leave
//! half-written copies of keys behind when their buffer grows; and the layout is a promise between versions of Holm, which
//! must not change because a field was renamed. Layout, all numbers big-endian, `text` and `bytes` with their length as u32
//! before them, lists with their count as u32 before them:
//!
//! | part | fields |
//! |---|---|
//! | head | magic (8), layout version u16, route version u64 |
//! | environments, by name | name, kind u8, domain, header key (32) |
//! | clusters, by id | id (16), name, environment, host, port u16, TLS (`0` none, `1` any name and the roots, `2` its name and the system's roots, `3` its name and the roots; `4` to `6` as `1` to `3`, and behind it the certificate that is shown and its key), connections u32 |
//! | credentials, by name | name, id (16), environment, scope (`0`, or `1` and the tenant (16)), level u8, salt, rounds u32, stored key (32), server key (32), the retiring keys (`0`, or `1` and two keys) |
//! | routes, by tenant | tenant (16), slug, environment, state u8, epoch u64, cluster (16), database, logins, next logins (`0`, or `1` and logins), parameters (name, value), limits (minimum u32, maximum (`0`, or `1` and u32), weight u32), aliases, placement (`0` not judged, `1` blocked, or `2` and a certificate) |
//! | certificate | tenant (16), cluster (16), server (`0`, or `1` and its identifier i64), judged by (`0`, or `1` and two hashes (32)), allows u8, issued and expires in seconds i64, signer (8), signature (64) |
//! | authority | `0`, or `1` and key (32), the time there in microseconds i64 |
//! | logins | `1` and three of role, client key (32), server key (32); or `2` and one |
//! | end | SHA-256 of all before (32) |

mod changes;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use changes::Changes;

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::route::RouteTable;
use holm_core::secret::Secret;

/// The layout that is written, and the only one that is read.
pub const VERSION: u16 = 3;

/// Added to how a cluster is spoken to where it is shown a certificate. Whoever does not know that refuses the table and goes on with
/// what it has: an older node serves as long as nobody gives a cluster one.
const SHOWN: u8 = 3;

const MAGIC: [u8; 8] = *b"holmrtbl";

/// Of SHA-256.
const DIGEST_LENGTH: usize = 32;

/// Why bytes are not taken for a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// They are something else, or too short to tell.
    #[error("read something as a route table that is none")]
    NotATable,
    /// They are of another version of Holm.
    #[error("read a route table of layout {found}, when this Holm reads layout {VERSION}")]
    OtherVersion {
        /// The layout they say they have.
        found: u16,
    },
    /// They were cut or changed.
    #[error("read a route table that was cut or changed")]
    Damaged,
    /// They are as they were written, and nobody should have written them.
    #[error("read {what} in a route table")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
}

/// Writes a table. A route that its own name does not lead to, which admits nobody, is left out; so is a name that was given
/// up and leads elsewhere.
pub fn encode(table: &RouteTable) -> Secret<Vec<u8>> {
    encode_after(&[], table)
}

/// As [`encode`], behind a prefix that is not the table's.
pub fn encode_after(prefix: &[u8], table: &RouteTable) -> Secret<Vec<u8>> {
    let parts = write::Parts::of(table);
    let mut length = write::Length(0);
    parts.write(&mut length);
    // The exact room beforehand: a vector that grows leaves keys behind in memory that nobody wipes.
    let room = prefix.len() + length.0 + DIGEST_LENGTH;
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(prefix);
    parts.write(&mut bytes);
    let sum = digest(&SHA256, &bytes[prefix.len()..]);
    bytes.extend_from_slice(sum.as_ref());
    assert_eq!(bytes.len(), room, "a table is as long as it was measured to be");
    Secret::new(bytes)
}

/// Reads a table.
///
/// # Errors
/// [`Refused`], whatever the bytes are.
pub fn decode(bytes: &[u8]) -> Result<RouteTable, Refused> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(Refused::NotATable)?;
    let version = rest.first_chunk().ok_or(Refused::NotATable)?;
    let found = u16::from_be_bytes(*version);
    // Before the digest, which another layout may have elsewhere.
    if found != VERSION {
        return Err(Refused::OtherVersion { found });
    }
    let (content, said) = bytes.split_last_chunk::<DIGEST_LENGTH>().ok_or(Refused::Damaged)?;
    if digest(&SHA256, content).as_ref() != said {
        return Err(Refused::Damaged);
    }
    // The digest may begin before the version ends, in an input of a few bytes.
    let content = content.get(MAGIC.len() + version.len()..).ok_or(Refused::Damaged)?;
    read::table(content)
}
