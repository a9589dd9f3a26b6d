//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) as PostgreSQL speaks them: the user name is the startup packet's,
//! the channel binding is the server's certificate.
//!
//! Promises: secrets are compared in constant time and wiped; an unknown user costs what a known one costs. Refuses to
//! hash a password during a login, on either side: what is stored are keys.

pub mod choice;
pub mod client;
pub mod end_point;
pub mod keys;
pub mod server;
mod syntax;

/// The mechanism's name.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// The name of the mechanism with channel binding.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// The one channel binding that PostgreSQL knows, as the GS2 header names it.
const TLS_SERVER_END_POINT: &str = "tls-server-end-point";

/// 18 random bytes in base64, as PostgreSQL makes them (`SCRAM_RAW_NONCE_LEN`).
pub const NONCE_LENGTH: usize = 18;

/// What a nonce of a stranger may have: PostgreSQL's have 24 and 48 bytes.
pub const NONCE_LENGTH_MAX: usize = 256;

/// What a salt of a stranger may have; PostgreSQL's have 16 bytes.
pub const SALT_LENGTH_MAX: usize = 256;

/// What an iteration count of a stranger may be; PostgreSQL's default is 4,096.
pub const ITERATIONS_MAX: u32 = 10_000_000;

/// Why an exchange ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message that RFC 5802 does not know.
    #[error("the SCRAM message is malformed: {0}")]
    Malformed(&'static str),
    /// A channel binding where none was offered, another one than at first, or none where it was chosen.
    #[error("the client's channel binding is not what was offered")]
    ChannelBinding,
    /// The client can bind and believes that the server cannot, which was not what the server said.
    #[error("channel binding was offered, and the client was told that it was not")]
    Downgrade,
    /// The client is bound to another certificate than the server's.
    #[error("the channel binding is that of another connection")]
    OtherChannel,
    /// A nonce that does not continue ours.
    #[error("the nonce is not the one of this exchange")]
    Nonce,
    /// The peer does not know the secret.
    #[error("the proof is wrong")]
    Proof,
    /// A limit of ours.
    #[error("the {0} is out of bounds")]
    Bounds(&'static str),
}

/// A nonce from random bytes, printable as RFC 5802 wants it.
pub fn nonce(random: [u8; NONCE_LENGTH]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(random)
}

#[cfg(test)]
mod tests;
