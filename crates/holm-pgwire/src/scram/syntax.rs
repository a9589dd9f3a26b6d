//! The messages of RFC 5802, section 7: attributes `x=value` joined by commas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys::Key;
use super::{NONCE_LENGTH_MAX, ScramError};

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, ScramError> {
    STANDARD.decode(text).map_err(|_| ScramError::Malformed(what))
}

pub(super) fn decode_key(text: &str, what: &'static str) -> Result<Key, ScramError> {
    decode(text, what)?.try_into().map_err(|_| ScramError::Malformed(what))
}

pub(super) fn text(message: &[u8]) -> Result<&str, ScramError> {
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed("not UTF-8"))
}

/// Reads attributes one after the other.
pub(super) struct Attributes<'a>(Option<&'a str>);

impl<'a> Attributes<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self(Some(text))
    }

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0?;
        let (attribute, rest) = match text.split_once(',') {
            Some((attribute, rest)) => (attribute, Some(rest)),
            None => (text, None),
        };
        self.0 = rest;
        Some(attribute)
    }

    /// The value of the next attribute, which must be `name`.
    pub(super) fn value(&mut self, name: char, what: &'static str) -> Result<&'a str, ScramError> {
        let attribute = self.next().ok_or(ScramError::Malformed(what))?;
        attribute.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).ok_or(ScramError::Malformed(what))
    }

    /// The rest must be optional extensions, which RFC 5802 says to ignore: `letter=value`.
    pub(super) fn ignore_extensions(&mut self) -> Result<(), ScramError> {
        while let Some(attribute) = self.next() {
            let mut chars = attribute.chars();
            let named = chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some('=');
            if !named {
                return Err(ScramError::Malformed("an extension"));
            }
        }
        Ok(())
    }
}

/// `r=`: printable ASCII without a comma, bounded.
pub(super) fn checked_nonce(nonce: &str) -> Result<&str, ScramError> {
    if nonce.is_empty() || nonce.len() > NONCE_LENGTH_MAX {
        return Err(ScramError::Bounds("nonce"));
    }
    if nonce.bytes().all(|byte| matches!(byte, 0x21..=0x2b | 0x2d..=0x7e)) { Ok(nonce) } else { Err(ScramError::Malformed("the nonce")) }
}
