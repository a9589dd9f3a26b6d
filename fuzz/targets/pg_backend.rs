//! What a server sends during a login; a tenant may own the server.

#![no_main]

use holm_pgwire::backend::{Authentication, Backend, parse};
use holm_pgwire::frame::{LOGIN_LENGTH_MAX, scan};
use holm_pgwire::message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(frame)) = scan(rest, LOGIN_LENGTH_MAX) {
        rest = &rest[frame.whole.len()..];
        let Ok(read) = parse(&frame) else { continue };
        // What we can build ourselves, we build again: every byte of it must have been understood.
        let mut again = Vec::new();
        match read {
            Backend::Authentication(Authentication::Ok) => message::authentication_ok(&mut again),
            Backend::Authentication(Authentication::SaslContinue(data)) => message::authentication_sasl_continue(&mut again, data),
            Backend::Authentication(Authentication::SaslFinal(data)) => message::authentication_sasl_final(&mut again, data),
            Backend::ParameterStatus { name, value } => message::parameter_status(&mut again, name, value),
            Backend::BackendKeyData { process, key } => message::backend_key_data(&mut again, process, key),
            _ => continue,
        }
        assert_eq!(again, frame.whole);
    }
});
