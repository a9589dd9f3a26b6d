//! Entropy: random bytes, passwords and ids. The rest of Holm takes them as arguments.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::secret::Secret;

/// 32 bytes in base64url without padding.
pub(crate) const PASSWORD_LENGTH: usize = 43;

/// Bytes that nobody can guess.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("AWS-LC stops the process rather than hand out bytes without entropy");
    bytes
}

/// A password of 256 bits in printable ASCII, on which SASLprep has nothing to change.
pub(crate) fn password() -> Secret<String> {
    let raw = Secret::new(bytes::<32>());
    Secret::new(URL_SAFE_NO_PAD.encode(raw.expose()))
}
