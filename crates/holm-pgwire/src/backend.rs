//! What a server sends until its first ReadyForQuery.
//!
//! A server is a stranger too, since a tenant may own it: nothing here trusts a length or expects a field.

use crate::cursor::Cursor;
use crate::frame::{Frame, Malformed};
use crate::startup::CANCEL_KEY_LENGTH;

/// A message of a server during login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend<'a> {
    /// How to log in, or that it is done.
    Authentication(Authentication<'a>),
    /// A setting that the client should know.
    ParameterStatus {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// What a CancelRequest must carry.
    BackendKeyData {
        /// The process id.
        process: u32,
        /// The secret.
        key: &'a [u8],
    },
    /// The login is over; the transaction status.
    ReadyForQuery(u8),
    /// The body of an ErrorResponse, for [`crate::fields::parse`].
    ErrorResponse(&'a [u8]),
    /// The body of a NoticeResponse.
    NoticeResponse(&'a [u8]),
    /// A message that has no place in a login.
    Unexpected(u8),
}

/// An authentication request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Logged in.
    Ok,
    /// Mechanisms to choose from.
    Sasl(Vec<&'a [u8]>),
    /// The mechanism's next message.
    SaslContinue(&'a [u8]),
    /// The mechanism's last message.
    SaslFinal(&'a [u8]),
    /// Anything else: cleartext, MD5, Kerberos, SSPI. Holm answers none of them.
    Other(u32),
}

/// Reads one message.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn parse<'a>(frame: &Frame<'a>) -> Result<Backend<'a>, Malformed> {
    let mut cursor = Cursor::new(frame.body);
    match frame.tag {
        b'R' => authentication(cursor).map(Backend::Authentication),
        b'S' => {
            let (name, value) = (cursor.text("a parameter's name")?, cursor.text("a parameter's value")?);
            cursor.end("ParameterStatus").map(|()| Backend::ParameterStatus { name, value })
        }
        b'K' => {
            let (process, key) = (cursor.number("the process id")?, cursor.rest());
            let fits = CANCEL_KEY_LENGTH.contains(&key.len());
            if fits { Ok(Backend::BackendKeyData { process, key }) } else { Err(Malformed::Field("the cancel key")) }
        }
        b'Z' => {
            let status = cursor.byte("the transaction status")?;
            cursor.end("ReadyForQuery").map(|()| Backend::ReadyForQuery(status))
        }
        b'E' => Ok(Backend::ErrorResponse(frame.body)),
        b'N' => Ok(Backend::NoticeResponse(frame.body)),
        other => Ok(Backend::Unexpected(other)),
    }
}

fn authentication(mut cursor: Cursor<'_>) -> Result<Authentication<'_>, Malformed> {
    match cursor.number("the authentication type")? {
        0 => cursor.end("AuthenticationOk").map(|()| Authentication::Ok),
        10 => {
            let mut mechanisms = Vec::new();
            loop {
                let mechanism = cursor.text("the SASL mechanisms")?;
                if mechanism.is_empty() {
                    return cursor.end("AuthenticationSASL").map(|()| Authentication::Sasl(mechanisms));
                }
                mechanisms.push(mechanism);
            }
        }
        11 => Ok(Authentication::SaslContinue(cursor.rest())),
        12 => Ok(Authentication::SaslFinal(cursor.rest())),
        other => Ok(Authentication::Other(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_body_of_any_type_is_read_or_malformed(
            tag in prop::sample::select(b"RSKZENX".to_vec()),
            kind in 0u8..13,
            body in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = parse(&Frame { tag, body: &body, whole: &[] });
            let body = [&[0, 0, 0, kind][..], &body].concat();
            let _ = parse(&Frame { tag, body: &body, whole: &[] });
        }
    }
}
