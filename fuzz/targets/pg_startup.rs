//! The first packet of a PostgreSQL client, before anything is known of it.

#![no_main]

use holm_pgwire::frame::scan_startup;
use holm_pgwire::message;
use holm_pgwire::startup::{Opening, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((body, whole))) = scan_startup(bytes) else { return };
    assert!(whole <= bytes.len() && whole == body.len() + 4);
    // As long as a byte is missing it is neither a packet nor malformed.
    assert_eq!(scan_startup(&bytes[..whole - 1]), Ok(None));
    let mut again = Vec::new();
    match parse(body) {
        Ok(Opening::Session(request)) => {
            assert!(request.spoken() <= request.version && request.parameters.iter().all(|(name, _)| !name.is_empty()));
            message::startup(&mut again, request.parameters.iter().copied());
            let Ok(Some((body, _))) = scan_startup(&again) else { panic!("our own packet is whole") };
            let Ok(Opening::Session(read)) = parse(body) else { panic!("our own packet is a session's") };
            assert_eq!(read.parameters, request.parameters);
        }
        Ok(Opening::Cancel(request)) => {
            message::cancel_request(&mut again, request.process, request.key);
            assert_eq!(again, bytes[..whole], "nothing of a cancel request is left over");
        }
        Ok(Opening::Tls | Opening::Gss) => assert_eq!(whole, 8),
        Err(_) => {}
    }
});
