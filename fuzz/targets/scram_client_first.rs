//! A client's first SCRAM message, as the server's side reads it.

#![no_main]

use std::num::NonZeroU32;
use std::sync::LazyLock;

use holm_pgwire::scram::NONCE_LENGTH_MAX;
use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::end_point::EndPoint;
use holm_pgwire::scram::keys::LoginKeys;
use holm_pgwire::scram::server::{Channel, start};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<LoginKeys> = LazyLock::new(|| LoginKeys::derive(b"pencil", b"salt", NonZeroU32::MIN));

/// The end of a certificate; any that is signed with a hash will do.
static END_POINT: LazyLock<EndPoint> =
    LazyLock::new(|| EndPoint::of_certificate(include_bytes!("../corpus/pg_certificate/names")).expect("a certificate signed with SHA-256"));

fuzz_target!(|message: &[u8]| {
    for channel in [Channel::Unbound, Channel::Declined, Channel::Bound(&END_POINT)] {
        exchange(message, channel);
    }
});

fn exchange(message: &[u8], channel: Channel<'_>) {
    let verifier = KEYS.verifier(b"salt", NonZeroU32::MIN);
    let Ok((challenge, server_first)) = start(verifier, channel, message, "server") else { return };
    assert!(server_first.starts_with("r=") && server_first.ends_with(",s=c2FsdA==,i=1"));
    let nonce = server_first.strip_prefix("r=").and_then(|rest| rest.split_once(",s=")).expect("it has a nonce and a salt").0;
    let client_nonce = nonce.strip_suffix("server").expect("our own half ends the nonce");
    // The exchange goes on exactly for the client that said just what ours says.
    let (opening, client_first) = match channel {
        Channel::Bound(end_point) => Opening::bound(client_nonce.to_owned(), end_point),
        Channel::Unbound | Channel::Declined => Opening::new(client_nonce.to_owned()),
    };
    let Ok((awaiting, client_final)) = opening.respond(server_first.as_bytes(), &KEYS) else {
        assert!(nonce.len() > NONCE_LENGTH_MAX, "our own client reads what our server says");
        return;
    };
    let finished = challenge.finish(client_final.as_bytes());
    assert_eq!(finished.is_ok(), message == client_first.as_bytes());
    if let Ok(server_final) = finished {
        awaiting.verify(server_final.server_final.as_bytes()).expect("the server knows the keys");
    }
}
