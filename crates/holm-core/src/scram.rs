//! What SCRAM-SHA-256 (RFC 5802, RFC 7677) leaves to be stored: a verifier for those who log in to us, keys for where we log in.
//!
//! Promises the text form of PostgreSQL's `pg_authid.rolpassword`. Refuses to compute anything: hashing is the caller's.

use crate::secret::Secret;

/// PostgreSQL's own default, and `scram_iterations` before version 16: more would only slow the clients down.
pub const ITERATIONS: u32 = 4096;

/// What is stored of a password that is presented to us; useless for logging in anywhere.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// Given to the client, who mixes it with the password.
    pub salt: Box<[u8]>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// `H(ClientKey)`: proves the client right.
    pub stored_key: Secret<[u8; 32]>,
    /// Proves us to the client.
    pub server_key: Secret<[u8; 32]>,
}

/// The keys of a second password for the same salt and rounds, while one is being replaced by another.
#[derive(Clone, Debug)]
pub struct SecondKeys {
    /// As in [`Verifier`].
    pub stored_key: Secret<[u8; 32]>,
    /// As in [`Verifier`].
    pub server_key: Secret<[u8; 32]>,
}

/// What logs in to a PostgreSQL server without the password; as good as the password, so handled like one.
#[derive(Clone, Debug)]
pub struct LoginKeys {
    /// Proves us to the server.
    pub client_key: Secret<[u8; 32]>,
    /// Proves the server to us.
    pub server_key: Secret<[u8; 32]>,
}
