//! The packets before a session: TLS and GSS requests, cancel requests, StartupMessage and its version negotiation.
//!
//! Promises: what is negotiated is what PostgreSQL 18 would negotiate, grease (3.9999, `_pq_.*`) included. Refuses packets
//! whose layout leaves a choice: a parameter of ours given twice, bytes after the terminator.

use crate::cursor::Cursor;
use crate::frame::Malformed;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// The first byte of a TLS record that carries a handshake: a client that begins with TLS (PostgreSQL 17, direct SSL). As
/// the first byte of a length word it would mean 369 MB, so that it is never a startup packet.
pub const TLS_HANDSHAKE: u8 = 0x16;

/// The newest minor version we speak: 3.2 brought cancel keys of more than 4 bytes.
pub const NEWEST: Version = Version { major: 3, minor: 2 };

/// What a cancel key may have: 4 bytes until 3.2, up to 256 since.
pub const CANCEL_KEY_LENGTH: std::ops::RangeInclusive<usize> = 4..=256;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 3 since 2003.
    pub major: u16,
    /// 0 or 2; nobody speaks 1.
    pub minor: u16,
}

impl Version {
    const fn of(code: [u8; 4]) -> Self {
        let [a, b, c, d] = code;
        Self { major: u16::from_be_bytes([a, b]), minor: u16::from_be_bytes([c, d]) }
    }

    /// The version as the protocol writes it.
    pub const fn to_bytes(self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.major.to_be_bytes(), self.minor.to_be_bytes());
        [a, b, c, d]
    }

    /// Whether a client of this version expects a cancel key longer than 4 bytes.
    pub fn has_long_cancel_key(self) -> bool {
        self >= NEWEST
    }
}

/// A packet that opens a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening<'a> {
    /// SSLRequest: may I begin TLS?
    Tls,
    /// GSSENCRequest: may I begin GSSAPI encryption?
    Gss,
    /// CancelRequest: not a session at all.
    Cancel(CancelRequest<'a>),
    /// StartupMessage.
    Session(SessionRequest<'a>),
}

/// Which running statement to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelRequest<'a> {
    /// The process id as told in BackendKeyData.
    pub process: u32,
    /// The secret told with it.
    pub key: &'a [u8],
}

/// What a client says of itself before it has proven anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest<'a> {
    /// The version it would like.
    pub version: Version,
    /// Names and values in the order given, `_pq_.*` left out; bytes, since no encoding is agreed yet.
    pub parameters: Vec<(&'a [u8], &'a [u8])>,
    /// Names of protocol extensions asked for; we speak none.
    pub extensions: Vec<&'a [u8]>,
}

/// Parameters that decide who and where: a second value would be a choice, and choices are refused.
const ONCE: [&[u8]; 4] = [b"user", b"database", b"options", b"replication"];

impl<'a> SessionRequest<'a> {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&'a [u8]> {
        self.parameters.iter().find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| *value)
    }

    /// The version that is spoken from now on.
    pub fn spoken(&self) -> Version {
        self.version.min(NEWEST)
    }

    /// Whether the client must be told with NegotiateProtocolVersion that it does not get all it asked for.
    pub fn needs_negotiation(&self) -> bool {
        self.version > NEWEST || !self.extensions.is_empty()
    }
}

/// Reads the body of a startup packet, as [`crate::frame::scan_startup`] found it.
///
/// # Errors
/// [`Malformed`] with the field, or the major version that is not spoken.
pub fn parse(body: &[u8]) -> Result<Opening<'_>, Malformed> {
    let mut cursor = Cursor::new(body);
    let code = cursor.word("the startup code")?;
    match u32::from_be_bytes(code) {
        SSL_REQUEST => cursor.end("SSLRequest").map(|()| Opening::Tls),
        GSSENC_REQUEST => cursor.end("GSSENCRequest").map(|()| Opening::Gss),
        CANCEL_REQUEST => cancel(cursor).map(Opening::Cancel),
        _ => session(Version::of(code), cursor).map(Opening::Session),
    }
}

fn cancel(mut cursor: Cursor<'_>) -> Result<CancelRequest<'_>, Malformed> {
    let process = cursor.number("the process id")?;
    let key = cursor.rest();
    if CANCEL_KEY_LENGTH.contains(&key.len()) { Ok(CancelRequest { process, key }) } else { Err(Malformed::Field("the cancel key")) }
}

fn session(version: Version, mut cursor: Cursor<'_>) -> Result<SessionRequest<'_>, Malformed> {
    if version.major != NEWEST.major {
        return Err(Malformed::Version { major: version.major, minor: version.minor });
    }
    let mut request = SessionRequest { version, parameters: Vec::new(), extensions: Vec::new() };
    loop {
        let name = cursor.text("a parameter's name")?;
        if name.is_empty() {
            cursor.end("StartupMessage")?;
            return Ok(request);
        }
        let value = cursor.text("a parameter's value")?;
        if name.starts_with(b"_pq_.") {
            request.extensions.push(name);
        } else if ONCE.contains(&name) && request.parameters.iter().any(|(n, _)| *n == name) {
            return Err(Malformed::Field("a parameter given twice"));
        } else {
            request.parameters.push((name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(version: [u8; 4], rest: &[u8]) -> Vec<u8> {
        [&version[..], rest].concat()
    }

    #[test]
    fn the_three_requests_are_told_apart_and_none_carries_more() {
        assert_eq!(parse(&SSL_REQUEST.to_be_bytes()), Ok(Opening::Tls));
        assert_eq!(parse(&GSSENC_REQUEST.to_be_bytes()), Ok(Opening::Gss));
        assert_eq!(parse(&packet(SSL_REQUEST.to_be_bytes(), b"x")), Err(Malformed::Trailing("SSLRequest")));
        assert_eq!(
            parse(&packet(CANCEL_REQUEST.to_be_bytes(), b"\0\0\0\x07abcd")),
            Ok(Opening::Cancel(CancelRequest { process: 7, key: b"abcd" }))
        );
        for length in [0, 3, 257] {
            assert!(parse(&packet(CANCEL_REQUEST.to_be_bytes(), &vec![1; 4 + length])).is_err(), "{length}");
        }
        assert!(parse(&packet(CANCEL_REQUEST.to_be_bytes(), &[1; 4 + 256])).is_ok());
    }

    #[test]
    fn a_session_request_has_one_user_and_ends_where_it_ends() {
        let good = packet([0, 3, 0, 0], b"user\0anna\0database\0goteborg\0\0");
        let Ok(Opening::Session(request)) = parse(&good) else { panic!() };
        assert_eq!((request.parameter("user"), request.parameter("database")), (Some(&b"anna"[..]), Some(&b"goteborg"[..])));
        assert!(!request.needs_negotiation());
        for bad in [&b""[..], b"user", b"user\0", b"user\0anna", b"user\0anna\0", b"user\0anna\0\0x", b"user\0anna\0user\0bo\0\0"] {
            assert!(parse(&packet([0, 3, 0, 0], bad)).is_err(), "{bad:?}");
        }
        assert!(matches!(parse(&packet([0, 2, 0, 0], b"\0")), Err(Malformed::Version { major: 2, minor: 0 })));
    }

    #[test]
    fn versions_and_extensions_that_we_do_not_speak_are_negotiated_down_as_postgresql_18_does() {
        for (minor, extension, spoken, negotiates) in [
            (0, false, 0, false),
            (1, false, 1, false),
            (2, false, 2, false),
            (3, false, 2, true),
            (9999, true, 2, true),
            (0, true, 0, true),
        ] {
            let [c, d] = u16::to_be_bytes(minor);
            let options: &[u8] = if extension { b"_pq_.test_protocol_negotiation\0\0user\0a\0\0" } else { b"user\0a\0\0" };
            let bytes = packet([0, 3, c, d], options);
            let Ok(Opening::Session(request)) = parse(&bytes) else { panic!() };
            assert_eq!((request.spoken().minor, request.needs_negotiation()), (spoken, negotiates), "{minor} {extension}");
            assert_eq!(request.parameters.len(), 1);
        }
    }

    proptest! {
        #[test]
        fn any_body_is_a_packet_or_malformed(body in prop::collection::vec(any::<u8>(), 0..300), code in 0usize..5) {
            let codes = [[0, 3, 0, 0], [0, 3, 0, 2], SSL_REQUEST.to_be_bytes(), GSSENC_REQUEST.to_be_bytes(), CANCEL_REQUEST.to_be_bytes()];
            let _ = parse(&body);
            let _ = parse(&packet(codes[code], &body));
        }
    }
}
