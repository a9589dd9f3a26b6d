//! The fields of a server's ErrorResponse, and those of our own.

#![no_main]

use holm_pgwire::fields::parse;
use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};
use holm_pgwire::message::{ErrorReport, error_response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let fields = parse(body);
    let text = |field: Option<&[u8]>| String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
    let (severity, code, message) = (text(fields.severity), text(fields.code), text(fields.message));
    let (detail, hint) = (fields.detail.map(|detail| text(Some(detail))), fields.hint.map(|hint| text(Some(hint))));
    let report = ErrorReport { severity: &severity, code: &code, message: &message, detail: detail.as_deref(), hint: hint.as_deref() };
    let mut bytes = Vec::new();
    error_response(&mut bytes, &report);
    let frame = scan(&bytes, MESSAGE_LENGTH_MAX).expect("ours is well-formed").expect("ours is whole");
    let read = parse(frame.body);
    assert_eq!(frame.whole.len(), bytes.len());
    assert_eq!((read.severity, read.code, read.message), (Some(severity.as_bytes()), Some(code.as_bytes()), Some(message.as_bytes())));
    assert_eq!((read.detail, read.hint), (detail.as_deref().map(str::as_bytes), hint.as_deref().map(str::as_bytes)));
});
