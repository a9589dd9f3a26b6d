//! What a node and a control plane say to each other, as it comes out of its seal.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "only what reads and writes is tried")]
#[path = "../../crates/holm-link/src/message.rs"]
mod message;
#[allow(dead_code, reason = "only what reads and writes is tried")]
#[path = "../../crates/holm-link/src/wire/mod.rs"]
mod wire;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(hello) = message::Hello::decode(bytes) {
        assert_eq!(hello.encode(), bytes, "what is read is what was written");
    }
    // The nonce is the answer's own: the one that nobody guesses.
    let nonce = message::Nonce(bytes.get(8..24).and_then(|nonce| nonce.try_into().ok()).unwrap_or_default());
    if let Ok(answer) = message::Answer::decode(nonce, bytes) {
        assert_eq!(answer.encode(nonce).expose(), bytes, "what is read is what was written");
    }
});
