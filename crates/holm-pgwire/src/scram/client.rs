//! The client's side: we prove ourselves to a server with stored keys, and it proves itself to us.
//!
//! Promises: no PBKDF2; the server's signature is checked before its word counts. Refuses a server that shortens our nonce
//! or asks for more than the limits, since a server is a stranger too (CVE-2026-6665).

use std::num::NonZeroU32;

use super::end_point::EndPoint;
use super::keys::{Key, LoginKeys, equal, hmac, sha256, xor};
use super::syntax::{Attributes, checked_nonce, decode, decode_key, encode, text};
use super::{ITERATIONS_MAX, SALT_LENGTH_MAX, ScramError, TLS_SERVER_END_POINT};

/// An exchange that awaits server-first-message.
pub struct Opening {
    nonce: String,
    bare: String,
    /// The GS2 header and what the channel is bound to.
    channel: Vec<u8>,
}

/// What a server wants keys to be derived with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation {
    /// Mixed with the password.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: NonZeroU32,
}

/// An exchange that awaits server-final-message.
pub struct Awaiting {
    signature: Key,
}

impl Opening {
    /// Begins with a nonce of [`super::nonce`] and no channel binding; gives client-first-message too.
    pub fn new(nonce: String) -> (Self, String) {
        // PostgreSQL takes the user name from the startup packet; libpq leaves it empty here.
        Self::with_name(nonce, "")
    }

    /// As [`new`](Self::new), bound to the certificate that the server showed: for [`super::MECHANISM_PLUS`].
    pub fn bound(nonce: String, end_point: &EndPoint) -> (Self, String) {
        Self::with(nonce, "", &format!("p={TLS_SERVER_END_POINT},,"), end_point.as_bytes())
    }

    /// As [`new`](Self::new), of a client that could bind and was offered nothing to bind to: a server that did offer it sees
    /// that somebody took it away.
    pub fn unoffered(nonce: String) -> (Self, String) {
        Self::with(nonce, "", "y,,", &[])
    }

    pub(super) fn with_name(nonce: String, name: &str) -> (Self, String) {
        Self::with(nonce, name, "n,,", &[])
    }

    fn with(nonce: String, name: &str, gs2_header: &str, end_point: &[u8]) -> (Self, String) {
        let bare = format!("n={name},r={nonce}");
        let client_first = format!("{gs2_header}{bare}");
        let channel = [gs2_header.as_bytes(), end_point].concat();
        (Self { nonce, bare, channel }, client_first)
    }

    /// Reads server-first-message; gives client-final-message.
    ///
    /// # Errors
    /// [`ScramError`] if the server does not continue our nonce or breaks a limit.
    pub fn respond(self, server_first: &[u8], keys: &LoginKeys) -> Result<(Awaiting, String), ScramError> {
        // The keys were derived with one salt and count; with another the server's proof will fail.
        let (nonce, _) = self.read(server_first)?;
        let server_first = text(server_first)?;
        let unproven = format!("c={},r={nonce}", encode(&self.channel));
        let said = [self.bare.as_bytes(), b",", server_first.as_bytes(), b",", unproven.as_bytes()];
        let proof = xor(keys.client_key, &hmac(&sha256(&keys.client_key), &said));
        let signature = hmac(&keys.server_key, &said);
        Ok((Awaiting { signature }, format!("{unproven},p={}", encode(&proof))))
    }
}

impl Opening {
    /// Reads server-first-message for what keys are derived with, where only the password is known.
    ///
    /// # Errors
    /// As with [`respond`](Self::respond).
    pub fn derivation(&self, server_first: &[u8]) -> Result<Derivation, ScramError> {
        self.read(server_first).map(|(_, derivation)| derivation)
    }

    fn read<'a>(&self, server_first: &'a [u8]) -> Result<(&'a str, Derivation), ScramError> {
        let mut attributes = Attributes::new(text(server_first)?);
        let nonce = checked_nonce(attributes.value('r', "the nonce")?)?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(ScramError::Nonce);
        }
        let salt = decode(attributes.value('s', "the salt")?, "the salt")?;
        if salt.is_empty() || salt.len() > SALT_LENGTH_MAX {
            return Err(ScramError::Bounds("salt"));
        }
        let iterations: u32 = attributes.value('i', "the iteration count")?.parse().map_err(|_| ScramError::Bounds("iteration count"))?;
        let iterations = NonZeroU32::new(iterations).filter(|count| count.get() <= ITERATIONS_MAX);
        let iterations = iterations.ok_or(ScramError::Bounds("iteration count"))?;
        attributes.ignore_extensions()?;
        Ok((nonce, Derivation { salt, iterations }))
    }
}

impl Awaiting {
    /// Reads server-final-message.
    ///
    /// # Errors
    /// [`ScramError::Proof`] if the server does not know the keys; it may be another server than we think.
    pub fn verify(self, server_final: &[u8]) -> Result<(), ScramError> {
        let mut attributes = Attributes::new(text(server_final)?);
        let signature = decode_key(attributes.value('v', "the server's signature")?, "the server's signature")?;
        attributes.ignore_extensions()?;
        if equal(&signature, &self.signature) { Ok(()) } else { Err(ScramError::Proof) }
    }
}
