//! Signatures of webhooks, after the Standard Webhooks convention.
//!
//! Promises: `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`, one for each secret, joined by
//! blanks; a secret is `whsec_` and the base64 of its bytes. Verifying takes the same time whatever is wrong.
//! Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::secret::Secret;

use crate::secret::random;

/// The name of the header with the message's id.
pub const ID_HEADER: &str = "webhook-id";
/// The name of the header with the seconds since 1970 at which it was sent.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The name of the header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const PREFIX: &str = "whsec_";

/// Older or newer than this by the receiver's clock is a repetition by somebody who listened: 5 minutes, as the convention's
/// own libraries have it.
const TOLERANCE_SECONDS: i64 = 300;

/// What messages are signed with.
#[derive(Clone, Debug)]
pub struct WebhookSecret(Secret<Vec<u8>>);

/// Text that is no secret; it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's secret is `whsec_` and base64 of 24 to 64 bytes")]
pub struct InvalidSecret;

/// Why a message is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unbelievable {
    /// A header is not there or cannot be read.
    #[error("a header of the signature is missing or cannot be read")]
    Headers,
    /// It was sent long ago, or will be.
    #[error("it was sent more than {TOLERANCE_SECONDS} s ago or ahead by this clock")]
    Time,
    /// No signature fits.
    #[error("no signature fits: another secret, or another body")]
    Signature,
}

/// The three headers of a message.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

impl WebhookSecret {
    pub(crate) fn generate() -> Self {
        Self(Secret::new(random::bytes::<32>().to_vec()))
    }

    pub(crate) const fn from_bytes(bytes: Secret<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.expose()
    }

    /// Reads one as it was shown.
    ///
    /// # Errors
    /// [`InvalidSecret`].
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let bytes = STANDARD.decode(text.trim().strip_prefix(PREFIX).ok_or(InvalidSecret)?).map_err(|_| InvalidSecret)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(Secret::new(bytes))) } else { Err(InvalidSecret) }
    }

    /// As it is shown, once.
    pub fn text(&self) -> Secret<String> {
        Secret::new(format!("{PREFIX}{}", STANDARD.encode(self.0.expose())))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.expose())
    }
}

/// The value of the header with the signatures.
pub fn sign(secrets: &[WebhookSecret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let content = content(id, &timestamp.to_string(), body);
    let each = secrets.iter().map(|secret| format!("v1,{}", STANDARD.encode(hmac::sign(&secret.key(), &content))));
    each.collect::<Vec<_>>().join(" ")
}

/// Whether a message was sent by who has the secret, about now (in seconds since 1970).
///
/// # Errors
/// [`Unbelievable`].
pub fn verify(secret: &WebhookSecret, headers: Headers<'_>, body: &[u8], now: i64) -> Result<(), Unbelievable> {
    let sent: i64 = headers.timestamp.parse().map_err(|_| Unbelievable::Headers)?;
    if headers.id.is_empty() {
        return Err(Unbelievable::Headers);
    }
    if sent.abs_diff(now) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(Unbelievable::Time);
    }
    let content = content(headers.id, headers.timestamp, body);
    let fits = |signature: &str| {
        let mac = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        mac.is_some_and(|mac| hmac::verify(&secret.key(), &content, &mac).is_ok())
    };
    if headers.signature.split(' ').any(fits) { Ok(()) } else { Err(Unbelievable::Signature) }
}

fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the convention's own test of its libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn verified(secret: &str, id: &str, signature: &str, body: &[u8], now: i64) -> Result<(), Unbelievable> {
        let timestamp = AT.to_string();
        verify(&WebhookSecret::parse(secret).unwrap(), Headers { id, timestamp: &timestamp, signature }, body, now)
    }

    #[test]
    fn a_signature_is_the_one_that_other_libraries_make() {
        assert_eq!(sign(&[WebhookSecret::parse(SECRET).unwrap()], ID, AT, BODY), SIGNATURE);
        assert_eq!(verified(SECRET, ID, SIGNATURE, BODY, AT + 300), Ok(()));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let other = WebhookSecret::generate();
        assert_eq!(verified(other.text().expose(), ID, SIGNATURE, BODY, AT), Err(Unbelievable::Signature));
        assert_eq!(verified(SECRET, "msg_other", SIGNATURE, BODY, AT), Err(Unbelievable::Signature));
        assert_eq!(verified(SECRET, ID, SIGNATURE, b"{}", AT), Err(Unbelievable::Signature));
        assert_eq!(verified(SECRET, ID, "v2,x v1,!!", BODY, AT), Err(Unbelievable::Signature));
        assert_eq!(verified(SECRET, ID, SIGNATURE, BODY, AT + 301), Err(Unbelievable::Time));
        assert_eq!(verified(SECRET, ID, SIGNATURE, BODY, AT - 301), Err(Unbelievable::Time));
        assert_eq!(verified(SECRET, "", SIGNATURE, BODY, AT), Err(Unbelievable::Headers));
    }

    #[test]
    fn during_a_rotation_either_secret_verifies() {
        let (new, old) = (WebhookSecret::generate(), WebhookSecret::parse(SECRET).unwrap());
        let both = sign(&[new.clone(), old], ID, AT, BODY);
        for secret in [SECRET, new.text().expose()] {
            assert_eq!(verified(secret, ID, &both, BODY, AT), Ok(()));
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        assert!(!format!("{secret:?}").contains("MfKQ"));
        for bad in ["", "whsec_", "whsec_!!", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(WebhookSecret::parse(bad).unwrap_err(), InvalidSecret);
        }
    }
}
