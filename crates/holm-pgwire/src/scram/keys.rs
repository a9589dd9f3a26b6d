//! The keys of RFC 5802, section 3, and what is stored of them.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A key or a signature: SHA-256 gives 32 bytes.
pub type Key = [u8; 32];

/// What a server stores of a password.
#[derive(Clone)]
pub struct Verifier {
    /// Given to the client.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// `H(ClientKey)`.
    pub stored_key: Key,
    /// Proves the server.
    pub server_key: Key,
    /// The keys of a second password that is good as well, with the same salt and rounds: one that is being replaced.
    pub second: Option<(Key, Key)>,
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
        if let Some((stored_key, server_key)) = &mut self.second {
            stored_key.zeroize();
            server_key.zeroize();
        }
    }
}

/// What logs in without the password: as good as the password.
#[derive(Clone)]
pub struct LoginKeys {
    /// Proves the client.
    pub client_key: Key,
    /// Proves the server.
    pub server_key: Key,
}

impl Drop for LoginKeys {
    fn drop(&mut self) {
        self.client_key.zeroize();
        self.server_key.zeroize();
    }
}

impl LoginKeys {
    /// Computes the keys of a password; milliseconds by design, so never on the way of a session. The password must be
    /// SASLprepped already, which changes nothing in ASCII.
    pub fn derive(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Self {
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password, &mut salted);
        let keys = Self { client_key: hmac(&salted, &[b"Client Key"]), server_key: hmac(&salted, &[b"Server Key"]) };
        salted.zeroize();
        keys
    }

    /// What the server of these keys stores.
    pub fn verifier(&self, salt: &[u8], iterations: NonZeroU32) -> Verifier {
        let (stored_key, server_key) = (sha256(&self.client_key), self.server_key);
        Verifier { salt: salt.to_vec(), iterations: iterations.get(), stored_key, server_key, second: None }
    }
}

/// A verifier for a user that does not exist: always the same for a name, so that asking twice tells nothing, and nobody
/// knows a password for it.
pub fn mock_verifier(secret: &Key, name: &[u8], iterations: u32) -> Verifier {
    let salt = hmac(secret, &[b"salt", name]);
    Verifier {
        salt: salt[..16].to_vec(),
        iterations,
        stored_key: hmac(secret, &[b"stored", name]),
        server_key: hmac(secret, &[b"server", name]),
        second: None,
    }
}

/// HMAC-SHA-256 over the parts, one after the other.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    parts.iter().for_each(|part| context.update(part));
    array(context.sign().as_ref())
}

pub(super) fn sha256(bytes: &[u8]) -> Key {
    array(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn array(bytes: &[u8]) -> Key {
    bytes.try_into().expect("SHA-256 gives 32 bytes")
}

pub(super) fn xor(mut a: Key, b: &Key) -> Key {
    a.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
    a
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
