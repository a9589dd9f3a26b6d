//! Route tables as bytes: as they come, and with the digest put right, so that the reader behind it is reached.

#![no_main]

use aws_lc_rs::digest::{SHA256, digest};
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unused_imports, reason = "only what reads and writes is tried")]
#[path = "../../crates/holm-link/src/wire/mod.rs"]
mod wire;

fuzz_target!(|bytes: &[u8]| {
    // An input with the right digest is a corpus file at the most: nobody guesses one.
    if let Ok(table) = wire::decode(bytes) {
        assert_eq!(wire::encode(&table).expose(), bytes, "what is read is what was written");
    }
    let mut written = bytes.to_vec();
    written.extend_from_slice(digest(&SHA256, bytes).as_ref());
    if let Ok(table) = wire::decode(&written) {
        assert_eq!(*wire::encode(&table).expose(), written, "one table has one form");
    }
});
