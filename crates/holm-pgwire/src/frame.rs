//! Where a message begins and ends: one type byte, a length word that counts itself, a body.
//!
//! Promises: looks at the header only, in place. Refuses a length before a byte of the body has arrived, so that nobody
//! makes us wait for, or hold, more than the state allows.

/// The type byte and the length word.
pub const HEADER_LENGTH: usize = 5;

/// What a startup packet may have; `MAX_STARTUP_PACKET_LENGTH` in PostgreSQL's `pqcomm.h`.
pub const STARTUP_LENGTH_MAX: usize = 10_000;

/// What one message may have while the peer is not yet trusted; `PG_MAX_AUTH_TOKEN_LENGTH` in PostgreSQL's `auth.h`.
pub const LOGIN_LENGTH_MAX: usize = 65_535;

/// What any message may have: `PQ_LARGE_MESSAGE_LIMIT`, one byte below 1 GiB.
pub const MESSAGE_LENGTH_MAX: usize = 0x3fff_ffff;

/// Bytes that no more bytes can turn into a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length word that does not even cover itself.
    #[error("length word {length} is less than {least}")]
    TooShort {
        /// What it says.
        length: u32,
        /// What it must say at least.
        least: u32,
    },
    /// A length word over the limit of the state.
    #[error("length word {length} is more than {most}")]
    TooLong {
        /// What it says.
        length: u32,
        /// What it may say at most.
        most: usize,
    },
    /// A body that ends inside the named field, or a field that is not what the protocol says.
    #[error("{0} is malformed")]
    Field(&'static str),
    /// Bytes after the last field.
    #[error("{0} has bytes after its end")]
    Trailing(&'static str),
    /// A major protocol version that nobody has spoken since 2003, or not yet.
    #[error("protocol {major}.{minor} is not spoken here: 3.0 to 3.2 are")]
    Version {
        /// The major version asked for.
        major: u16,
        /// The minor version asked for.
        minor: u16,
    },
}

/// One whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its type byte.
    pub tag: u8,
    /// What follows the length word.
    pub body: &'a [u8],
    /// Header and body, as they go on unchanged.
    pub whole: &'a [u8],
}

/// Checks a length word and gives the length of the body it announces.
pub(crate) fn body_length(length: [u8; 4], most: usize) -> Result<usize, Malformed> {
    let length = u32::from_be_bytes(length);
    let Some(body) = length.checked_sub(4) else { return Err(Malformed::TooShort { length, least: 4 }) };
    match usize::try_from(body) {
        Ok(body) if body <= most => Ok(body),
        _ => Err(Malformed::TooLong { length, most }),
    }
}

/// The type of the first message in `bytes` and the length of its body, whether or not that has come: `None` until the
/// header has.
///
/// # Errors
/// If the length word is impossible, or the body would be longer than `body_max`.
pub fn header(bytes: &[u8], body_max: usize) -> Result<Option<(u8, usize)>, Malformed> {
    let Some((&[tag, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER_LENGTH>() else { return Ok(None) };
    Ok(Some((tag, body_length([a, b, c, d], body_max)?)))
}

/// Finds the first message in `bytes`: `None` until it is whole.
///
/// # Errors
/// As soon as the header has come, if its length word is impossible or its body would be longer than `body_max`.
pub fn scan(bytes: &[u8], body_max: usize) -> Result<Option<Frame<'_>>, Malformed> {
    let Some((&[tag, a, b, c, d], rest)) = bytes.split_first_chunk::<HEADER_LENGTH>() else { return Ok(None) };
    let length = body_length([a, b, c, d], body_max)?;
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let Some(whole) = bytes.get(..HEADER_LENGTH.saturating_add(length)) else { return Ok(None) };
    Ok(Some(Frame { tag, body, whole }))
}

/// Finds a startup packet, which has no type byte: gives its body (code and parameters) and its whole length.
///
/// # Errors
/// As soon as the length word has come, if it is under 8 or over [`STARTUP_LENGTH_MAX`].
pub fn scan_startup(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let body = body_length(*length, STARTUP_LENGTH_MAX - 4)?;
    if body < 4 {
        return Err(Malformed::TooShort { length: u32::from_be_bytes(*length), least: 8 });
    }
    Ok(rest.get(..body).map(|body| (body, body.len() + 4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_found_only_when_it_is_whole_and_the_next_one_stays() {
        let bytes = b"Q\0\0\0\x07ab\0Z";
        for end in 0..8 {
            assert_eq!(scan(&bytes[..end], 100), Ok(None), "{end}");
        }
        let frame = scan(bytes, 100).unwrap().unwrap();
        assert_eq!((frame.tag, frame.body, frame.whole), (b'Q', &b"ab\0"[..], &b"Q\0\0\0\x07ab\0"[..]));
    }

    #[test]
    fn an_impossible_length_is_refused_before_its_body_comes() {
        assert_eq!(scan(b"Q\0\0\0\x03", 100), Err(Malformed::TooShort { length: 3, least: 4 }));
        assert_eq!(scan(b"p\xff\xff\xff\xff", LOGIN_LENGTH_MAX), Err(Malformed::TooLong { length: u32::MAX, most: LOGIN_LENGTH_MAX }));
        assert_eq!(scan_startup(b"\0\0\0\x07"), Err(Malformed::TooShort { length: 7, least: 8 }));
        assert!(matches!(scan_startup(b"\x40\0\0\0"), Err(Malformed::TooLong { .. })));
        assert_eq!(scan_startup(b"\0\0\x27\x10"), Ok(None));
        assert!(matches!(scan_startup(b"\0\0\x27\x11"), Err(Malformed::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_too_few_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..200), most in 0usize..300) {
            if let Ok(Some(frame)) = scan(&bytes, most) {
                prop_assert!(bytes.starts_with(frame.whole) && frame.body.len() <= most);
                prop_assert_eq!(frame.whole.len(), frame.body.len() + HEADER_LENGTH);
            }
            if let Ok(Some((body, whole))) = scan_startup(&bytes) {
                prop_assert!(whole == body.len() + 4 && whole <= bytes.len());
            }
        }
    }
}
