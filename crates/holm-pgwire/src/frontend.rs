//! What a client sends while it logs in, after the startup packet.

use crate::cursor::Cursor;
use crate::frame::Malformed;

/// The type byte of SASLInitialResponse, SASLResponse and PasswordMessage.
pub const RESPONSE: u8 = b'p';

/// SASLInitialResponse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslInitial<'a> {
    /// The mechanism chosen.
    pub mechanism: &'a [u8],
    /// The mechanism's first message, if it was sent along.
    pub data: Option<&'a [u8]>,
}

/// Reads the body of a SASLInitialResponse. A SASLResponse needs no reading: its body is the mechanism's message.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn parse_sasl_initial(body: &[u8]) -> Result<SaslInitial<'_>, Malformed> {
    let mut cursor = Cursor::new(body);
    let mechanism = cursor.text("the SASL mechanism")?;
    // Protocol, SASLInitialResponse: -1 means that there is no initial response. Any other negative length is nonsense.
    let data = match cursor.number("the SASL length")? {
        u32::MAX => None,
        length => Some(cursor.take(usize::try_from(length).unwrap_or(usize::MAX), "the SASL data")?),
    };
    cursor.end("SASLInitialResponse")?;
    Ok(SaslInitial { mechanism, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_that_lies_is_malformed() {
        assert!(parse_sasl_initial(b"SCRAM-SHA-256\0\0\0\0\x04abcd").is_ok());
        assert_eq!(parse_sasl_initial(b"S\0\xff\xff\xff\xff").unwrap().data, None);
        for bad in [&b"S\0\xff\xff\xff\xfeab"[..], b"S\0\0\0\0\x05abcd", b"S\0\0\0\0\x03abcd", b"S\0\0\0", b"S", b""] {
            assert!(parse_sasl_initial(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_malformed(body in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse_sasl_initial(&body);
        }
    }
}
