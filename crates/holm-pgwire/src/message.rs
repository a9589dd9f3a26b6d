//! Builds the messages that we send, to clients and to servers, at the end of a buffer.
//!
//! Promises: lengths are counted, never given; a text that holds a zero byte is cut there, since it could otherwise end a
//! field early and begin another.

use crate::column::{Column, Format};
use crate::startup::Version;

/// SSLRequest, whole: `NEGOTIATE_SSL_CODE` in PostgreSQL's `pqcomm.h` behind its length.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The answer to SSLRequest that begins TLS.
pub const TLS_YES: u8 = b'S';
/// The answer to SSLRequest and GSSENCRequest that declines.
pub const TLS_NO: u8 = b'N';
/// Terminate: the peer that sends it goes.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

const CANCEL_REQUEST: u32 = 80_877_102;

/// What an ErrorResponse tells. Texts are sentences without a final stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorReport<'a> {
    /// `FATAL` when the connection ends with it.
    pub severity: &'a str,
    /// The SQLSTATE.
    pub code: &'a str,
    /// What happened.
    pub message: &'a str,
    /// Why.
    pub detail: Option<&'a str>,
    /// What to do.
    pub hint: Option<&'a str>,
}

fn framed(out: &mut Vec<u8>, tag: Option<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend(tag);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - start).expect("what we build is bounded by what we read, far below 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn text(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    out.extend(text.as_ref().iter().take_while(|&&byte| byte != 0));
    out.push(0);
}

fn authentication(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    framed(out, Some(b'R'), |out| {
        out.extend_from_slice(&kind.to_be_bytes());
        body(out);
    });
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut Vec<u8>) {
    authentication(out, 0, |_| {});
}

/// AuthenticationSASL with the mechanisms offered.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    authentication(out, 10, |out| {
        mechanisms.iter().for_each(|mechanism| text(out, mechanism));
        out.push(0);
    });
}

/// AuthenticationSASLContinue.
pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 11, |out| out.extend_from_slice(data));
}

/// AuthenticationSASLFinal.
pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 12, |out| out.extend_from_slice(data));
}

/// ParameterStatus.
pub fn parameter_status(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    framed(out, Some(b'S'), |out| {
        text(out, name);
        text(out, value);
    });
}

/// BackendKeyData: 4 bytes of key before protocol 3.2, up to 256 since.
pub fn backend_key_data(out: &mut Vec<u8>, process: u32, key: &[u8]) {
    framed(out, Some(b'K'), |out| {
        out.extend_from_slice(&process.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// ReadyForQuery, outside a transaction.
pub fn ready_for_query(out: &mut Vec<u8>) {
    framed(out, Some(b'Z'), |out| out.push(b'I'));
}

/// NegotiateProtocolVersion: what is spoken, and which extensions are not.
pub fn negotiate_protocol_version(out: &mut Vec<u8>, spoken: Version, extensions: &[&[u8]]) {
    framed(out, Some(b'v'), |out| {
        // The whole version and not the minor one alone: `SendNegotiateProtocolVersion` writes it so, and libpq reads it so.
        out.extend_from_slice(&spoken.to_bytes());
        let count = u32::try_from(extensions.len()).expect("a startup packet of 10,000 bytes holds fewer");
        out.extend_from_slice(&count.to_be_bytes());
        extensions.iter().for_each(|name| text(out, name));
    });
}

/// ErrorResponse.
pub fn error_response(out: &mut Vec<u8>, report: &ErrorReport<'_>) {
    framed(out, Some(b'E'), |out| {
        let mut field = |kind: u8, value: &str| {
            out.push(kind);
            text(out, value);
        };
        field(b'S', report.severity);
        field(b'V', report.severity);
        field(b'C', report.code);
        field(b'M', report.message);
        report.detail.into_iter().for_each(|detail| field(b'D', detail));
        report.hint.into_iter().for_each(|hint| field(b'H', hint));
        out.push(0);
    });
}

/// NoticeResponse.
pub fn notice_response(out: &mut Vec<u8>, message: &str, detail: Option<&str>, hint: Option<&str>) {
    framed(out, Some(b'N'), |out| {
        // successful_completion: a notice that is no warning.
        for (kind, value) in [(b'S', "NOTICE"), (b'V', "NOTICE"), (b'C', "00000"), (b'M', message)] {
            out.push(kind);
            text(out, value);
        }
        for (kind, value) in [(b'D', detail), (b'H', hint)] {
            value.into_iter().for_each(|value| {
                out.push(kind);
                text(out, value);
            });
        }
        out.push(0);
    });
}

/// RowDescription, of rows that come from no table; `formats` has one for each column.
pub fn row_description(out: &mut Vec<u8>, columns: &[Column], formats: &[Format]) {
    assert_eq!(columns.len(), formats.len(), "each column has a format");
    framed(out, Some(b'T'), |out| {
        count(out, columns.len());
        for (column, format) in columns.iter().zip(formats) {
            let (oid, size) = column.kind.oid_and_size();
            text(out, column.name);
            // No table, no column of one.
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(&oid.to_be_bytes());
            out.extend_from_slice(&size.to_be_bytes());
            // No modifier.
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            out.extend_from_slice(&format.code().to_be_bytes());
        }
    });
}

/// DataRow with values as their formats have them; `None` is NULL.
pub fn data_row<V: AsRef<[u8]>>(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = Option<V>>) {
    framed(out, Some(b'D'), |out| {
        count(out, values.len());
        for value in values {
            match value {
                Some(value) => {
                    let value = value.as_ref();
                    let length = u32::try_from(value.len()).expect("what we build is far below 4 GiB");
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(value);
                }
                None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
    });
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).expect("we build no row with more than a few dozen columns").to_be_bytes());
}

/// CommandComplete.
pub fn command_complete(out: &mut Vec<u8>, tag: &str) {
    framed(out, Some(b'C'), |out| text(out, tag));
}

/// EmptyQueryResponse.
pub fn empty_query_response(out: &mut Vec<u8>) {
    framed(out, Some(b'I'), |_| {});
}

/// ParseComplete.
pub fn parse_complete(out: &mut Vec<u8>) {
    framed(out, Some(b'1'), |_| {});
}

/// BindComplete.
pub fn bind_complete(out: &mut Vec<u8>) {
    framed(out, Some(b'2'), |_| {});
}

/// CloseComplete.
pub fn close_complete(out: &mut Vec<u8>) {
    framed(out, Some(b'3'), |_| {});
}

/// ParameterDescription of a statement without parameters.
pub fn no_parameters(out: &mut Vec<u8>) {
    framed(out, Some(b't'), |out| count(out, 0));
}

/// NoData: a statement that has no rows.
pub fn no_data(out: &mut Vec<u8>) {
    framed(out, Some(b'n'), |_| {});
}

/// PortalSuspended: as many rows as were asked for, and there are more.
pub fn portal_suspended(out: &mut Vec<u8>) {
    framed(out, Some(b's'), |_| {});
}

/// StartupMessage, protocol 3.0. A parameter with an empty name would end the list, so that there must be none.
pub fn startup<'a>(out: &mut Vec<u8>, parameters: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
    framed(out, None, |out| {
        out.extend_from_slice(&Version { major: 3, minor: 0 }.to_bytes());
        for (name, value) in parameters.into_iter().filter(|(name, _)| !name.is_empty()) {
            text(out, name);
            text(out, value);
        }
        out.push(0);
    });
}

/// CancelRequest.
pub fn cancel_request(out: &mut Vec<u8>, process: u32, key: &[u8]) {
    framed(out, None, |out| {
        out.extend_from_slice(&CANCEL_REQUEST.to_be_bytes());
        out.extend_from_slice(&process.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// SASLInitialResponse.
pub fn sasl_initial_response(out: &mut Vec<u8>, mechanism: &str, data: &[u8]) {
    framed(out, Some(b'p'), |out| {
        text(out, mechanism);
        let length = u32::try_from(data.len()).expect("our own first message has some 40 bytes");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// SASLResponse.
pub fn sasl_response(out: &mut Vec<u8>, data: &[u8]) {
    framed(out, Some(b'p'), |out| out.extend_from_slice(data));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Authentication, Backend};
    use crate::column::ColumnType;
    use crate::frame::{LOGIN_LENGTH_MAX, scan, scan_startup};
    use crate::startup::{CancelRequest, Opening};
    use crate::{backend, fields, frontend, startup};
    use proptest::prelude::*;

    fn built(build: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        build(&mut out);
        out
    }

    fn read(bytes: &[u8]) -> Backend<'_> {
        let frame = scan(bytes, LOGIN_LENGTH_MAX).unwrap().unwrap();
        assert_eq!(frame.whole, bytes);
        backend::parse(&frame).unwrap()
    }

    #[test]
    fn what_we_send_to_clients_reads_back() {
        assert_eq!(read(&built(authentication_ok)), Backend::Authentication(Authentication::Ok));
        let sasl = built(|out| authentication_sasl(out, &["SCRAM-SHA-256"]));
        assert_eq!(read(&sasl), Backend::Authentication(Authentication::Sasl(vec![b"SCRAM-SHA-256"])));
        assert_eq!(read(&built(ready_for_query)), Backend::ReadyForQuery(b'I'));
        let key = built(|out| backend_key_data(out, 7, &[9; 32]));
        assert_eq!(read(&key), Backend::BackendKeyData { process: 7, key: &[9; 32] });
    }

    #[test]
    fn grease_is_answered_with_our_version_and_each_extension() {
        let bytes = built(|out| negotiate_protocol_version(out, startup::NEWEST, &[b"_pq_.test_protocol_negotiation"]));
        assert_eq!(bytes, b"v\0\0\0\x2b\0\x03\0\x02\0\0\0\x01_pq_.test_protocol_negotiation\0");
    }

    #[test]
    fn an_error_has_its_fields_and_a_zero_byte_ends_only_its_own() {
        let report =
            ErrorReport { severity: "FATAL", code: "28P01", message: "no\0C00000", detail: Some("because"), hint: Some("try again") };
        let bytes = built(|out| error_response(out, &report));
        assert_eq!(&bytes[5..], b"SFATAL\0VFATAL\0C28P01\0Mno\0Dbecause\0Htry again\0\0");
        let Backend::ErrorResponse(body) = read(&bytes) else { panic!() };
        assert_eq!(fields::parse(body).code, Some(&b"28P01"[..]));
    }

    #[test]
    fn rows_are_as_the_protocol_has_them() {
        let columns = [Column { name: "a", kind: ColumnType::Text }, Column { name: "b", kind: ColumnType::Int4 }];
        let described = built(|out| row_description(out, &columns, &[Format::Text, Format::Binary]));
        let each = |name: &[u8], oid: u8, size: [u8; 2], format: u8| {
            [name, b"\0\0\0\0\0\0\0\0\0\0", &[oid], &size, b"\xff\xff\xff\xff\0", &[format]].concat()
        };
        assert_eq!(described[5..], [b"\0\x02".to_vec(), each(b"a", 25, [255, 255], 0), each(b"b", 23, [0, 4], 1)].concat());
        let row = built(|out| data_row(out, [Some("x"), None].into_iter()));
        assert_eq!(row, b"D\0\0\0\x0f\0\x02\0\0\0\x01x\xff\xff\xff\xff");
        assert_eq!(built(|out| command_complete(out, "SHOW")), b"C\0\0\0\x09SHOW\0");
        assert_eq!(built(empty_query_response), b"I\0\0\0\x04");
        let notice = built(|out| notice_response(out, "hello", Some("why"), None));
        assert_eq!(built(parse_complete), b"1\0\0\0\x04");
        assert_eq!(built(bind_complete), b"2\0\0\0\x04");
        assert_eq!(built(close_complete), b"3\0\0\0\x04");
        assert_eq!(built(no_parameters), b"t\0\0\0\x06\0\0");
        assert_eq!(built(no_data), b"n\0\0\0\x04");
        assert_eq!(built(portal_suspended), b"s\0\0\0\x04");
        assert_eq!(&notice[5..], b"SNOTICE\0VNOTICE\0C00000\0Mhello\0Dwhy\0\0");
    }

    proptest! {
        #[test]
        fn a_startup_message_reads_back(pairs in prop::collection::vec(("[a-z]{1,8}[0-9]", "[^\0]{0,20}"), 0..6)) {
            let bytes = built(|out| super::startup(out, pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()))));
            let (body, whole) = scan_startup(&bytes).unwrap().unwrap();
            prop_assert_eq!(whole, bytes.len());
            let Opening::Session(request) = startup::parse(body).unwrap() else { panic!() };
            let expected: Vec<_> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            prop_assert_eq!(request.parameters, expected);
        }

        #[test]
        fn a_cancel_request_reads_back(process: u32, key in prop::collection::vec(any::<u8>(), 4..=256)) {
            let bytes = built(|out| cancel_request(out, process, &key));
            let (body, _) = scan_startup(&bytes).unwrap().unwrap();
            prop_assert_eq!(startup::parse(body).unwrap(), Opening::Cancel(CancelRequest { process, key: &key }));
        }

        #[test]
        fn a_sasl_initial_response_reads_back(mechanism in "[A-Z-]{1,20}", data in prop::collection::vec(any::<u8>(), 0..50)) {
            let bytes = built(|out| sasl_initial_response(out, &mechanism, &data));
            let frame = scan(&bytes, LOGIN_LENGTH_MAX).unwrap().unwrap();
            let initial = frontend::parse_sasl_initial(frame.body).unwrap();
            prop_assert_eq!((initial.mechanism, initial.data), (mechanism.as_bytes(), Some(&data[..])));
        }
    }
}
