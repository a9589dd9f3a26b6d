//! AES-256-GCM as Holm stores it: a prefix in clear, a random nonce, the ciphertext and its tag.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use holm_core::secret::Secret;

/// Seals after a prefix. The nonce is random: 96 bits allow 2^32 values under one key (NIST SP 800-38D, 8.3).
pub(crate) fn seal(key: &[u8; 32], bound: &[u8], prefix: Vec<u8>, plain: &[u8]) -> Vec<u8> {
    // With room for the tag, so that growing leaves no copy of the plain text behind.
    let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    body.extend_from_slice(plain);
    let nonce = cipher(key).seal_in_place_append_tag(Aad::from(bound), &mut body).expect("what Holm seals is within AES-GCM's 64 GiB");
    let mut sealed = prefix;
    sealed.reserve_exact(NONCE_LEN + body.len());
    sealed.extend_from_slice(nonce.as_ref());
    sealed.append(&mut body);
    sealed
}

/// Opens what follows the prefix; nothing, if it was sealed with another key, for another place, or was changed.
pub(crate) fn open(key: &[u8; 32], bound: &[u8], sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut body = body.to_vec();
    let length = cipher(key).open_in_place(Nonce::from(nonce), Aad::from(bound), &mut body).ok()?.len();
    // Opened in place: what is over is the tag.
    body.truncate(length);
    Some(Secret::new(body))
}

fn cipher(key: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has the 32 bytes that AES-256 takes")
}
