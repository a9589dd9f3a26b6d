//! A client's SASLInitialResponse.

#![no_main]

use holm_pgwire::frame::{HEADER_LENGTH, LOGIN_LENGTH_MAX};
use holm_pgwire::frontend::parse_sasl_initial;
use holm_pgwire::message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if body.len() > LOGIN_LENGTH_MAX {
        return;
    }
    let Ok(read) = parse_sasl_initial(body) else { return };
    if let (Ok(mechanism), Some(data)) = (std::str::from_utf8(read.mechanism), read.data) {
        let mut again = Vec::new();
        message::sasl_initial_response(&mut again, mechanism, data);
        assert_eq!(&again[HEADER_LENGTH..], body, "every byte was understood");
    }
});
