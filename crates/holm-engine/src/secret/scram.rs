//! SCRAM-SHA-256 (RFC 5802, RFC 7677): from a password to what is stored of it.
//!
//! Promises PostgreSQL's own text form of a verifier, so that a password itself is never sent to a server that Holm sets
//! it on. Refuses SASLprep: passwords are printable ASCII, which it leaves alone.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::scram::{ITERATIONS, LoginKeys, Verifier};
use holm_core::secret::Secret;

use super::random;

/// PostgreSQL's `SCRAM_DEFAULT_SALT_LEN`.
pub(crate) const SALT_LENGTH: usize = 16;

/// [`ITERATIONS`] in PBKDF2's type.
const ROUNDS: NonZeroU32 = NonZeroU32::new(ITERATIONS).expect("4096 is not zero");

/// Computes what logs in with a password. About a millisecond of CPU: keep it off the reactor.
pub(crate) fn login_keys(password: &Secret<String>, salt: &[u8; SALT_LENGTH]) -> LoginKeys {
    keys(password, salt, ROUNDS)
}

fn keys(password: &Secret<String>, salt: &[u8], rounds: NonZeroU32) -> LoginKeys {
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.expose().as_bytes(), &mut salted);
    let salted = Secret::new(salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, salted.expose());
    LoginKeys { client_key: mac(&key, b"Client Key"), server_key: mac(&key, b"Server Key") }
}

/// What checks those who log in with the keys.
pub(crate) fn verifier(keys: &LoginKeys, salt: &[u8; SALT_LENGTH]) -> Verifier {
    let stored = digest::digest(&digest::SHA256, keys.client_key.expose());
    Verifier { salt: Box::new(*salt), iterations: ITERATIONS, stored_key: array(stored.as_ref()), server_key: keys.server_key.clone() }
}

/// What checks those who log in with a password, with the salt of another one that is good as well.
pub(crate) fn verifier_with(password: &Secret<String>, salt: &[u8], rounds: NonZeroU32) -> Verifier {
    let keys = keys(password, salt, rounds);
    let stored = digest::digest(&digest::SHA256, keys.client_key.expose());
    Verifier { salt: salt.into(), iterations: rounds.get(), stored_key: array(stored.as_ref()), server_key: keys.server_key }
}

/// What checks those who log in with a password; a new salt each time. About a millisecond of CPU.
pub(crate) fn new_verifier(password: &Secret<String>) -> Verifier {
    let salt = random::bytes();
    verifier(&login_keys(password, &salt), &salt)
}

fn mac(key: &hmac::Key, message: &[u8]) -> Secret<[u8; 32]> {
    array(hmac::sign(key, message).as_ref())
}

fn array(bytes: &[u8]) -> Secret<[u8; 32]> {
    Secret::new(bytes.try_into().expect("SHA-256 has 32 bytes"))
}

/// A verifier as `pg_authid.rolpassword` has it; only for the one statement that sets it, hence no `Debug`.
pub(crate) struct PostgresVerifier<'a>(pub(crate) &'a Verifier);

impl fmt::Display for PostgresVerifier<'_> {
    // Source: PostgreSQL, src/common/scram-common.c, scram_build_secret().
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verifier { salt, iterations, stored_key, server_key } = self.0;
        let [salt, stored, server] = [&**salt, stored_key.expose(), server_key.expose()].map(|bytes| STANDARD.encode(bytes));
        write!(f, "SCRAM-SHA-256${iterations}:{salt}${stored}:{server}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3: user `user`, password `pencil`, and the proof that the client sends there.
    #[test]
    fn the_keys_prove_what_the_rfc_says_they_prove() {
        let salt: [u8; SALT_LENGTH] = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let keys = login_keys(&Secret::new("pencil".to_owned()), &salt);
        let verifier = verifier(&keys, &salt);
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let sign = |key: &[u8; 32]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
        let signature = sign(verifier.stored_key.expose());
        let proof: Vec<u8> = keys.client_key.expose().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        assert_eq!(STANDARD.encode(proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(STANDARD.encode(sign(verifier.server_key.expose())), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn the_text_is_the_one_that_postgresql_stores() {
        let text = PostgresVerifier(&new_verifier(&Secret::new("pencil".to_owned()))).to_string();
        let (head, tail) = text.split_once(':').unwrap();
        assert!(head.starts_with("SCRAM-SHA-256$4096"));
        let (salt, keys) = tail.split_once('$').unwrap();
        let (stored, server) = keys.split_once(':').unwrap();
        let lengths = [salt, stored, server].map(|part| STANDARD.decode(part).unwrap().len());
        assert_eq!(lengths, [16, 32, 32]);
    }
}
